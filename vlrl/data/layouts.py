"""Rows in the layouts of other trainers and of benchmarks, so that a switch costs one line: `layout: easyr1`.

    easyr1         problem, answer, images
    verl           prompt (messages), images, reward_model.ground_truth
    trl            prompt (text or messages) or problem, image or images, solution / answer / ground_truth, completion
    llama-factory  instruction + input → output, or conversations / messages; images
    ms-swift       messages, conversation, query → response; images, solution

A trainer's layout becomes the columns `question`, `answer`, `images` and, where there is one, `response`. System
messages are left out: a run's config sets its own. Without a column for the answer, it is what the last response
declares. The benchmarks' layouts (`vlrl.data.benchmark_rows`) bring their own prompt and verifier along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vlrl.errors import DataError
from vlrl.verify.extract import extract

Row = Mapping[str, Any]
BENCHMARK_LAYOUTS = ("mathvista", "mmmu", "mmmu-pro", "mathvision", "math", "aime", "gsm8k", "tabmwp", "dynamath")
_ANSWERS = ("solution", "answer", "ground_truth")
_USERS, _ASSISTANTS = ("user", "human"), ("assistant", "gpt")
_ASKED_ONCE = "one question a row: leave the further turns out"


def canonical_row(layout: str, row: Row, place: str) -> dict[str, Any]:
    """The row with the columns that a trainer's layout stands for; its other columns stay. Raises DataError."""
    return {**row, **CONVERTERS[layout](row, place)}


def _easyr1(row: Row, place: str) -> dict[str, Any]:
    return {"question": _cell(row, place, "problem"), "answer": _cell(row, place, "answer"), "images": _images(row)}


def _verl(row: Row, place: str) -> dict[str, Any]:
    question, response = _turns(_cell(row, place, "prompt"), f"{place}, prompt")
    reward = _cell(row, place, "reward_model")
    if not isinstance(reward, Mapping) or reward.get("ground_truth") is None:
        raise DataError(f"{place}, reward_model", f"got {reward!r}", "give {style: rule, ground_truth: answer}")
    found = {"question": question, "answer": reward["ground_truth"], "images": _images(row)}
    return found if response is None else {**found, "response": response}


def _trl(row: Row, place: str) -> dict[str, Any]:
    if row.get("prompt") is not None:
        question, response = _turns(row["prompt"], f"{place}, prompt")
    else:
        question, response = str(_cell(row, place, "problem", "question", "prompt")), None
    if row.get("completion") is not None:
        completion = row["completion"]
        response = completion if isinstance(completion, str) else _text_of(completion[-1], f"{place}, completion")
    return _judged(row, place, question, response)


def _chat(row: Row, place: str) -> dict[str, Any]:
    for column in ("messages", "conversations", "conversation"):
        if row.get(column) is not None:
            question, response = _turns(row[column], f"{place}, {column}")
            break
    else:
        if row.get("history"):
            raise DataError(f"{place}, history", f"holds {len(row['history'])} earlier turns", _ASKED_ONCE)
        question = str(_cell(row, place, "instruction", "query", "messages"))
        question += f"\n{row['input']}" if row.get("input") else ""
        given = next((row[column] for column in ("output", "response") if row.get(column) is not None), None)
        response = None if given is None else str(given)
    return _judged(row, place, question, response)


CONVERTERS: dict[str, Callable[[Row, str], dict[str, Any]]] = {
    "easyr1": _easyr1,
    "verl": _verl,
    "trl": _trl,
    "llama-factory": _chat,
    "ms-swift": _chat,
}
LAYOUTS = (*CONVERTERS, *BENCHMARK_LAYOUTS)


def _judged(row: Row, place: str, question: str, response: str | None) -> dict[str, Any]:
    """With the answer from its own column (tags and boxes around it are taken off), else from the response."""
    found: dict[str, Any] = {"question": question, "images": _images(row)}
    if response is not None:
        found["response"] = response
    given = next((row[column] for column in _ANSWERS if row.get(column) is not None), None)
    if given is not None:
        found["answer"] = _declared(given) if isinstance(given, str) else given
        return found
    declared = None if response is None else _declared(response, prose=False)
    if declared is None:
        raise DataError(
            place,
            "has no answer: no column " + ", ".join(_ANSWERS) + ", and no response that declares one",
            "add such a column, or write <answer>…</answer> or \\boxed{…} in the response",
        )
    return {**found, "answer": declared}


def _declared(text: str, prose: bool = True) -> str | None:
    """What stands in a tag, a box or a declaring phrase; the text itself where nothing does and it may be prose."""
    extraction = extract(text)
    if extraction.answer is not None and extraction.how in ("tag", "box", "json", "phrase"):
        return extraction.answer if extraction.declared else extraction.answer.removesuffix(".")
    if extraction.how == "line" or prose:
        return text.strip()
    return None


def _turns(given: Any, place: str) -> tuple[str, str | None]:
    """The user's one question and the last response, from a text or from messages of any of the usual spellings."""
    if isinstance(given, str):
        return given, None
    if not isinstance(given, list | tuple) or not all(isinstance(turn, Mapping) for turn in given):
        raise DataError(place, f"got {given!r}", "give a text or a list of messages")
    asked: list[str] = []
    response = None
    for turn in given:
        if "human" in turn:  # one object for a question and its response
            asked.append(str(turn["human"]))
            response = None if turn.get("assistant") is None else str(turn["assistant"])
            continue
        role = turn.get("role", turn.get("from"))
        if role in _USERS:
            asked.append(_text_of(turn, place))
        elif role in _ASSISTANTS:
            response = _text_of(turn, place)
        elif role != "system":
            raise DataError(place, f"has a message of {role!r}", "messages are of system, user and assistant")
    if len(asked) != 1:
        raise DataError(place, f"has {len(asked)} questions", _ASKED_ONCE)
    return asked[0], response


def _text_of(turn: Row, place: str) -> str:
    """A message's text; a picture among its parts becomes a placeholder."""
    content = turn.get("content", turn.get("value"))
    if isinstance(content, str):
        return content
    if not isinstance(content, list | tuple):
        raise DataError(place, f"a message holds {content!r}", "give a text or a list of parts")
    return "".join("<image>" if part.get("type") == "image" else str(part.get("text") or "") for part in content)


def _images(row: Row) -> list[Any]:
    given = row.get("images") if row.get("images") is not None else row.get("image")
    if given is None or given == "":
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def _cell(row: Row, place: str, *columns: str) -> Any:
    for column in columns:
        if row.get(column) is not None:
            return row[column]
    raise DataError(
        place,
        f"has no {' or '.join(map(repr, columns))}",
        f"its columns: {', '.join(row)}; is the layout the right one?",
    )
