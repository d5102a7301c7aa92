r"""The words of a formula in LaTeX: numbers, commands, letters, signs; which commands are letters or functions."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]{1,12}(?:\.[0-9]{1,12})?(?![0-9.])|\.[0-9]{1,12}(?![0-9.]))|(?P<command>\\[A-Za-z]+)"
    r"|(?P<letter>[A-Za-zπ])|(?P<sign>[-+*/^_!=°(){}\[\]]))"
)
GREEK = frozenset(
    (
        "\\alpha", "\\beta", "\\gamma", "\\delta", "\\epsilon", "\\varepsilon", "\\zeta", "\\eta", "\\theta",
        "\\vartheta", "\\kappa", "\\lambda", "\\mu", "\\nu", "\\xi", "\\rho", "\\sigma", "\\tau", "\\phi",
        "\\varphi", "\\chi", "\\psi", "\\omega", "\\Gamma", "\\Delta", "\\Theta", "\\Lambda", "\\Sigma", "\\Phi",
        "\\Psi", "\\Omega", "\\hbar", "\\ell",
    )
)  # fmt: skip
INVERSES = {f"\\arc{name}": f"a{name}" for name in ("sin", "cos", "tan")}
FUNCTIONS = frozenset((*INVERSES, "\\sin", "\\cos", "\\tan", "\\cot", "\\sec", "\\csc", "\\ln", "\\log", "\\exp"))
ANGLES = frozenset(("\\angle", "\\measuredangle"))
FRACTIONS = frozenset(("\\frac", "\\dfrac", "\\tfrac", "\\cfrac"))


class UnreadError(ValueError):
    """The text is no formula of this kind, or can be read in two ways."""


def tokens_of(text: str, pattern: re.Pattern[str] = _TOKEN) -> list[str]:
    """The tokens of a text, each with what is skipped before it; raises UnreadError where something else is in it."""
    tokens: list[str] = []
    position = 0
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            raise UnreadError
        if token := match[str(match.lastgroup)]:
            tokens.append(token.replace("\\pi", "π"))
        position = match.end()
    return tokens
