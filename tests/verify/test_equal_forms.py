"""Metamorphic properties over generated values: an equal form stays equal, every one-step change makes it different."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction

import pytest
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

CASES = 3000
Case = tuple[str, str, str, str]  # verifier, question, gold, response

WRAPPERS = [
    "{}",
    "<answer>{}</answer>",
    "\\boxed{{{}}}",
    "The answer is {}.",
    "**{}**",
    "${}$",
    "答案：{}",
    "Ответ: {}",
]
ANSWERS = [
    "The answer is {}.", "Answer: {}", "答案是{}。", "所以答案是 {}", "答えは{}です。", "정답은 {}입니다.", "Ответ: {}",
    "La réponse est {}.",
    "Die Antwort ist {}.", "La respuesta es {}.", "A resposta é {}.", "الإجابة هي {}", "Therefore, the answer is {}.",
    "So x = {}.",
]  # fmt: skip
STATED = [
    "There are {} apples left.", "So, there are {} apples.",
    "Initially there are 10 plums. In the end {} apples are left.",
    "The gap between the two piles is {} apples.", "Thus the count is **{}**.", "因此，共有{}个。",
    "したがって、{}個です。",
    "Donc, il y a {} pommes.", "Por lo tanto, hay {} manzanas.", "Итак, всего {} яблок.",
]  # fmt: skip
UNIT_FORMS = ["\\text{{ {}}}", "\\mathrm{{~{}}}", "\\textnormal{{ {}}}", "\\,\\text{{{}}}", "{}"]
LENGTHS = {"mm": Fraction(1, 1000), "cm": Fraction(1, 100), "m": Fraction(1), "km": Fraction(1000)}
TIMES = {"s": Fraction(1), "min": Fraction(60), "h": Fraction(3600)}
NAMES = ["x", "y", "a", "n", "AB", "CD", "k_1"]


def written(value: Fraction) -> str:
    """A decimal where there is a finite one."""
    if value.denominator == 1:
        return str(value.numerator)
    digits = f"{float(value):.6f}".rstrip("0")
    return digits if Fraction(digits) == value else f"{value.numerator}/{value.denominator}"


def grouped(value: int, mark: str) -> str:
    return f"{value:,}".replace(",", mark)


def equal_numbers(rng: random.Random) -> Iterator[Case]:
    value = rng.choice([rng.randint(2, 99), rng.randint(1000, 99_999_999), -rng.randint(2, 9999)])
    decimal = Fraction(rng.randint(1, 99_999), 100)
    forms = [str(value), f"{value}.0", grouped(value, ","), grouped(value, " "), grouped(value, "{,}"), grouped(value,
    ",\\!"),
             f"\\text{{{value}}}", f"{value * 3}/3", f"\\frac{{{value * 2}}}{{2}}", f"{value}e0", f"x = {value}",
             str(value).translate(str.maketrans("0123456789", "０１２３４５６７８９")), f"{value} apples"]  # fmt: skip
    if value >= 1000:
        forms.append(grouped(value, "."))
    for verifier in ("number", "math"):
        yield verifier, "How many apples?", str(value), rng.choice(WRAPPERS).format(rng.choice(forms))
        yield verifier, "What is it?", written(decimal), written(decimal).replace(".", ",")
        yield (
            verifier,
            "What is it?",
            f"{value}%",
            f"{value} {rng.choice(['%', 'percent', 'per cent', 'Prozent', 'pct'])}",
        )
    yield "number", "How many apples are left?", str(abs(value)), rng.choice(ANSWERS).format(abs(value))
    yield "number", "How many apples are left?", str(abs(value)), rng.choice(STATED).format(abs(value))
    millions = rng.randint(11, 99)
    scaled = rng.choice([f"{millions / 10} million", f"{millions * 10}万", f"{millions} lakh", f"{millions / 10}M"])
    yield "number", "How many?", str(millions * 100_000), scaled


def equal_units(rng: random.Random) -> Iterator[Case]:
    table = rng.choice([LENGTHS, TIMES])
    one, other = rng.sample(sorted(table), 2)
    value = rng.randint(2, 90) * 36
    converted = written(value * table[one] / table[other])
    for verifier in ("number", "math"):
        yield verifier, "How much?", f"{value} {one}", f"{value} {one}"
        if "/" not in converted:
            yield verifier, "How much?", f"{value} {one}", f"{converted} {rng.choice(UNIT_FORMS).format(other)}"


def equal_structures(rng: random.Random) -> Iterator[Case]:
    values = rng.sample(range(-20, 60), 3)
    shuffled = rng.sample(values, 3)
    names = rng.sample(NAMES, 2)
    yield "math", "", ", ".join(map(str, values)), "\\{" + ", ".join(map(str, shuffled)) + "\\}"
    yield "math", "", f"\\{{{values[0]},{values[1]}\\}}", f"\\boxed{{{values[1]}}} and \\boxed{{{values[0]}}}"
    yield "math", "", f"({values[0]}, {values[1]})", f"\\left({values[0]},\\,{values[1]}\\right)"
    pairs = [f"{n}={v}" for n, v in zip(names, values, strict=False)]
    yield "math", "", ", ".join(pairs), ", ".join(pairs[::-1])
    yield "math", "", pairs[0], str(values[0])
    yield "math", "", str(values[0]), pairs[0]


def changed_numbers(rng: random.Random) -> Iterator[Case]:
    value = rng.randint(2, 9999)
    changes = [
        str(value + 1), str(value * 10), str(value * 1000), f"{value} million", f"{value} thousand", f"{value}k",
            f"-{value}",
        f"{value} plus 1", f"{value} hundredths", f"half of {value}", f"{value} dozen", f"{value}\\mathrm{{e}}",
        f"{value} squared",
        f"{value}!", f"{value}^2", f"2x = {value}", f"x^2 = {value}", f"1/x = {value}", f"{value + 3} = {value}",
        f"{value}+1",
        f"{value} or {value + 1}", f"not {value}", f"{value}-{value + 1}", f"{value} x", f"{value} more than that",
        f"{value}万",
        f"\\sqrt{{{value + 1}}}", f"({value}, {value + 1})", f"{value}, {value + 1}", f"{value} per thousand",
        f"{value} red and {value + 1} blue", f"I reject {value}", f"{value} is wrong", f"maybe {value}", f"x > {value}",
    ]  # fmt: skip
    for verifier in ("number", "math"):
        yield verifier, "What is it?", str(value), rng.choice(WRAPPERS[:4]).format(rng.choice(changes))
        yield verifier, f"Is it {value} or not?", str(value + 1), f"Is it {value} or not? {value}"
        yield verifier, "", f"{value} cm", f"{value} {rng.choice(['m', 'mm', 'km', 'kg', 's', 'cm^2'])}"
        yield verifier, "", f"{value}%", rng.choice([f"{value} cm", f"{value * 10}%", f"{value}‰"])
    yield "math", "", f"2^{{-{value % 90 + 30}}}", rng.choice(["0", f"2^{{-{value % 90 + 31}}}"])
    day = f"{rng.randint(1990, 2030)}-{rng.randint(10, 12)}-{rng.randint(10, 28)}"
    year, month, date = map(int, day.split("-"))
    yield "math", "", str(year - month - date), day
    hour, minute = rng.randint(1, 11) * 2, rng.randint(5, 29) * 2
    yield "math", "", f"{hour}:{minute:02}", f"{hour // 2}:{minute // 2:02}"


def changed_structures(rng: random.Random) -> Iterator[Case]:
    values = rng.sample(range(2, 60), 3)
    names = rng.sample(NAMES, 2)
    yield (
        "math",
        "",
        f"{names[0]}={values[0]}, {names[1]}={values[1]}",
        f"{names[0]}={values[1]}, {names[1]}={values[0]}",
    )
    yield "math", "", f"{names[0]}={values[0]}", f"{names[1]}={values[0]}"
    yield "math", "", f"{values[0]}, {values[1]}", f"{values[0]}, {values[1]}, {values[1]}"
    yield "math", "", f"({values[0]}, {values[1]})", f"({values[1]}, {values[0]})"
    yield "math", "", f"\\{{{values[0]}, {values[1]}\\}}", f"\\boxed{{{values[0]}}} or \\boxed{{{values[2]}}}"
    yield "list", "", f"[{values[0]}, {values[1]}]", f"[{values[0]}, {values[1]}, {values[2]}]"


TEXTS = ["a crow", "a blue jay", "a robin", "an owl"]
LETTER_FORMS = ["{}", "({})", "{}.", "**{}**", "Option {}", "\\boxed{{{}}}", "The answer is {}.",
"答案是{}", "故选{}。",
    "正解は{}です。",
                "정답은 {}입니다.", "La bonne réponse est {}.", "Die richtige Antwort ist {}.", "Правильный ответ: {}",
                "La respuesta correcta es {}.", "A resposta correta é ({}).", "الإجابة الصحيحة هي {}",
                "The correct option letter is {}."]  # fmt: skip


def choices(rng: random.Random) -> tuple[str, str, str, str]:
    """(gold letter, gold text, another letter, another text)."""
    texts = rng.sample(TEXTS, 4)
    gold, other = rng.sample(range(4), 2)
    return "ABCD"[gold], texts[gold], "ABCD"[other], texts[other]


def run(cases: Callable[[random.Random], Iterator[Case]], right: bool) -> None:
    rng, count, failed = random.Random(0), 0, []
    while count < CASES:
        for verifier, question, gold, response in cases(rng):
            count += 1
            verdict = judge(problem(verifier, gold, question), response)
            if verdict.correct is not right or verdict.fault is not None:
                failed.append((verifier, question, gold, response, verdict.note or verdict.fault))
    assert not failed, (len(failed), failed[:20])


@pytest.mark.parametrize("cases", [equal_numbers, equal_units, equal_structures])
def test_equal_forms_stay_equal(cases: Callable[[random.Random], Iterator[Case]]):
    run(cases, True)


@pytest.mark.parametrize("cases", [changed_numbers, changed_structures])
def test_a_one_step_change_makes_them_different(cases: Callable[[random.Random], Iterator[Case]]):
    run(cases, False)


@pytest.mark.parametrize("verifier", ["choice", "mathvision", "mmmu"])
def test_a_letter_in_every_form_and_never_with_another_text(verifier: str):
    rng, failed = random.Random(1), []
    for _ in range(CASES // 6):
        texts = rng.sample(TEXTS, 4)
        gold, other = rng.sample(range(4), 2)
        asked = problem(verifier, "ABCD"[gold], choices=texts)
        letter, wrong = "ABCD"[gold], "ABCD"[other]
        forms = [f.format(letter) for f in LETTER_FORMS]
        forms += [f"{letter}: {texts[gold]}", texts[gold].upper(), f"({letter}) {texts[gold]}", f"It is {texts[gold]}."]
        changes = [f.format(wrong) for f in LETTER_FORMS]
        changes += [f"{wrong}: {texts[gold]}", f"{letter}: {texts[other]}", f"The answer is {wrong}, no, {letter}",
            texts[other],
                    f"The answer is {letter} or {wrong}.", f"{letter}, {wrong}", f"It is not {texts[gold]}.",
                    f"not {letter}"]  # fmt: skip
        for response in rng.sample(forms, 3):
            if not judge(asked, response).correct:
                failed.append(("right", texts, letter, response))
        for response in rng.sample(changes, 3):
            if judge(asked, response).correct:
                failed.append(("wrong", texts, letter, response))
    assert not failed, (len(failed), failed[:20])
