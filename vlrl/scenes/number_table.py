"""Domain `number_table`: look up, subtract or add numbers in a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import GREY, INK, PALE, WHITE, Canvas, Colour
from vlrl.scenes.chains import running_sum
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.types import Draft

PEOPLE = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jun", "Kim", "Lea")
GOODS = ("apples", "books", "cups", "drums", "eggs", "flags", "hats", "keys", "lamps", "pens")
HEADS: tuple[Colour, ...] = ((214, 228, 245), (220, 238, 220), (245, 228, 214), (232, 224, 245))


@domain("number_table", family="tables")
@dataclass(frozen=True)
class NumberTable:
    """How many cups has Ada? The thought is the arithmetic, if any: `17-9=8`.

    size  pixels, square
    """

    size: int = 336

    verifier = "number"
    one_answer = "every cell holds one whole number"

    def __post_init__(self) -> None:
        check_at_least("domain 'number_table', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One table. Difficulty 0: look up in 3 rows; .5: compare two of 5 rows; 1: add a column of 7 rows."""
        rows, columns = scaled((3, 7), difficulty), scaled((2, 4), difficulty)
        people, goods = shuffled(rng, PEOPLE)[:rows], shuffled(rng, GOODS)[:columns]
        numbers = rng.integers(1, scaled((10, 60), difficulty), size=(rows, columns)).tolist()
        column = int(rng.integers(columns))
        first, second = rng.permutation(rows)[:2].tolist()
        a, b = numbers[first][column], numbers[second][column]
        if difficulty < 0.35:
            question = pick(rng, ("How many {0} does {1} have?", "According to the table, how many {0} does {1} have?"))
            question, answer, thought = question.format(goods[column], people[first]), a, f"{people[first]} {a}"
        elif difficulty < 0.75:
            if a < b:
                first, second, a, b = second, first, b, a
            question = pick(
                rng,
                (
                    "How many more {0} does {1} have than {2}?",
                    "How many more {0} than {2} does {1} have?",
                ),
            )
            if a == b:
                question = "How many {0} do {1} and {2} have together?"
            question = question.format(goods[column], people[first], people[second])
            answer = a + b if a == b else a - b
            thought = f"{a}+{b}={answer}" if a == b else f"{a}-{b}={answer}"
        else:
            if rng.random() < 0.5:
                terms = [row[column] for row in numbers]
                question = pick(rng, ("How many {} are there in all?", "What is the total number of {}?"))
                question = question.format(goods[column])
            else:
                terms = numbers[first]
                question = pick(rng, ("How many things does {} have in all?", "Add up the row of {}.")).format(
                    people[first]
                )
            answer, thought = sum(terms), running_sum(terms)

        canvas = Canvas(self.size, WHITE)
        head, margin, name_width = pick(rng, HEADS), 4.0, 20.0
        row_height = min(15.0, (100 - 2 * margin) / (rows + 1))
        width = (100 - 2 * margin - name_width) / columns
        top = (100 - row_height * (rows + 1)) / 2
        canvas.box(margin, top, 100 - margin, top + row_height, head)
        for i in range(rows + 1):
            middle = top + (i + 0.5) * row_height
            if i and i % 2 == 0:
                canvas.box(margin, top + i * row_height, 100 - margin, top + (i + 1) * row_height, (247, 248, 250))
            if i:
                canvas.text((margin + 2, middle), people[i - 1], 5, INK, anchor="lm")
            for j in range(columns):
                place = (margin + name_width + (j + 1) * width - 2.5, middle)
                words = str(numbers[i - 1][j]) if i else goods[j]
                canvas.text(place, words, 5 if i else 4.6 if columns < 4 else 4.1, INK, bold=not i, anchor="rm")
        for i in range(rows + 2):
            y = top + i * row_height
            canvas.line((margin, y), (100 - margin, y), GREY if i in (0, 1, rows + 1) else PALE, 0.3)
        return Draft(question, str(answer), (canvas.image(),), thought)
