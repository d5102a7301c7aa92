"""Family `relations`: a statement about two things, the other way round; near misses have names or the word swapped."""

from __future__ import annotations

import numpy as np

from vlrl.reward_models.rewriting.family import Family, Form, Rewritten, distinct, families

THINGS = ("lamp", "chair", "box", "cup", "door", "tree", "car", "ball", "clock", "book", "plate", "shelf")
OPPOSITES = (
    ("left of", "right of"),
    ("above", "below"),
    ("larger than", "smaller than"),
    ("heavier than", "lighter than"),
    ("in front of", "behind"),
    ("older than", "newer than"),
)
Said = tuple[str, str, str]  # relation, first, second


@families.register("relations")
class Relations(Family):
    """`the lamp is left of the chair` is `the chair is right of the lamp`, and not `the chair is left of the lamp`."""

    name = "relations"

    def draw(self, rng: np.random.Generator, count: int) -> Rewritten:
        """A statement, the same the other way round, and others of the same words."""
        first, second, third = (str(one) for one in rng.permutation(list(THINGS))[:3])
        pair = OPPOSITES[int(rng.integers(len(OPPOSITES)))]
        relation = pair[int(rng.integers(2))]
        reference = _form((relation, first, second), "as given", False)
        stated = {
            "names swapped": (relation, second, first),
            "word swapped": (_opposite(relation), first, second),
            "another thing": (relation, first, third),
            "another relation": (_another(relation, rng), first, second),
        }

        def same() -> Form:
            if rng.random() < 0.5:
                return _form((relation, first, second), "article left out", True)
            return _form((_opposite(relation), second, first), "turned round", bool(rng.random() < 0.5))

        def miss() -> Form:
            how = str(rng.choice(list(stated)))
            return _form(stated[how], how, bool(rng.random() < 0.5))

        equal = distinct(same, count, reference, True)
        other = distinct(miss, count, reference, False)
        return Rewritten("How do they stand to each other?", reference, "text", equal, other)


def _form(said: Said, how: str, short: bool) -> Form:
    relation, first, second = said
    text = f"{first} {relation} {second}" if short else f"the {first} is {relation} the {second}"
    value = said if relation in {pair[0] for pair in OPPOSITES} else (_opposite(relation), second, first)
    return Form(text, value, f"{value[1]} {value[0]} {value[2]}", how)


def _opposite(relation: str) -> str:
    return next(b if a == relation else a for a, b in OPPOSITES if relation in (a, b))


def _another(relation: str, rng: np.random.Generator) -> str:
    others = [one for pair in OPPOSITES if relation not in pair for one in pair]
    return str(rng.choice(others))
