"""Messages of a chat as others write them: OpenAI, Qwen, Anthropic, Gemini, ShareGPT, ms-swift, Cauldron.

    {"role": "user", "content": "text" | [parts]}      {"from": "human", "value": "text"}
    {"human": "…", "assistant": "…"}                   {"role": "user", "parts": [{"text": "…"}]}
    parts: "text", {"type": "text", "text": …}, {"text": …}, {"type": "image"}, {"image": path},
           {"type": "image_url", "image_url": {"url": …}}, {"type": "image", "source": {"type": "base64", "data": …}} …

Every key of a message and of a part is accounted for: it is read, it is one that says nothing a question needs (an
image's `detail`), or the row is refused by name. One question a row, at most one response.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from vlrl.data.images.image_refs import BESIDE, KINDS, PAYLOADS
from vlrl.data.rows.placeholders import Piece, Shown, Slot, pieces_of, placed, refuse_other_media
from vlrl.data.rows.row_view import is_empty, media_in
from vlrl.data.tables.cell_text import shortened
from vlrl.errors import BadRowError

USERS = ("user", "human", "prompter", "question")
ASSISTANTS = ("assistant", "gpt", "model", "bot", "chatgpt", "answer")
SYSTEMS = ("system", "developer")
ASKED_ONCE = "one question a row: leave the further turns out, or make rows of them"
_CONTENT = ("content", "value", "text", "parts")
_UNUSED_IN_MESSAGE = frozenset(
    [
        "loss",
        "loss_scale",
        "loss_weight",
        "weight",
        "train",
        "name",
        "id",
        "index",
        "turn",
        "cache_control",
        "source",
        "annotations",
    ]
)
_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thought", "thoughts")  # beside a response
_THINKING_PARTS = ("thinking", "reasoning")
_LEARNED = ("loss", "loss_scale", "loss_weight", "weight", "train")  # false or 0: nothing is to be learned from it
_TEXTS = ("text", "input_text", "output_text")
_WRAPPED = ("messages", "conversations")


def turns_of(given: Any, place: str) -> tuple[list[Piece], list[Piece] | None]:
    """The one question and the last response of a chat. Raises BadRowError where it holds anything else.

    given  a text, a message, a list of messages, or one of these as a JSON text
    """
    messages = messages_of(given)
    if messages is None:
        if (other := beside_messages(given)) is not None:
            key, value = other
            raise BadRowError(place, f"holds {key!r} beside its messages: {shortened(value)}", "make it a column")
        if isinstance(given, str):
            return _text(given, place), None
        raise BadRowError(place, f"got {shortened(given)}", "give a text or a list of messages")
    asked: list[list[Piece]] = []
    response: list[Piece] | None = None
    for message in messages:
        for role, content in _messages_in(message, place):
            if role in USERS:
                if response is not None:
                    raise BadRowError(place, "has a question behind a response", ASKED_ONCE)
                asked.append(content)
            elif role in ASSISTANTS:
                if response is not None:
                    raise BadRowError(place, "has several responses", ASKED_ONCE)
                response = content
            elif role in SYSTEMS:
                if any(not isinstance(piece, str) for piece in content):
                    raise BadRowError(place, "has an image in its system message", "move it into the question")
            else:
                raise BadRowError(place, f"has a message of {role!r}", "messages are of system, user and assistant")
    if len(asked) != 1:
        raise BadRowError(place, f"has {len(asked)} questions", ASKED_ONCE)
    return asked[0], response


def system_of(given: Any, place: str) -> str | None:
    """The text of a chat's system messages; None without any. Raises BadRowError as `turns_of` does."""
    found = [
        text
        for message in messages_of(given) or ()
        for role, content in _messages_in(message, place)
        if role in SYSTEMS and (text := text_of(content, place))
    ]
    return "\n\n".join(found) if found else None


