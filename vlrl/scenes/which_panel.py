"""Domain `which_panel`: four pictures and a description that fits one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import NAMED, PAPERS, Canvas, Point
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.scenes.figures import FIGURES, figure
from vlrl.types import Draft

COLOURS = tuple(NAMED)[:6]
RELATIONS = ("left of", "right of", "above", "below")


@domain("which_panel", family="multi_image")
@dataclass(frozen=True)
class WhichPanel:
    """In which picture is the red disc left of the blue star? All four show the same figures.

    size  pixels of each picture, square
    """

    size: int = 160

    verifier = "choice"

    def __post_init__(self) -> None:
        check_at_least("domain 'which_panel', size", self.size, 64)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """Four pictures. Difficulty 0: two figures; 1: six, and a second relation decides among similar ones."""
        count = scaled((2, 6), difficulty)
        forms = [pick(rng, FIGURES) for _ in range(count)]
        colours = [pick(rng, COLOURS) for _ in range(count)]
        while len({(f, c) for f, c in zip(forms, colours, strict=True)}) < count:
            colours = [pick(rng, COLOURS) for _ in range(count)]
        asked = [(0, 1)] if difficulty < 0.6 else [(0, 1), (0, 2)]
        claims = [(a, pick(rng, RELATIONS), b) for a, b in asked]
        panels: list[list[Point]] = []
        right = int(rng.integers(4))
        for panel in range(4):
            while True:
                cells = rng.permutation(16)[:count].tolist()
                places = [
                    (12.5 + cell % 4 * 25 + float(dx), 12.5 + cell // 4 * 25 + float(dy))
                    for cell, (dx, dy) in zip(cells, rng.uniform(-2.5, 2.5, size=(count, 2)), strict=True)
                ]
                hold = [_holds(cells[a], word, cells[b]) for a, word, b in claims]
                # of two claims a wrong panel mostly keeps one: the whole description has to be read
                if all(hold) if panel == right else not all(hold) and (len(hold) == 1 or any(hold)):
                    break
            panels.append(places)
        names = [f"{c} {f}" for f, c in zip(forms, colours, strict=True)]
        words = " and ".join(f"{word} the {names[b]}" for _, word, b in claims)
        question = pick(
            rng, ("In which picture is the {} {}: A, B, C or D?", "Which picture shows the {} {}: A, B, C or D?")
        ).format(names[0], words)
        pictures = []
        for places in panels:
            canvas = Canvas(self.size, pick(rng, PAPERS))
            for form, colour, place in zip(forms, colours, places, strict=True):
                figure(canvas, form, place, 7.5, NAMED[colour])
            pictures.append(canvas.image())
        answer = "ABCD"[right]
        layout = [piece for i in range(4) for piece in (f"{'ABCD'[i]}:", i)]
        return Draft(
            question,
            answer,
            tuple(pictures),
            f"picture {answer}",
            facts={"choices": list("ABCD")},
            layout=(*layout, question),
            chance=0.25,
        )


def _holds(cell: int, word: str, other: int) -> bool:
    """Whether a cell of the 4 × 4 grid lies so from another one, by whole columns or rows."""
    (down, right), (other_down, other_right) = divmod(cell, 4), divmod(other, 4)
    return {
        "left of": right < other_right,
        "right of": right > other_right,
        "above": down < other_down,
        "below": down > other_down,
    }[word]
