"""The options of a question, as they are shown in its prompt."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vlrl.data.rows.placeholders import LETTERS


@dataclass(frozen=True)
class Options:
    """The options of a question in order.

    labels   as the row gave them; empty where it gave none
    numbers  whether the row holds the options as numbers, so that a number among them is meant as such
    """

    texts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    numbers: bool = False

    def __bool__(self) -> bool:
        return bool(self.texts)

    @property
    def listed(self) -> str:
        """The options as a prompt shows them, a line each."""
        return "".join(f"\n({LETTERS[i]}) {text}" for i, text in enumerate(self.texts))

    def shown_in(self, text: str) -> bool:
        """Whether a question already lists all options, each behind its letter, one after another."""
        space = r"\s+"
        parts = [
            rf"[(\[]?{LETTERS[i]}\s?[)\].:]+\s*{space.join(map(re.escape, option.split()))}"
            for i, option in enumerate(self.texts)
        ]
        return re.search(r"(?<![\w.])" + r"[\s,;.|]*(?:\b(?:and|or)\b\s*)?".join(parts), text) is not None

    def letters_in(self, text: str) -> list[str]:
        """The letters behind which a question lists these options in another order; empty where it doesn't."""
        letters = []
        for option in self.texts:
            words = r"\s+".join(map(re.escape, option.split()))
            match = re.search(rf"(?<![\w.])[(\[]?([A-Z])\s?[)\].:]+\s*{words}(?!\w)", text)
            letters.append(match[1] if match else "")
        in_order = list(LETTERS[: len(letters)])
        return letters if letters != in_order and sorted(letters) == in_order else []
