"""Domain `tangle`: follow one line through a tangle to its end."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, Point
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

LETTERS = "ABCDEF"


@domain("tangle", family="paths")
@dataclass(frozen=True)
class Tangle:
    """Where does line 2 end? The thought gives its place after each crossing stage: `2 1 1 3 C`.

    size  pixels, square
    """

    size: int = 288

    verifier = "choice"
    one_answer = "every line has one lower end, and a pale rim keeps lines that cross apart"

    def __post_init__(self) -> None:
        check_at_least("domain 'tangle', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One tangle. Difficulty 0: three lines in three colours, two stages; 1: six in one colour, five stages."""
        lines, stages = scaled((3, 6), difficulty), scaled((2, 5), difficulty)
        one_colour = difficulty >= 0.4
        tracks = [list(range(lines))]  # tracks[s][line] is the place of the line after stage s
        for _ in range(stages):
            swapped = list(range(lines))
            first = int(rng.integers(2))
            for left in range(first, lines - 1, 2):
                if rng.random() < 0.75:
                    swapped[left], swapped[left + 1] = swapped[left + 1], swapped[left]
            tracks.append([swapped[place] for place in tracks[-1]])
        final = rng.permutation(lines).tolist()  # a last, wide stage, so that every end is alike likely
        tracks.append([final[place] for place in tracks[-1]])
        asked = int(rng.integers(lines))
        answer = LETTERS[tracks[-1][asked]]

        canvas = Canvas(self.size, pick(rng, PAPERS))
        colours = [pick(rng, tuple(NAMED.values()))] * lines if one_colour else list(NAMED.values())
        for line in range(lines):
            places = [self._place(track[line], stage, lines, stages + 1) for stage, track in enumerate(tracks)]
            path = np.concatenate([_eased(a, b) for a, b in pairwise(places)])
            canvas.curve(path, WHITE, 2.2)  # a pale rim keeps crossing lines apart
            canvas.curve(path, colours[line], 1.1)
        for place in range(lines):
            top, bottom = (self._place(place, s, lines, stages + 1) for s in (0, stages + 1))
            canvas.disc((top[0], top[1] - 4), 3.8, INK)
            canvas.text((top[0], top[1] - 4), str(place + 1), 5, WHITE, bold=True)
            canvas.box(bottom[0] - 3.8, bottom[1], bottom[0] + 3.8, bottom[1] + 7.6, INK)
            canvas.text((bottom[0], bottom[1] + 3.8), LETTERS[place], 5, WHITE, bold=True)
        choices = list(LETTERS[:lines])
        names = f"{', '.join(choices[:-1])} or {choices[-1]}"
        question = pick(rng, ("Where does line {} end: {}?", "Follow line {} down. Which letter does it reach: {}?"))
        thought = " ".join(str(track[asked] + 1) for track in tracks) + f" {answer}"
        return Draft(
            question.format(asked + 1, names),
            answer,
            (canvas.image(),),
            thought,
            metadata={"choices": choices},
            guess_rate=1 / lines,
        )

    @staticmethod
    def _place(place: int, stage: int, lines: int, last: int) -> Point:
        return 50 + (place - (lines - 1) / 2) * 84 / lines, 12 + 74 * (stage / (last + 0.8) if stage < last else 1.0)


_SHARES = np.linspace(0, 1, 10)


def _eased(start: Point, end: Point) -> np.ndarray:
    """Points (10, 2) of a smooth S from one place down to the next, vertical at both ends."""
    across = _SHARES * _SHARES * (3 - 2 * _SHARES)
    return np.stack([start[0] + (end[0] - start[0]) * across, start[1] + (end[1] - start[1]) * _SHARES], axis=1)
