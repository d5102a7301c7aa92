r"""One exact form of a formula: a quotient of two sums of independent products. Equal forms are equal formulas.

A sum is a mapping from products to rational coefficients. A product is `√n` with n free of squares, times whole powers
of atoms: unknowns, π, e, and whatever is not taken apart (a cube root, `\ln x`, `2^x`), named by the form of its
inside. Every step is an identity: the distributive law, `√n √m = gcd √(nm/gcd²)`, `\tan = \sin/\cos`,
`\sin² = 1 - \cos²`, `a^{-x} = 1/a^x`. So a/b and c/d are one formula where ad and bc have the same terms, wherever they
have a value. That no more identities are known (not `\sin 2x`, not `e^x e^y = e^{x+y}`) can only leave equal formulas
undecided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from vlrl.verify.math.formula import Tree

MAX_TERMS = 48
MAX_SIZE = 10**40  # of numerators and denominators on the way
MAX_FACTOR = 2000  # of the number under a root that is tried
MAX_POWER = 12  # to which a sum is multiplied out

Powers = tuple[tuple[str, int], ...]  # atoms with their exponents, sorted; no zero exponents
Terms = dict[tuple[int, Powers], Fraction]  # (square-free n, powers) → coefficient; no zero coefficients

ONE: Terms = {(1, ()): Fraction(1)}


class TooLargeError(ValueError):
    """The formula has no form within bounds, or divides by zero."""


@dataclass(frozen=True)
class Quotient:
    """top / bottom; bottom has terms, and is 1 where it would have one term without a sine."""

    top: Terms
    bottom: Terms

    @property
    def rational(self) -> Fraction | None:
        """The value, where it is a rational number."""
        if self.bottom != ONE or set(self.top) - {(1, ())}:
            return None
        return self.top.get((1, ()), Fraction(0))

    def key(self) -> str:
        """A name for the form: formulas with one name are equal."""
        bottom = sorted(self.bottom.items())
        scale = 1 / bottom[0][1]
        tops = sorted((k, v * scale) for k, v in self.top.items())
        if self.bottom == ONE:
            return _written(tops)
        return f"({_written(tops)})/({_written([(k, v * scale) for k, v in bottom])})"


def same_form(one: Tree, other: Tree) -> bool:
    """Whether two trees are one formula by the identities above; False says only that they do not show it."""
    try:
        a, b = normal_form(one), normal_form(other)
        return _times(a.top, b.bottom) == _times(b.top, a.bottom)
    except TooLargeError:
        return False


def normal_form(tree: Tree) -> Quotient:
    """The form of a tree. Raises TooLargeError if it has none within bounds."""
    kind = tree[0]
    if kind == "number":
        return _number(tree[1])
    if kind in ("unknown", "constant"):
        return _atom(tree[1])
    if kind == "sum":
        total = _number(Fraction(0))
        for part in tree[1]:
            total = _add(total, normal_form(part))
        return total
    if kind == "product":
        total = _number(Fraction(1))
        for part in tree[1]:
            total = _multiply(total, normal_form(part))
        return total
    if kind == "quotient":
        return _multiply(normal_form(tree[1]), _inverse(normal_form(tree[2])))
    if kind == "power":
        return _raised(normal_form(tree[1]), normal_form(tree[2]))
    if kind == "root":
        return _root(normal_form(tree[1]), tree[2])
    if kind == "function":
        return _function(tree[1], normal_form(tree[2]))
    start, end, body = (normal_form(part).key() for part in tree[2:])  # a series
    return _atom(f"sum({tree[1]};{start};{end};{body})")


def _written(terms: list[tuple[tuple[int, Powers], Fraction]]) -> str:
    return "+".join(f"{c}√{n}" + "".join(f"[{name}]^{k}" for name, k in powers) for (n, powers), c in terms) or "0"


def _number(value: Fraction) -> Quotient:
    return Quotient(_checked({(1, ()): value}), ONE)


def _atom(name: str) -> Quotient:
    return Quotient({(1, ((name, 1),)): Fraction(1)}, ONE)


def _checked(terms: Terms) -> Terms:
    terms = {key: value for key, value in terms.items() if value}
    if len(terms) > MAX_TERMS or any(max(abs(v.numerator), v.denominator) > MAX_SIZE for v in terms.values()):
        raise TooLargeError
    return terms


def _plus(one: Terms, other: Terms) -> Terms:
    total = dict(one)
    for key, value in other.items():
        total[key] = total.get(key, Fraction(0)) + value
    return _checked(total)


def _times(one: Terms, other: Terms) -> Terms:
    if len(one) * len(other) > MAX_TERMS**2:
        raise TooLargeError
    total: Terms = {}
    for (n, powers), value in one.items():
        for (m, others), factor in other.items():
            shared = math.gcd(n, m)  # √n·√m = gcd·√(n/gcd · m/gcd), and that is square-free again
            key = (n // shared * (m // shared), _joined(powers, others))
            total[key] = total.get(key, Fraction(0)) + value * factor * shared
    return _without_squared_sines(_checked(total))


def _without_squared_sines(terms: Terms) -> Terms:
    """Every sin² as 1 - cos² of the same argument."""
    for (n, powers), value in terms.items():
        for name, exponent in powers:
            if name.startswith("sin(") and exponent >= 2:
                rest = _joined(powers, ((name, -2),))
                cosine = _joined(rest, (("cos" + name[3:], 2),))
                others = {key: v for key, v in terms.items() if key != (n, powers)}
                return _without_squared_sines(_plus(_plus(others, {(n, rest): value}), {(n, cosine): -value}))
    return terms


def _joined(one: Powers, other: Powers) -> Powers:
    total = dict(one)
    for name, exponent in other:
        total[name] = total.get(name, 0) + exponent
    if any(abs(exponent) > 1000 for exponent in total.values()):
        raise TooLargeError
    return tuple(sorted((name, exponent) for name, exponent in total.items() if exponent))


def _settled(top: Terms, bottom: Terms) -> Quotient:
    """top / bottom with a bottom of one term moved up: products have inverses."""
    if not bottom:
        raise TooLargeError
    if len(bottom) > 1:
        return Quotient(top, bottom)
    (((n, powers), value),) = bottom.items()
    if any(name.startswith("sin(") for name, _ in powers):
        return Quotient(top, bottom)  # sin^-2 would have two forms
    inverse: Terms = {(n, tuple((name, -k) for name, k in powers)): 1 / (value * n)}  # 1/√n = √n/n
    return Quotient(_times(top, inverse), ONE)


def _add(one: Quotient, other: Quotient) -> Quotient:
    if one.bottom == other.bottom:
        return _settled(_plus(one.top, other.top), one.bottom)
    top = _plus(_times(one.top, other.bottom), _times(other.top, one.bottom))
    return _settled(top, _times(one.bottom, other.bottom))


def _multiply(one: Quotient, other: Quotient) -> Quotient:
    return _settled(_times(one.top, other.top), _times(one.bottom, other.bottom))


def _inverse(value: Quotient) -> Quotient:
    return _settled(value.bottom, value.top)


def _raised(base: Quotient, exponent: Quotient) -> Quotient:
    """base^exponent; a power that is not taken apart is an atom, with the sign of the exponent outside."""
    power = exponent.rational
    if power is None:
        leading = min(exponent.top.items())[1] / min(exponent.bottom.items())[1]
        if leading < 0:
            opposite = Quotient(_times(exponent.top, {(1, ()): Fraction(-1)}), exponent.bottom)
            return _inverse(_atom(f"power({base.key()};{opposite.key()})"))
        return _atom(f"power({base.key()};{exponent.key()})")
    if power.denominator > 9:
        raise TooLargeError
    if power < 0:
        return _inverse(_raised(base, _number(-power)))
    if power.denominator > 1:
        return _raised(_root(base, power.denominator), _number(Fraction(power.numerator)))
    if power == 0 and not base.top:
        raise TooLargeError
    count = int(power)
    if count > MAX_POWER and (len(base.top) > 1 or base.bottom != ONE or count > 200):
        raise TooLargeError
    value = _number(Fraction(1))
    for bit in bin(count)[2:]:
        value = _multiply(value, value)
        if bit == "1":
            value = _multiply(value, base)
    return value


def _root(inside: Quotient, degree: int) -> Quotient:
    value = inside.rational
    if value is None:
        return _atom(f"root{degree}({inside.key()})")
    if value < 0:
        raise TooLargeError
    if value == 0:
        return inside
    if degree == 2:
        outside, free = _square_part(value.numerator * value.denominator)  # √(a/b) = √(ab)/b
        if free:
            return Quotient(_checked({(free, ()): Fraction(outside, value.denominator)}), ONE)
    top, bottom = _whole_root(value.numerator, degree), _whole_root(value.denominator, degree)
    if top and bottom:
        return _number(Fraction(top, bottom))
    return _atom(f"root{degree}({value})")


def _whole_root(n: int, degree: int) -> int:
    """The whole number whose power n is; 0 if there is none."""
    near = round(n ** (1 / degree))
    return next((r for r in (near - 1, near, near + 1) if r > 0 and r**degree == n), 0)


def _square_part(n: int) -> tuple[int, int]:
    """(a, b) with n = a²·b and b free of squares; (0, 0) where finding out takes too long."""
    outside, free, factor = 1, 1, 2
    while factor * factor <= n:
        if factor > MAX_FACTOR:
            if n > MAX_FACTOR**3:  # it may have three factors or more, and two of them may be equal
                return 0, 0
            root = math.isqrt(n)
            return (outside * root, free) if root * root == n else (outside, free * n)
        power = 0
        while n % factor == 0:
            n //= factor
            power += 1
        outside *= factor ** (power // 2)
        free *= factor ** (power % 2)
        factor += 1
    return outside, free * n


def _function(name: str, argument: Quotient) -> Quotient:
    if name == "ln":
        return _atom(f"ln({argument.key()})")
    sine, cosine = _atom(f"sin({argument.key()})"), _atom(f"cos({argument.key()})")
    forms = {
        "sin": lambda: sine,
        "cos": lambda: cosine,
        "tan": lambda: _multiply(sine, _inverse(cosine)),
        "cot": lambda: _multiply(cosine, _inverse(sine)),
        "sec": lambda: _inverse(cosine),
        "csc": lambda: _inverse(sine),
    }
    return forms[name]()
