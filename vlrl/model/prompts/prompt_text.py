"""A problem as the chat template writes it, with the template's text and the user's kept apart where that matters.

An ordinary prompt is one string, and the tokenizer reads it as it is. A prompt has more control tokens than its
template writes only if a text in it spells one. Then the template is asked once more, with marks in place of the texts;
the processor expands the images between the marks; and where the tokenizer would be called, the control tokens of what
lies between the marks are taken as such, and every stretch between two of them, texts put in, is read as text. So a
text can't end its turn, begin another or stand for an image, whatever it holds.
"""

from __future__ import annotations

import copy
import json
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vlrl.errors import DataError
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.control_tokens import ControlTokens, control_tokens
from vlrl.types import Problem, Text

MARK = re.compile("\ue000(\\d+)\ue001")  # private characters, which no template and no processor looks for
REMEMBERED = 1024  # prompts
TRIED = "a b,\n\n  c 12 "


@dataclass(frozen=True)
class Prompt:
    """A prompt before images are put in.

    text    as the chat template writes it; where `texts` are given, with marks in their place
    texts   what stands at the marks, by number; None: the text is read as it is
    tokens  its length, every image one placeholder
    """

    place: str
    text: str
    texts: tuple[str, ...] | None = None
    tokens: int = 0

    @property
    def whole(self) -> str:
        """With the texts in their places."""
        return self.text if self.texts is None else _filled(self.text, self.texts)


@dataclass(frozen=True)
class _Shape:
    """What the template makes of texts and images in this order, whatever the texts are."""

    marked: str
    control: list[int]
    separable: bool


class PromptWriter:
    """Writes problems with one model's chat template and system prompt, and the tools that the policy may call."""

    def __init__(
        self, loaded: LoadedModel, system_prompt: str | None = None, tools: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        self._processor, self._system = loaded.processor, system_prompt
        self._tools = [dict(tool) for tool in tools]
        self._knows_tools = bool(tools) and self._template_shows_tools()
        self.control = control_tokens(loaded.tokenizer, (*loaded.placeholder_ids, *loaded.stop_ids))
        self._shapes: dict[tuple[bool, ...], _Shape] = {}
        self._written: OrderedDict[tuple[str | None, ...], Prompt] = OrderedDict()

    def _system_of(self, problem: Problem) -> str:
        """The problem's own system prompt, or the run's; "" for none."""
        return (self._system or "") if problem.system is None else problem.system

    def write(self, problems: Sequence[Problem]) -> list[Prompt]:
        """Prompts in order. Raises DataError for one whose text can't be told from the template's own.

        A problem is checked when it is drawn and encoded soon after: the newest REMEMBERED prompts are kept.
        """
        keys = [self._key(one) for one in problems]
        new = {key: one for key, one in zip(keys, problems, strict=True) if key not in self._written}
        self._written |= zip(new, self._write(list(new.values())), strict=True)
        found = [self._written[key] for key in keys]
        while len(self._written) > REMEMBERED:
            self._written.popitem(last=False)
        return found

    def _key(self, problem: Problem) -> tuple[str | None, ...]:
        """All that a prompt depends on, its place in messages included; None stands for an image."""
        place = (problem.id, problem.source or problem.domain, self._system_of(problem))
        return (*place, *(p.text if isinstance(p, Text) else None for p in problem.prompt))

    def _write(self, problems: Sequence[Problem]) -> list[Prompt]:
        written = [
            self._render([p.text if isinstance(p, Text) else None for p in one.prompt], self._system_of(one))
            for one in problems
        ]
        if not written:
            return []
        ids = self.control.tokenizer(written, add_special_tokens=False)["input_ids"]
        return [self._prompt(*one) for one in zip(problems, written, ids, strict=True)]

    def _prompt(self, problem: Problem, written: str, ids: Sequence[int]) -> Prompt:
        system = self._system_of(problem)
        kinds = (bool(system), *(isinstance(piece, Text) for piece in problem.prompt))
        if kinds not in self._shapes:
            self._shapes[kinds] = self._shape(kinds)
        shape, place = self._shapes[kinds], f"problem {problem.id} ({problem.source or problem.domain})"
        if self.control.among(ids) == shape.control:
            return Prompt(place, written, tokens=len(ids))
        texts = (system, *(piece.text for piece in problem.prompt if isinstance(piece, Text)))
        if not shape.separable or _filled(shape.marked, texts) != written:
            name = next((name for name in self.control.names() if any(name in text for text in texts)), "a token")
            raise DataError(
                place,
                f"its text holds the control token {name}, and this chat template changes texts, so that the token "
                "can't be kept as text",
                "take it out of the text, or leave the row out (on_bad_row: skip)",
            )
        apart = Prompt(place, shape.marked, texts)
        return replace(apart, tokens=len(read_apart(self.control, apart).ids))

    def _shape(self, kinds: tuple[bool, ...]) -> _Shape:
        """kinds: whether there is a system prompt, and of each piece whether it is a text"""
        has_system, *pieces = kinds
        system, *others = (f"\ue000{number}\ue001" for number in range(len(kinds)))
        texts = iter(others)
        marked = self._render([next(texts) if is_text else None for is_text in pieces], system if has_system else "")
        tried = Prompt("", marked, (TRIED,) * (1 + sum(pieces)))
        read = self.control.tokenizer
        control = self.control.among(read(marked, add_special_tokens=False)["input_ids"])
        plain = read(tried.whole, add_special_tokens=False)["input_ids"]
        return _Shape(marked, control, read_apart(self.control, tried).ids == plain)

    def _render(self, pieces: Sequence[str | None], system: str) -> str:
        """By the chat template; None stands for an image, and "" for no system prompt."""
        content = [{"type": "image"} if text is None else {"type": "text", "text": text} for text in pieces]
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if self._tools and not self._knows_tools:
            system = f"{system}\n\n{tools_in_words(self._tools)}".strip()
        if system:
            messages.insert(0, {"role": "system", "content": system})
        more = {"tools": self._tools} if self._knows_tools else {}
        written: str = self._processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **more)
        return written

    def _template_shows_tools(self) -> bool:
        """Whether the template describes tools itself, every one by its name."""
        messages = [{"role": "user", "content": [{"type": "text", "text": "?"}]}]
        written = self._processor.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False, tools=self._tools
        )
        return all(tool["function"]["name"] in written for tool in self._tools)

    def processor_for(self, prompts: Sequence[Prompt]) -> Any:
        """The processor for one call with these prompts' `text`: it reads their texts as text."""
        if all(prompt.texts is None for prompt in prompts):
            return self._processor
        changed = copy.copy(self._processor)
        changed.tokenizer = _SeparatingTokenizer(self.control, prompts)
        return changed