def messages_of(given: Any) -> list[Mapping[str, Any]] | None:
    """The messages of a chat, also where they are one JSON text; None for what is no chat."""
    if isinstance(given, str):
        given = _json(given, "[{")
    if isinstance(given, Mapping):
        if beside_messages(given) is not None:
            return None
        given = given.get("messages") or given.get("conversations") or [given]
    if not isinstance(given, list | tuple) or not given or not all(isinstance(turn, Mapping) for turn in given):
        return None
    known = {"role", "from", "human", "user", "assistant", *_CONTENT}
    return list(given) if all(known & set(turn) for turn in given) else None


def beside_messages(given: Any) -> tuple[str, Any] | None:
    """What an object holds beside its messages, and would be lost."""
    held = _json(given, "{") if isinstance(given, str) else given
    if not isinstance(held, Mapping) or not (chats := [key for key in _WRAPPED if held.get(key)]):
        return None
    others = (key for key in held if key != chats[0] and key not in _UNUSED_IN_MESSAGE and not is_empty(held[key]))
    return next(((key, held[key]) for key in others), None)


def text_of(pieces: list[Piece] | None, place: str) -> str | None:
    """The text of a response. Raises BadRowError where it holds an image."""
    if pieces is None:
        return None
    texts = [piece.text if isinstance(piece, Slot) else piece for piece in pieces]
    if not all(isinstance(text, str) and text for text in texts):
        raise BadRowError(place, "has an image in its response", "responses are text")
    return "".join(map(str, texts))


def _messages_in(message: Mapping[str, Any], place: str) -> list[tuple[str, list[Piece]]]:
    """The message, or question and response where one object holds both."""
    said = {*_CONTENT, *(key for key, _ in _PAIRED)}
    held = {key: value for key, value in message.items() if not is_empty(value) or (value == "" and key in said)}
    for key in sorted(held.keys() & _UNUSED_IN_MESSAGE):
        if kind := media_in(key, held[key]):
            raise BadRowError(
                place, f"{key!r} of a message holds {kind} that would be lost: {shortened(held[key])}", "take it out"
            )
    if not {"role", "from"} & held.keys():
        pairs = [(role, held.pop(key)) for key, role in _PAIRED if key in held]
        _refuse(held.keys() - _UNUSED_IN_MESSAGE, held, "a message", place)
        return [(role, _content(value, place, role in ASSISTANTS)) for role, value in pairs]
    role = _role(held, place)
    is_response = role in ASSISTANTS
    if is_response and (off := [key for key in _LEARNED if key in held and not held[key]]):
        raise BadRowError(
            place, f"{off[0]!r} says that nothing is learned from the response", "take the response out, or the mark"
        )
    thoughts = [held.pop(key) for key in _THOUGHTS if is_response and key in held]
    named = [key for key in _CONTENT if key in held]
    if len(named) > 1 and len({str(held[key]) for key in named}) > 1:
        raise BadRowError(place, f"a message holds {' and '.join(map(repr, named))}", "give its content once")
    pieces = _content(held.pop(named[0]), place, is_response) if named else []
    for key in named[1:]:
        held.pop(key)
    beside = [given for key in ("images", "image") if key in held for given in _listed(held.pop(key))]
    _refuse(held.keys() - _UNUSED_IN_MESSAGE, held, f"a message of {role!r}", place)
    if beside:
        pieces = [piece if isinstance(piece, str) else Shown(piece.given) for piece in placed(pieces, beside, place)]
    return [(role, [*_thinking(thoughts, pieces, place), *pieces])]


def _role(held: dict[str, Any], place: str) -> str:
    """Who speaks. Raises BadRowError where `role` and `from` name two."""
    named = {key: str(held.pop(key)).strip().lower() for key in ("role", "from") if key in held}
    kinds = [next((kind for kind in (USERS, ASSISTANTS, SYSTEMS) if name in kind), name) for name in named.values()]
    if any(kind != kinds[0] for kind in kinds):
        raise BadRowError(place, f"a message is of {' and of '.join(map(repr, named.values()))}", "say who speaks once")
    return next(iter(named.values()), "")


