"""What stands behind a turn of the policy: the results of its calls, as the chat template writes them.

A response is tokens that are only ever appended to. What an environment says is appended by the template's own rules:
the template is asked for a conversation with a stand-in for the policy's turn, and what it writes behind the stand-in
is what is read. The turn itself is never rendered again, so that it stays the tokens that were sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from vlrl.errors import ConfigError
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.prompt_text import MARK, Prompt
from vlrl.types import Image, Text

TURN = "\ue002"  # stands for the policy's turn: a private character, which no template writes
Pieces = Sequence[Text | Image]


@dataclass(frozen=True)
class Observation:
    """What an environment says behind one turn of the policy.

    messages        results in order, each of texts and images
    place           for errors: which episode
    ended           whether the policy ended its turn with an end token, which then isn't written again
    policy_version  of the turn
    """

    messages: tuple[tuple[Text | Image, ...], ...]
    place: str
    ended: bool = True
    policy_version: int = 0

    @property
    def images(self) -> tuple[Image, ...]:
        """In reading order."""
        return tuple(piece for message in self.messages for piece in message if isinstance(piece, Image))

    @property
    def text(self) -> str:
        """All of it as one text; every image appears as `<image>`."""
        written = ("".join(p.text if isinstance(p, Text) else "<image>" for p in message) for message in self.messages)
        return "\n".join(written)


class ObservationWriter:
    """Writes observations with one model's chat template, as messages of the role `tool` where the template speaks of
    tools and shows images in them, else of the role `user` between `<tool_response>` and `</tool_response>`: a template
    that writes any role would write one that its model has never read.
    """

    def __init__(self, loaded: LoadedModel, image_token: int | None) -> None:
        self._processor, self._tokenizer = loaded.processor, loaded.tokenizer
        self._image_token = image_token
        self._roles = ("tool", "user") if "tool" in loaded.chat_template else ("user",)
        self._tails: dict[tuple[tuple[bool, ...], ...], str] = {}

    def write(self, observation: Observation) -> Prompt:
        """The text behind the policy's turn up to where its next one begins, with marks in place of texts. It begins
        with the token that ends a turn. Raises ConfigError for a template that can't be used so.
        """
        kinds = tuple(tuple(isinstance(piece, Text) for piece in message) for message in observation.messages)
        if kinds not in self._tails:
            self._tails[kinds] = self._tail(kinds)
        texts = [piece.text for message in observation.messages for piece in message if isinstance(piece, Text)]
        return Prompt(observation.place, self._tails[kinds], tuple(texts))

    def _tail(self, kinds: tuple[tuple[bool, ...], ...]) -> str:
        why = []
        for role in self._roles:
            try:
                whole, alone = self._render(self._messages(kinds, role), True), self._render([], False)
            except (TemplateError, TypeError, ValueError, KeyError) as error:
                why.append(f"role {role}: {type(error).__name__}: {error}")
                continue
            if problem := self._problem(kinds, whole, alone):
                why.append(f"role {role}: {problem}")
                continue
            return whole.partition(TURN)[2]
        raise ConfigError(
            "model.path, chat template",
            f"can't write what a tool returns ({'; '.join(why)})",
            "take a model whose chat template knows turns after the assistant's, or mend its template",
        )

    def _problem(self, kinds: tuple[tuple[bool, ...], ...], whole: str, alone: str) -> str | None:
        """Why the template's text can't be used; None where it can."""
        if whole.count(TURN) != 1 or alone.count(TURN) != 1:
            return "the assistant's text isn't in it as it was given"
        tail, end = whole.partition(TURN)[2], alone.partition(TURN)[2]
        if not end or not tail.startswith(end):
            return "what ends the assistant's turn changes with the messages behind it"
        if [int(found[1]) for found in MARK.finditer(tail)] != list(range(sum(map(sum, kinds)))) or "'type'" in tail:
            return "it doesn't write the texts of a message as they are"
        images = sum(not is_text for message in kinds for is_text in message)
        ids = self._tokenizer(tail, add_special_tokens=False)["input_ids"]
        if sum(i == self._image_token for i in ids) != images:
            return f"it writes {sum(i == self._image_token for i in ids)} of {images} images"
        return None

    def _messages(self, kinds: tuple[tuple[bool, ...], ...], role: str) -> list[dict[str, Any]]:
        number, messages = 0, []
        for message in kinds:
            content: list[dict[str, str]] = []
            for is_text in message:
                content.append({"type": "text", "text": f"\ue000{number}\ue001"} if is_text else {"type": "image"})
                number += is_text
            if role == "user":
                around = ("<tool_response>\n", "\n</tool_response>")
                first, last = ({"type": "text", "text": text} for text in around)
                content = [first, *content, last]
            messages.append({"role": role, "content": content})
        return messages

    def _render(self, behind: Sequence[dict[str, Any]], more: bool) -> str:
        """The conversation up to the policy's turn and what stands `behind` it; with `more`, up to its next one."""
        before: list[dict[str, Any]] = [
            {"role": "user", "content": [{"type": "text", "text": "?"}]},
            {"role": "assistant", "content": [{"type": "text", "text": TURN}]},
        ]
        written: str = self._processor.apply_chat_template(
            [*before, *behind], add_generation_prompt=more, tokenize=False
        )
        return written