def tools_in_words(tools: Sequence[Mapping[str, Any]]) -> str:
    """What a system prompt says of tools where the chat template says nothing of them; calls as Hermes writes them."""
    schemas = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    return (
        f"# Tools\n\nThese functions may be called:\n<tools>\n{schemas}\n</tools>\n\n"
        "To call one, write a JSON object with its name and arguments:\n"
        '<tool_call>\n{"name": …, "arguments": {…}}\n</tool_call>'
    )


def _filled(marked: str, texts: Sequence[str]) -> str:
    return MARK.sub(lambda found: texts[int(found[1])], marked)


@dataclass(frozen=True)
class ReadPrompt:
    """Token ids, and where in the prompt's `text` each of the template's control tokens stands: (start, end, index)."""

    ids: list[int]
    control: list[tuple[int, int, int]]


def read_apart(control: ControlTokens, prompt: Prompt) -> ReadPrompt:
    """Token ids of a prompt with marks: control tokens between them as such, the texts as text. Raises DataError."""
    texts = prompt.texts or ()
    ids: list[int] = []
    places: list[tuple[int, int, int]] = []
    waiting = ""  # text since the last control token
    start = 0
    for found in [*MARK.finditer(prompt.text), None]:
        own = prompt.text[start : found.start() if found else None]
        told = control.tokenizer(own, add_special_tokens=False, return_offsets_mapping=True)
        done = 0
        for token, (first, last) in zip(told["input_ids"], told["offset_mapping"], strict=True):
            if token in control.ids:
                ids += control.read_apart(waiting + own[done:first], prompt.place)
                places.append((start + first, start + last, len(ids)))
                ids.append(token)
                waiting, done = "", last
        waiting += own[done:]
        if found:
            waiting += texts[int(found[1])]
            start = found.end()
    ids += control.read_apart(waiting, prompt.place)
    return ReadPrompt(ids, places)


class _SeparatingTokenizer:
    """A tokenizer for one call of a processor: prompts come with images expanded and marks in place of their texts."""

    def __init__(self, control: ControlTokens, prompts: Sequence[Prompt]) -> None:
        self._control, self._prompts = control, prompts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._control.tokenizer, name)

    def __call__(self, text: str | Sequence[str], **_: Any) -> _Encoding:
        expanded = [text] if isinstance(text, str) else text
        rows = [
            read_apart(self._control, Prompt(prompt.place, one, prompt.texts))
            for prompt, one in zip(self._prompts, expanded, strict=True)
        ]
        return _Encoding(rows)


class _Encoding(dict[str, Any]):
    """What a processor asks of a tokenizer's output."""

    def __init__(self, rows: Sequence[ReadPrompt]) -> None:
        super().__init__(input_ids=[row.ids for row in rows], attention_mask=[[1] * len(row.ids) for row in rows])
        self._rows = rows

    def char_to_token(self, row: int, char: int) -> int | None:
        """The control token at a character; the images of a prompt begin and end with one."""
        return next((i for start, end, i in self._rows[row].control if start <= char < end), None)
