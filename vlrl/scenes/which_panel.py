"""Domain `which_panel`: four images and a description that fits one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlrl.scenes.canvas import NAMED, PAPERS, Canvas, Point
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.scenes.figures import FIGURES, figure
from vlrl.types import Draft

COLOURS = tuple(NAMED)[:6]
RELATIONS = {
    "to the left of": (0, 1),
    "to the right of": (0, -1),
    "above": (1, 1),
    "below": (1, -1),
}  # axis, sign of the gap
CLEAR = 12.0  # hundredths of the image that two figures are apart along an axis that is asked about
Claim = tuple[int, str, int]  # figure, relation, other figure


@domain("which_panel", family="multi_image")
@dataclass(frozen=True)
class WhichPanel:
    """In which image is the red disc left of the blue star? All four show the same figures.

    size  pixels of each image, square
    """

    size: int = 160

    verifier = "choice"

    def __post_init__(self) -> None:
        check_at_least("domain 'which_panel', size", self.size, 64)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """Four images. Difficulty 0: two figures; 1: six, and a second relation decides among similar ones."""
        count = scaled((2, 6), difficulty)
        forms = [pick(rng, FIGURES) for _ in range(count)]
        colours = [pick(rng, COLOURS) for _ in range(count)]
        while len({(f, c) for f, c in zip(forms, colours, strict=True)}) < count:
            colours = [pick(rng, COLOURS) for _ in range(count)]
        asked = [(0, 1)] if difficulty < 0.6 else [(0, 1), (0, 2)]
        claims: list[Claim] = [(a, pick(rng, tuple(RELATIONS)), b) for a, b in asked]
        panels: list[list[Point]] = []
        right = int(rng.integers(4))
        for panel in range(4):
            while True:
                cells = rng.permutation(16)[:count].tolist()
                places = [
                    (12.5 + cell % 4 * 25 + float(dx), 12.5 + cell // 4 * 25 + float(dy))
                    for cell, (dx, dy) in zip(cells, rng.uniform(-2.5, 2.5, size=(count, 2)), strict=True)
                ]
                gaps = [_gap(places, claim) for claim in claims]
                hold = [gap > 0 for gap in gaps]
                # of two claims a wrong panel mostly keeps one: the whole description has to be read
                wanted = all(hold) if panel == right else not all(hold) and (len(hold) == 1 or any(hold))
                if wanted and min(map(abs, gaps)) >= CLEAR:
                    break
            panels.append(places)
        names = [f"{c} {f}" for f, c in zip(forms, colours, strict=True)]
        words = " and ".join(f"{word} the {names[b]}" for _, word, b in claims)
        question = pick(
            rng, ("In which image is the {} {}: A, B, C or D?", "Which image shows the {} {}: A, B, C or D?")
        ).format(names[0], words)
        images = []
        for places in panels:
            canvas = Canvas(self.size, pick(rng, PAPERS))
            for form, colour, place in zip(forms, colours, places, strict=True):
                figure(canvas, form, place, 7.5, NAMED[colour])
            images.append(canvas.image())
        answer = "ABCD"[right]
        layout = [piece for i in range(4) for piece in (f"{'ABCD'[i]}:", i)]
        return Draft(
            question,
            answer,
            tuple(images),
            f"picture {answer}",
            metadata={"choices": list("ABCD")},
            layout=(*layout, question),
            guess_rate=0.25,
            scene={"panels": panels, "claims": claims},
        )

    def answers(self, scene: Any) -> set[str]:
        """The panels in which every claim holds, or fails by less than half of what two figures are clearly apart."""
        panels, claims = scene["panels"], scene["claims"]
        held = [all(_gap(places, claim) > -CLEAR / 2 for claim in claims) for places in panels]
        return {letter for letter, holds in zip("ABCD", held, strict=True) if holds}


def _gap(places: list[Point], claim: Claim) -> float:
    """How far the first figure of a claim lies from the second in the claimed direction; below 0: the other way."""
    first, word, second = claim
    axis, sign = RELATIONS[word]
    return sign * (places[second][axis] - places[first][axis])
