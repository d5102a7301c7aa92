"""Domain `ring_walk`: a walk on a ring of ten numbers, one symbol a move. The answer needs every step on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vlrl.errors import ConfigError, did_you_mean
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_span, pick, scaled
from vlrl.types import Draft

# Each maps 0..9 onto itself, so that all answers are alike likely; ~ and * don't commute with the rest, so that the
# moves can't be counted in any order.
MOVES: dict[str, Callable[[int], int]] = {
    "+": lambda x: (x + 1) % 10,
    "-": lambda x: (x - 1) % 10,
    "^": lambda x: (x + 5) % 10,
    "~": lambda x: 9 - x,
    "*": lambda x: 3 * x % 10,
}
Step = tuple[int, str, int]  # value before, move, value after


def values_only(steps: Sequence[Step]) -> str:
    """`546`: one token a step; which move is next has to be counted."""
    return "".join(str(after) for _, _, after in steps)


def with_moves(steps: Sequence[Step]) -> str:
    """`+5-4~5`: two tokens a step, the move and where it leads."""
    return "".join(f"{move}{after}" for _, move, after in steps)


def in_words(steps: Sequence[Step]) -> str:
    """`+to5,-to4,~to5`: the same in twice as many tokens, and nothing more said."""
    return ",".join(f"{move}to{after}" for _, move, after in steps)


def in_loose_words(steps: Sequence[Step]) -> str:
    """`+ to 5, - to 4, ~ to 5`: three times as many, most of them spaces."""
    return ", ".join(f"{move} to {after}" for _, move, after in steps)


def checked(steps: Sequence[Step]) -> str:
    """`+5-4~5;+5-4~5`: worked out, then gone through once more."""
    return f"{with_moves(steps)};{with_moves(steps)}"


def unworked(steps: Sequence[Step]) -> str:
    """Nothing: the answer alone."""
    return ""


STYLES: dict[str, Callable[[Sequence[Step]], str]] = {
    "none": unworked,
    "values": values_only,
    "moves": with_moves,
    "words": in_words,
    "loose": in_loose_words,
    "checked": checked,
}


@domain("ring_walk", family="walks", modality="text")
@dataclass(frozen=True)
class RingWalk:
    """`4+-~?` with a thought in one of several styles, e.g. `+5-4~5`.

    moves   number of moves at difficulty 0 and 1
    kinds   which moves occur: + one on, - one back, ^ to the opposite, ~ mirrored (9 − x), * three times the number
    styles  how demonstrations are worked out, one drawn for each: none, values, moves, words, loose, checked
    """

    moves: tuple[int, int] = (2, 7)
    kinds: str = "+-^~"
    styles: tuple[str, ...] = ("moves",)

    verifier = "number"
    one_answer = "every symbol maps a number to one number"

    def __post_init__(self) -> None:
        check_span("domain 'ring_walk', moves", self.moves, 1, 40)
        if not self.kinds or set(self.kinds) - set(MOVES):
            raise ConfigError("domain 'ring_walk', kinds", f"got {self.kinds!r}", f"use some of {' '.join(MOVES)}")
        for style in self.styles:
            if style not in STYLES:
                raise ConfigError(
                    "domain 'ring_walk', styles", f"no style {style!r}", did_you_mean(style, list(STYLES))
                )
        if not self.styles:
            raise ConfigError("domain 'ring_walk', styles", "is empty", f"name some of: {', '.join(STYLES)}")

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One walk. Difficulty 0: moves[0] moves; 1: moves[1] moves. The style is drawn last."""
        start = value = int(rng.integers(10))
        steps: list[Step] = []
        for _ in range(scaled(self.moves, difficulty)):
            move = pick(rng, self.kinds)
            after = MOVES[move](value)
            steps.append((value, move, after))
            value = after
        question = f"{start}{''.join(move for _, move, _ in steps)}?"
        return Draft(question, str(value), thought=STYLES[pick(rng, self.styles)](steps))
