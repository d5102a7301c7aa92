r"""Ours and math-verify on generated pairs: ten kinds of answers, half of them equal to the gold and half not.

    python scripts/bench/generated_pairs.py [--pairs 400] [--seed 0] [--json]

Both judge `gold` and `\boxed{answer}`; math-verify as its README says, `verify(parse(gold), parse(answer))`, the gold
in dollar signs, without which it reads no LaTeX. Whether a pair is equal is known from how it was made. Printed are the
right verdicts by kind and every pair on which ours is wrong. Needs no data; exit status 1 where ours refuses an equal
answer that math-verify accepts.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.types import Problem, Text
from vlrl.verify.judge import judge

Made = tuple[str, str, str]  # gold, an equal answer, another answer


@dataclass(frozen=True)
class Pair:
    """One gold and one answer, and whether they are equal."""

    kind: str
    gold: str
    answer: str
    equal: bool


def numbers(rng: random.Random) -> Made:
    """Separators of thousands, words of scale, full-width digits, scientific notation."""
    n = rng.randint(1001, 99_999) * 100
    written = (f"{n:,}", f"{n:,}".replace(",", "{,}"), f"{n:,}".replace(",", " "), f"{n / 1e6:.4f} million", f"{n}.0")
    other = (f"{n + 1:,}", f"{n} million", f"{n * 10:,}", f"-{n:,}", f"{n / 1e5:.3f} million")
    return str(n), rng.choice(written), rng.choice(other)


def fractions(rng: random.Random) -> Made:
    """Fractions, mixed numbers, decimals that end."""
    a, b, k = rng.randint(2, 9), rng.choice([4, 5, 8, 20, 25]), rng.randint(2, 5)
    a = a * b + rng.randint(1, b - 1)
    equal = (rf"\dfrac{{{a * k}}}{{{b * k}}}", f"{a / b:g}", f"{a}/{b}", rf"{a // b}\frac{{{a % b}}}{{{b}}}")
    other = (
        rf"\frac{{{b}}}{{{a}}}",
        f"{a / b + 0.01:g}",
        rf"{a // b + 1}\frac{{{a % b}}}{{{b}}}",
        rf"-\frac{{{a}}}{{{b}}}",
    )
    return rf"\frac{{{a}}}{{{b}}}", rng.choice(equal), rng.choice(other)


def roots(rng: random.Random) -> Made:
    """Roots and their multiples, rational denominators, π."""
    a, b = rng.randint(2, 9), rng.choice([2, 3, 5, 7])
    equal = (
        rf"\sqrt{{{a * a * b}}}",
        rf"\frac{{{a * b}}}{{\sqrt{{{b}}}}}",
        rf"\sqrt{{{b}}}\cdot {a}",
        rf"{a}\sqrt {b}",
    )
    other = (rf"\sqrt{{{a * b}}}", rf"{a + 1}\sqrt{{{b}}}", rf"{a}\sqrt[3]{{{b}}}", rf"\frac{{{a}}}{{\sqrt{{{b}}}}}")
    return rf"{a}\sqrt{{{b}}}", rng.choice(equal), rng.choice(other)


def polynomials(rng: random.Random) -> Made:
    """Polynomials multiplied out, in another order, in factors."""
    a, b = rng.sample(range(1, 10), 2)
    gold = f"x^2+{a + b}x+{a * b}"
    equal = (f"(x+{a})(x+{b})", f"{a * b}+{a + b}x+x^2", f"x(x+{a + b})+{a * b}", f"x^{{2}} + {a * b} + {a + b} x")
    other = (f"(x+{a})(x-{b})", f"x^2+{a + b}x+{a * b + 1}", f"x^2-{a + b}x+{a * b}", f"y^2+{a + b}y+{a * b}")
    return gold, rng.choice(equal), rng.choice(other)


def sets(rng: random.Random) -> Made:
    """Sets and lists in any order."""
    a, b, c = rng.sample(range(-9, 30), 3)
    equal = (rf"\{{{c}, {a}, {b}\}}", f"{b}, {c}, {a}", rf"{a},\ {c} \text{{ and }} {b}", rf"x \in \{{{a},{b},{c}\}}")
    other = (rf"\{{{a}, {b}\}}", f"{a}, {b}, {c + 1}", rf"{a}, {b}, {c}, {c}", rf"({c}, {a}, {b})")
    return rf"\{{{a}, {b}, {c}\}}", rng.choice(equal), rng.choice(other)


def intervals(rng: random.Random) -> Made:
    """Intervals and unions, infinite ones, French brackets."""
    a, b = sorted(rng.sample(range(-9, 10), 2))
    gold = rf"(-\infty, {a}] \cup ({b}, \infty)"
    equal = (
        rf"\left(-\infty,{a}\right]\cup\left({b},+\infty\right)",
        rf"({b}, \infty) \cup (-\infty, {a}]",
        rf"]-\infty, {a}] \cup ]{b}, +\infty[",
        rf"x \in (-\infty, {a}] \cup ({b}, \infty)",
    )
    other = (
        rf"(-\infty, {a}) \cup ({b}, \infty)",
        rf"(-\infty, {a}] \cup [{b}, \infty)",
        rf"(-\infty, {a}]",
        rf"(-\infty, {a - 1}] \cup ({b}, \infty)",
    )
    return gold, rng.choice(equal), rng.choice(other)


def named_values(rng: random.Random) -> Made:
    """`x = 5, y = 6`."""
    a, b = rng.sample(range(1, 60), 2)
    equal = (f"y={b}, x={a}", rf"x={a} \text{{ and }} y={b}", f"({a}, {b})", rf"x={a},\quad y=\frac{{{2 * b}}}{{2}}")
    other = (f"x={b}, y={a}", rf"x={a} \text{{ or }} y={b}", f"({b}, {a})", f"x={a}, z={b}")
    return f"x={a}, y={b}", rng.choice(equal), rng.choice(other)


def units(rng: random.Random) -> Made:
    """Units, converted and spelled in their ways."""
    n = rng.randint(2, 90)
    equal = (
        rf"{n}\text{{ meters}}",
        rf"{n}\,\mathrm{{m}}",
        rf"{n * 100}\text{{ cm}}",
        f"{n / 1000:g} km",
        f"{n} metres",
    )
    other = (rf"{n}\text{{ cm}}", rf"{n}\text{{ kg}}", f"{n} km", rf"{n}\text{{ m}}^2", f"{n * 10} m")
    return rf"{n}\text{{ m}}", rng.choice(equal), rng.choice(other)


def percent(rng: random.Random) -> Made:
    """Percentages."""
    n = rng.randint(2, 98)
    equal = (rf"{n}\%", f"{n} percent", f"{n / 100:g}", f"{n}.0%")
    other = (rf"{n * 10}\%", rf"{n / 100:g}\%", f"{n + 1} percent", f"{n / 1000:g}")
    return rf"{n}\%", rng.choice(equal), rng.choice(other)


def relations(rng: random.Random) -> Made:
    """Equations and inequalities."""
    a, b = rng.randint(2, 9), rng.randint(1, 9)
    if rng.random() < 0.5:
        equal = (f"{a}x-y+{b}=0", f"{a}x+{b}=y", f"y-{b}={a}x", f"2y={2 * a}x+{2 * b}")
        other = (f"y={b}x+{a + 10}", f"y={a}x-{b}", f"x={a}y+{b}", f"y={a}x+{b + 1}")
        return f"y={a}x+{b}", rng.choice(equal), rng.choice(other)
    equal = (rf"{b} \ge x", rf"x \leq {b}", rf"x-{b} \le 0", rf"-x \geqslant -{b}")
    other = (rf"x < {b}", rf"x \ge {b}", rf"x \le {b + 1}", rf"{b} \le x")
    return rf"x \le {b}", rng.choice(equal), rng.choice(other)


KINDS: tuple[Callable[[random.Random], Made], ...] = (
    numbers, fractions, roots, polynomials, sets, intervals, named_values, units, percent, relations,
)  # fmt: skip


def pairs(count: int, seed: int) -> list[Pair]:
    """The same number of pairs of every kind, equal and unequal ones in turn."""
    rng = random.Random(seed)
    made: list[Pair] = []
    for kind in KINDS:
        for number in range(count // len(KINDS)):
            gold, equal, other = kind(rng)
            made.append(Pair(kind.__name__, gold, other if number % 2 else equal, number % 2 == 0))
    return made


def by_math_verify() -> Callable[[Pair], bool]:
    """math-verify as its README calls it."""
    import math_verify

    logging.disable(logging.CRITICAL)
    return lambda pair: bool(
        math_verify.verify(math_verify.parse(f"${pair.gold}$"), math_verify.parse(rf"\boxed{{{pair.answer}}}"))
    )


def ours(pair: Pair) -> bool:
    """Our verifier; a fault is raised."""
    verdict = judge(Problem((Text(""),), pair.gold, "math", "text", "bench"), rf"\boxed{{{pair.answer}}}")
    if verdict.fault is not None:
        raise AssertionError(f"{pair}: {verdict.fault}")
    return verdict.correct


def main() -> int:
    """Prints the table and the pairs that differ."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--pairs", type=int, default=400)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    theirs = by_math_verify()
    made = pairs(given.pairs, given.seed)
    verdicts = [(pair, ours(pair), theirs(pair)) for pair in made]
    counts = Counter(pair.kind for pair in made)
    right = [Counter(pair.kind for pair, *found in verdicts if found[side] is pair.equal) for side in (0, 1)]
    lost = [(pair, mine) for pair, mine, other in verdicts if mine is not pair.equal and other is pair.equal]
    result: dict[str, Any] = {
        kind: {"pairs": count, "ours": right[0][kind], "math-verify": right[1][kind]} for kind, count in counts.items()
    }
    if given.json:
        print(json.dumps(result))
    else:
        print(f"{'kind':14} {'pairs':>6} {'ours':>6} {'math-verify':>12}")
        for kind, row in result.items():
            print(f"{kind:14} {row['pairs']:6} {row['ours']:6} {row['math-verify']:12}")
        for pair, mine, _ in verdicts:
            if mine is not pair.equal:
                print(f"ours is wrong: {pair.kind}: gold {pair.gold!r}, answer {pair.answer!r}, equal: {pair.equal}")
    return 1 if any(pair.equal for pair, _ in lost) else 0


if __name__ == "__main__":
    raise SystemExit(main())
