"""Domain `line_trend`: how often do lines rise, fall, cross, and for how long?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, WHITE, Canvas
from vlrl.scenes.chart_frame import BOTTOM, LEFT, RIGHT, grid_lines, height_of, legend
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.types import Draft

LEVELS = 10
RISES = (
    "How many times does{0} value {1} from one year to the next?",
    "Count the years in which{0} value {1}s compared with the year before.",
)
RUNS = (
    "A step goes from one year to the next. In how many steps in a row, at most, does{0} value {1}?",
    "How long, in steps from one year to the next, is the longest run in which{0} value keeps {2}?",
)
ABOVE = (
    "In how many years is the {0} line above the {1} one?",
    "Count the years in which the {0} line has a higher value than the {1} one.",
)
CROSSINGS = (
    "How many times do the {0} and the {1} line cross?",
    "How many times does the lead change between the {0} and the {1} line?",
)


@domain("line_trend", family="charts")
@dataclass(frozen=True)
class LineTrend:
    """Trends of lines over years; the thought names every step: `up up down up: 3`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "neighbouring years differ, no two lines share a point, and runs are counted in steps between years"

    def __post_init__(self) -> None:
        check_at_least("domain 'line_trend', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One chart. Difficulty 0: rises of one line of five years; .5: runs, eight years; 1: crossings, ten years."""
        years = scaled((5, 10), difficulty)
        kind = (
            "steps"
            if difficulty < 0.3
            else pick(rng, ("steps", "runs", "above") if difficulty < 0.7 else ("runs", "above", "crossings"))
        )
        lines = 1 if difficulty < 0.3 else scaled((2, 3), difficulty) if difficulty >= 0.7 else 2
        steps = years - 1
        names = shuffled(rng, ("red", "blue", "green", "purple", "orange"))[:lines]
        one, other = names[:2] if lines > 1 else (names[0], "")
        rising = bool(rng.integers(2))
        values = [_walk(rng, _signs(rng, int(rng.integers(steps + 1)), steps)) for _ in names]
        if kind == "above" or kind == "crossings":
            most = years if kind == "above" else min(steps, 7)
            above = _pattern(rng, int(rng.integers(most + 1)), years, kind)
            values[:2] = _two_lines(rng, above)
        for i in range(2, lines):  # a third line never hides a point
            for year in range(years):
                while values[i][year] in [values[j][year] for j in range(i)]:
                    values[i][year] = int(rng.integers(LEVELS + 1))
        if lines > 1 and kind in ("steps", "runs"):
            values[1] = [v if v != w else (w + 5) % (LEVELS + 1) for v, w in zip(values[1], values[0], strict=True)]
        moves = ["up" if b > a else "down" for a, b in pairwise(values[0])]
        wanted, verb = ("up", "rise") if rising else ("down", "fall")
        whose = f" the {one}" if lines > 1 else " the"
        if kind == "steps":
            answer, text = (
                moves.count(wanted),
                pick(rng, RISES).format(whose, verb),
            )
            thought = f"{' '.join(moves)}: {answer}"
        elif kind == "runs":
            answer = longest_run(moves, wanted)
            text = pick(rng, RUNS).format(whose, verb, f"{'ris' if rising else 'fall'}ing")
            thought = f"{' '.join(moves)}: {answer}"
        else:
            leads = ["above" if a > b else "below" for a, b in zip(values[0], values[1], strict=True)]
            answer = leads.count("above") if kind == "above" else sum(a != b for a, b in pairwise(leads))
            text = pick(rng, ABOVE if kind == "above" else CROSSINGS).format(one, other)
            thought = f"{' '.join(leads)}: {answer}"

        canvas = Canvas(self.size, WHITE)
        grid_lines(canvas, LEVELS, pick(rng, (1, 2, 5, 10)))
        first, across = int(rng.integers(1990, 2020)), (RIGHT - LEFT - 8) / steps
        for i in range(years):
            canvas.text(
                (LEFT + 4 + i * across, BOTTOM + 4.5), f"'{(first + i) % 100:02d}", 4.4 if years < 8 else 3.8, INK
            )
        for name, row in zip(names, values, strict=True):
            places = [(LEFT + 4 + i * across, height_of(level, LEVELS)) for i, level in enumerate(row)]
            canvas.curve(places, NAMED[name], 0.9)
            for place in places:
                canvas.disc(place, 1.4, NAMED[name], WHITE, 0.3)
        if lines > 1:
            legend(canvas, [(name, NAMED[name]) for name in names])
        return Draft(text, str(answer), (canvas.image(),), thought)


def longest_run(moves: list[str], wanted: str) -> int:
    """How many equal neighbours of the wanted kind the longest run has; 0 where there is none."""
    return max((len(list(run)) for move, run in groupby(moves) if move == wanted), default=0)


def _signs(rng: np.random.Generator, ups: int, steps: int) -> list[int]:
    return shuffled(rng, [1] * ups + [-1] * (steps - ups))


def _walk(rng: np.random.Generator, signs: list[int]) -> list[int]:
    """Levels in 0..LEVELS, no two neighbours equal, that rise and fall as asked."""
    heights = np.cumsum([0, *(sign * int(rng.integers(1, 4)) for sign in signs)])
    low, high = int(heights.min()), int(heights.max())
    if high - low > LEVELS:
        heights = np.cumsum([0, *signs])
        low, high = int(heights.min()), int(heights.max())
    base = int(rng.integers(LEVELS - (high - low) + 1)) - low
    return [int(h) + base for h in heights]


def _pattern(rng: np.random.Generator, amount: int, years: int, kind: str) -> list[bool]:
    """Whether the first line is above, year by year: in `amount` years, or with `amount` changes."""
    if kind == "above":
        return [i < amount for i in rng.permutation(years).tolist()]
    changes = set(rng.permutation(years - 1)[:amount].tolist())
    lead, found = bool(rng.integers(2)), []
    for year in range(years):
        found.append(lead)
        lead = lead != (year in changes)
    return found


def _two_lines(rng: np.random.Generator, above: list[bool]) -> list[list[int]]:
    pairs = [np.sort(rng.permutation(LEVELS + 1)[:2]).tolist() for _ in above]
    upper, lower = [high for _, high in pairs], [low for low, _ in pairs]
    first = [u if lead else d for u, d, lead in zip(upper, lower, above, strict=True)]
    second = [d if lead else u for u, d, lead in zip(upper, lower, above, strict=True)]
    return [first, second]
