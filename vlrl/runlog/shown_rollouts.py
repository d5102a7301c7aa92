"""A few rollouts of a logged step as a tracker shows them: question, gold, response, reward, and the image's file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlrl.types import ScoredGroup

GROUPS, RESPONSES = 4, 2  # shown of a step
LONGEST = 2000  # characters of a text


@dataclass(frozen=True)
class ShownRollout:
    """One response. `image` is the file of the problem's first image, None without one."""

    question: str
    answer: str
    response: str
    reward: float
    correct: bool
    image: Path | None = None

    @property
    def caption(self) -> str:
        """Reward and gold in a line."""
        return f"reward {self.reward:.3g}, gold {self.answer[:80]}"

    def opened(self) -> Any:
        """The image, None without one or where its file can't be read."""
        import PIL.Image

        try:
            return None if self.image is None else PIL.Image.open(self.image).convert("RGB")
        except OSError:
            return None

    def pixels(self) -> Any:
        """(H, W, 3) of the image; None as in `opened`."""
        import numpy as np

        image = self.opened()
        return None if image is None else np.asarray(image)


def shown_of(groups: Sequence[ScoredGroup], image_file: Callable[[str], Path | None]) -> list[ShownRollout]:
    """The first responses of the first groups; `image_file` finds an image's file by its digest."""
    return [
        ShownRollout(
            group.problem.question[:LONGEST],
            group.problem.answer[:LONGEST],
            rollout.text[:LONGEST],
            float(group.rewards[number]),
            group.correct[number],
            next((image_file(image.digest) for image in group.problem.images), None),
        )
        for group in groups[:GROUPS]
        for number, rollout in enumerate(group.rollouts[:RESPONSES])
    ]


def as_markdown(shown: Sequence[ShownRollout]) -> str:
    """Rollouts as text: what models write is quoted as code, so that nothing of it is read as markup."""
    parts = []
    for one in shown:
        fence = "`" * max(3, 1 + max((len(run) for run in _backticks(one.question + one.response)), default=0))
        verdict = "right" if one.correct else "wrong"
        quoted = "\n\n".join(f"{fence}\n{text}\n{fence}" for text in (one.question, one.response))
        parts.append(f"**{verdict}**, {one.caption.replace('|', '/')}\n\n{quoted}")
    return "\n\n---\n\n".join(parts)


def _backticks(text: str) -> list[str]:
    import re

    return re.findall(r"`+", text)
