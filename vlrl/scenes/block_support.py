"""Domain `block_support`: which blocks of a wall rest on a given one?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, PAPERS, WHITE, Canvas, mixed
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

WIDE = 12  # units across the wall
WORDINGS = (
    "How many blocks rest on the red block, directly or through other blocks?",
    "The red block is pulled out. How many blocks rest on it, directly or on top of such a block?",
    "Count the blocks that the red block carries, directly or through others.",
)
Block = tuple[int, int, int]  # layer, first unit, first unit after it


@domain("block_support", family="mechanics")
@dataclass(frozen=True)
class BlockSupport:
    """Support passes upwards: whatever touches a carried block from above is carried. The thought: `2+1=3` by layers.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "blocks that touch do so over a whole unit or more, so what rests on what is plain"

    def __post_init__(self) -> None:
        check_at_least("domain 'block_support', size", self.size, 96)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One wall. Difficulty 0: two layers; .5: four; 1: five or six, of smaller blocks."""
        layers = scaled((2, 5), difficulty) + (difficulty >= 0.9 and int(rng.integers(2)))
        widest = 5 if difficulty < 0.3 else 4
        while True:
            wall = _wall(rng, layers, widest)
            carried = {block: _carried(wall, block) for block in wall if block[0] < layers - 1}
            by_count: dict[int, list[Block]] = {}
            for block, above in carried.items():
                by_count.setdefault(len(above), []).append(block)
            if len(by_count) > 1:
                break
        answer = pick(rng, sorted(by_count))
        red = pick(rng, by_count[answer])
        canvas = Canvas(self.size, pick(rng, PAPERS))
        unit, height = 88 / WIDE, min(15.0, 80 / layers)
        floor = 50 + height * layers / 2
        canvas.box(2, floor, 98, floor + 2.5, GREY)
        colours = [NAMED["yellow"], NAMED["blue"], NAMED["green"], NAMED["purple"], NAMED["brown"]]
        for block in wall:
            layer, left, right = block
            colour = NAMED["red"] if block == red else mixed(pick(rng, colours), WHITE, 0.55)
            bottom = floor - layer * height
            x, far = 6 + left * unit + 0.25, 6 + right * unit - 0.25
            canvas.box(x, bottom - height + 0.3, far, bottom, colour, mixed(colour, INK, 0.5))
            canvas.line(
                (x + 1, bottom - height + 1.6), (far - 1, bottom - height + 1.6), mixed(colour, WHITE, 0.5), 0.5
            )
        by_layer = [sum(b[0] == layer for b in carried[red]) for layer in range(red[0] + 1, layers)]
        terms = [n for n in by_layer if n] or [0]
        thought = f"{'+'.join(map(str, terms))}={answer}" if len(terms) > 1 else f"above it {answer}"
        return Draft(pick(rng, WORDINGS), str(answer), (canvas.image(),), thought)


def _wall(rng: np.random.Generator, layers: int, widest: int) -> list[Block]:
    """Layers of blocks, each block on something; upper layers have gaps and get narrower."""
    wall: list[Block] = []
    below = [True] * WIDE
    for layer in range(layers):
        at, filled = int(rng.integers(2)), [False] * WIDE
        while at < WIDE:
            width = int(rng.integers(2, widest + 1))
            end = min(at + width, WIDE)
            middle = (at + end - 1) / 2
            held = [i for i in range(at, end) if below[i]]
            firm = held and held[0] <= middle <= held[-1]
            if end - at >= 2 and firm and (layer == 0 or rng.random() < 0.85):
                wall.append((layer, at, end))
                filled[at:end] = [True] * (end - at)
                at = end + (int(rng.integers(2)) if layer else 0)
            else:
                at += 1
        below = filled
    return wall


def _carried(wall: list[Block], block: Block) -> set[Block]:
    """All blocks that rest on `block`, directly or through others."""
    carried: set[Block] = set()
    front = [block]
    while front:
        layer, left, right = front.pop()
        for other in wall:
            if other[0] == layer + 1 and other[1] < right and left < other[2] and other not in carried:
                carried.add(other)
                front.append(other)
    return carried