def _thinking(thoughts: list[Any], pieces: list[Piece], place: str) -> list[Piece]:
    """A chain of thought that stands beside its response, in the tags that chat templates put around it."""
    different = list(dict.fromkeys(str(thought).strip() for thought in thoughts))
    if not different:
        return []
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    if len(different) > 1 or not all(isinstance(thought, str) for thought in thoughts):
        raise BadRowError(place, f"has several chains of thought: {shortened(different)}", "give one text")
    if "<think>" in text:
        if different[0] in text:
            return []
        raise BadRowError(place, "has a chain of thought in its response and another beside it", "give it once")
    return [thinking_text(different[0])]


def thinking_text(thought: str) -> str:
    """A chain of thought as the chat templates of reasoning models write it before the rest of a response."""
    return f"<think>\n{thought.strip()}\n</think>\n\n"


_PAIRED = (("system", "system"), ("human", "user"), ("user", "user"), ("assistant", "assistant"))


def _refuse(keys: set[str], held: Mapping[str, Any], what: str, place: str) -> None:
    if keys:
        key = sorted(keys)[0]
        raise BadRowError(place, f"{what} holds {key!r}, which is not read: {shortened(held[key])}", "take it out")


def _content(given: Any, place: str, is_response: bool = False) -> list[Piece]:
    if isinstance(given, str):
        parts = _json(given, "[{")
        if not (isinstance(parts, list) and all(isinstance(part, Mapping) and _is_part(part) for part in parts)):
            return _text(given, place)
        given = parts
    if isinstance(given, Mapping):
        given = [given]
    if not isinstance(given, list | tuple):
        raise BadRowError(place, f"a message holds {shortened(given)}", "give a text or a list of parts")
    return [piece for part in given for piece in _part(part, place, is_response)]


def _is_part(part: Mapping[str, Any]) -> bool:
    return bool({"type", "text", "image", "image_url"} & set(part))


def _part(part: Any, place: str, is_response: bool = False) -> list[Piece]:
    if isinstance(part, str):
        return _text(part, place)
    if not isinstance(part, Mapping):
        raise BadRowError(place, f"a part of a message is {shortened(part)}", "give a text or an object")
    held = {key: value for key, value in part.items() if not is_empty(value)}
    kind = held.pop("type", None)
    if kind is None and not held:
        return _text(str(part.get("text") or ""), place)
    if kind in _THINKING_PARTS and is_response:
        thoughts = [held.pop(key) for key in (kind, "text", "content") if key in held]
        _refuse(held.keys() - BESIDE - {"signature"}, held, "a part of thought", place)
        return _thinking(thoughts, [], place)
    if kind in _TEXTS or (kind is None and held.keys() - BESIDE == {"text"}):
        texts = [held.pop(key) for key in ("text", "content", "value") if key in held]
        _refuse(held.keys() - BESIDE, held, "a part of text", place)
        if len(texts) > 1 or not all(isinstance(text, str) for text in texts):
            raise BadRowError(place, f"a part of text holds {shortened(texts)}", "give one text")
        return _text(texts[0] if texts else "", place)
    payloads = held.keys() & {*PAYLOADS, "content", "value"}
    if kind in KINDS or (kind is None and payloads):
        number = held.get("index")
        _refuse(held.keys() - payloads - BESIDE, held, "a part for an image", place)
        if not payloads:
            return [Slot(number + 1 if isinstance(number, int) else None)]
        if len(payloads) > 1:
            return [Shown({key: held[key] for key in payloads})]
        return [Shown(held[payloads.pop()])]
    raise BadRowError(place, f"has a part of type {kind or sorted(held)!r}", "parts are texts and images")


def _text(text: str, place: str) -> list[Piece]:
    refuse_other_media(text, place)
    return pieces_of(text)


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _json(text: str, starts: str) -> Any:
    """What a JSON text that begins with one of the characters says; None for another text."""
    if text.lstrip()[:1] not in tuple(starts):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
