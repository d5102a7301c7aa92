"""Domain `depth_scene`: things on a floor seen in perspective; what is behind, in front, nearest, truly larger?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, WHITE, Canvas, Colour, mixed
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, either, pick, scaled, shuffled
from vlrl.types import Draft

KINDS = ("ball", "box", "cone")
HORIZON = 30.0
FLOORS: tuple[Colour, ...] = ((226, 214, 196), (212, 220, 226), (214, 224, 208))
WALLS: tuple[Colour, ...] = ((244, 241, 236), (238, 243, 248), (243, 239, 246))


@domain("depth_scene", family="space")
@dataclass(frozen=True)
class DepthScene:
    """Which thing is behind another? The thought names the things from the front to the back.

    size  pixels, square
    """

    size: int = 288

    verifier = "choice"
    one_answer = "every foot can be seen, and those of neighbours in depth stand clearly apart"

    def __post_init__(self) -> None:
        check_at_least("domain 'depth_scene', size", self.size, 96)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One room. Difficulty 0: three things of one size; .5: four; 1: five, of misleading sizes, by rank."""
        count = scaled((3, 5), difficulty)
        names = shuffled(rng, tuple(NAMED)[:6])[:count]  # from the front to the back
        kinds = [pick(rng, KINDS) for _ in names]
        sizes = [1.0 if difficulty < 0.3 else float(rng.uniform(0.7, 1.35)) for _ in names]
        places = _places(rng, sizes)
        nouns = [f"{n} {k}" for n, k in zip(names, kinds, strict=True)]
        if difficulty < 0.3:
            rank = pick(rng, (0, count - 1))
            question = (
                pick(rng, ("Which thing is nearest to the viewer", "Which thing stands in front of all others"))
                if rank == 0
                else pick(rng, ("Which thing is farthest from the viewer", "Which thing stands behind all others"))
            )
        elif difficulty < 0.75:
            rank = int(rng.integers(count))
            behind = rank > 0 and (rank == count - 1 or bool(rng.integers(2)))
            known = nouns[rank - 1] if behind else nouns[rank + 1]
            word = "behind" if behind else "in front of"
            question = pick(
                rng,
                (
                    "Which thing comes directly {0} the {1} in depth",
                    "In depth, which thing is the next one {0} the {1}",
                ),
            )
            question = question.format(word, known)
        else:
            rank = int(rng.integers(count))
            order = ("first", "second", "third", "fourth", "fifth")
            if rng.random() < 0.5:
                question = f"Counted from the front, which thing stands {order[rank]}"
            else:
                question = f"Counted from the back, which thing stands {order[count - 1 - rank]}"
        answer = nouns[rank]
        asked = [n for n in nouns if n not in question]
        choices = shuffled(rng, asked)

        floor, wall = pick(rng, FLOORS), pick(rng, WALLS)
        canvas = Canvas(self.size, wall)
        canvas.box(0, HORIZON, 100, 100, floor)
        line = mixed(floor, INK, 0.18)
        for i in range(-12, 13):  # boards that run to the vanishing point
            canvas.line((50 + i * 4, HORIZON), (50 + i * 18, 100), line, 0.3)
        canvas.line((0, HORIZON), (100, HORIZON), mixed(wall, INK, 0.3), 0.5)
        for i in reversed(range(count)):  # what is near is drawn last and may hide what is far
            x, ground, half = places[i]
            _thing(canvas, kinds[i], x, ground, half, NAMED[names[i]], floor)
        thought = f"front to back: {', '.join(names)}. {answer}"
        return Draft(
            f"{question}: {either(choices)}?",
            answer,
            (canvas.image(),),
            thought,
            metadata={"choices": choices},
            guess_rate=1 / len(choices),
        )


def _places(rng: np.random.Generator, sizes: list[float]) -> list[tuple[float, float, float]]:
    """Where each thing's foot is and half its width, from the front to the back; every foot can be seen."""
    count = len(sizes)
    while True:
        places = []
        for i, (column, (a, b)) in enumerate(zip(rng.permutation(count).tolist(), rng.random((count, 2)), strict=True)):
            ground = 94 - (94 - HORIZON - 14) * (i + 0.3 * float(a)) / (count - 0.7)
            scale = (ground - HORIZON) / (94 - HORIZON)
            half = (4.5 + 8.5 * scale) * sizes[i]
            spread = 62 + 18 * scale
            x = 50 + ((column + 0.5 + 0.5 * (float(b) - 0.5)) / count - 0.5) * spread
            places.append((x, ground, half))
        if all(
            abs(x - near_x) > near_half * 1.1 or ground < near_ground - near_half * 2.2
            for i, (x, ground, _) in enumerate(places)
            for near_x, near_ground, near_half in places[:i]
        ):
            return places


def _thing(canvas: Canvas, kind: str, x: float, ground: float, half: float, colour: Colour, floor: Colour) -> None:
    """A thing of width 2 × half whose foot stands at `ground`; light comes from above left."""
    shadow = mixed(floor, INK, 0.3)
    angles = np.linspace(0, 2 * np.pi, 32)
    rim = np.stack([x + half * 0.25 + half * 1.1 * np.cos(angles), ground + half * 0.22 * np.sin(angles)], axis=1)
    canvas.polygon(list(map(tuple, rim.tolist())), shadow)
    light, dark = mixed(colour, WHITE, 0.35), mixed(colour, INK, 0.35)
    if kind == "ball":
        canvas.disc((x, ground - half), half, dark)
        for share in (0.94, 0.86, 0.74, 0.58, 0.4):
            shift = (1 - share) * half * 0.62
            shade = mixed(dark, light, (1 - share) / 0.6)
            canvas.disc((x - shift, ground - half - shift), half * share, shade)
        canvas.disc((x - half * 0.42, ground - half * 1.42), half * 0.14, mixed(light, WHITE, 0.6))
    elif kind == "box":
        top, lift, slant = ground - half * 1.6, half * 0.45, half * 0.5
        canvas.polygon([(x - half, top), (x + half * 0.6, top), (x + half * 0.6, ground), (x - half, ground)], colour)
        canvas.polygon(
            [
                (x - half, top),
                (x - half + slant, top - lift),
                (x + half * 0.6 + slant, top - lift),
                (x + half * 0.6, top),
            ],
            light,
        )
        side = [(x + half * 0.6, top), (x + half * 0.6 + slant, top - lift)]
        canvas.polygon([*side, (x + half * 0.6 + slant, ground - lift), (x + half * 0.6, ground)], dark)
    else:
        foot = [(x + half * float(np.cos(a)), ground + half * 0.2 * float(np.sin(a))) for a in angles[:17]]
        canvas.polygon([(x, ground - half * 2.1), *foot], colour)
        canvas.polygon([(x, ground - half * 2.1), *foot[:8]], dark)
