r"""Habits of writing that mean one thing: number sets, unions, rows, unit vectors, labels before a tuple, choices."""

from __future__ import annotations

import re
from math import comb, perm

NUMBER_SETS = dict(zip("RZNQC", "ℝℤℕℚℂ", strict=True))
_SPELLED = (
    (re.compile(r"\\mathbb\s*(?:\{\s*([RZNQC])\s*\}|([RZNQC])(?![A-Za-z]))"), lambda m: NUMBER_SETS[m[1] or m[2]]),
    (re.compile(r"(?i)(?:\\text\{\s*)?\ball\sreal(?:\snumber)?s(?:\s*\})?"), "ℝ"),
    (re.compile(r"(?:\{|^)\s*(\{[^{}]*\}|[^{}\\]{1,20}?)\s*\\choose\s*(\{[^{}]*\}|[^{}\\]{1,20}?)\s*(?:\}|$)"),
     lambda m: rf"\binom{{{m[1].strip('{} ')}}}{{{m[2].strip('{} ')}}}"),
    (re.compile(r"\\operatorname\s*\{\s*((?:arc)?(?:sin|cos|tan|cot|sec|csc)|ln|log|exp)\s*\}"), r"\\\1 "),
    (re.compile(r"\\bigcup(?![A-Za-z])"), r"\\cup "), (re.compile(r"\\cr(?![A-Za-z])"), r"\\\\"),
    (re.compile(r"(?<=[ℝ)\]])\s*-\s*(?=\\\{)"), r"\\setminus "),
    (re.compile(r"\\([lr])brace(?![a-z])"), lambda m: "\\{" if m[1] == "l" else "\\}"),
    (re.compile(r"\\(?:mathbf|boldsymbol|bm|hat|vec)\s*(?:\{\s*([ijk])\s*\}|([ijk])(?![A-Za-z]))"),
     lambda m: f" {m[1] or m[2]} "),
    (re.compile(r"^\s*(?:\\text\{\s*[A-Za-z ]{3,30}:\s*\}|(?:\\text\{\s*[A-Za-z ]{3,30}\s*\}|[A-Za-z][A-Za-z ]{2,30})"
                r"\s*:)\s*(?=\\?[(\[].*,.*[)\]]$)"), ""),
)  # fmt: skip
_LINES = re.compile(
    r"\\begin\{(?P<kind>cases|aligned|align\*?|gathered|split)\}(?P<body>.*)\\end\{(?P=kind)\}", re.DOTALL
)
_OUTWARD = re.compile(r"(?<![^\s,;=(p∪n∈])([\[\]])([^\[\]()]*?[,;][^\[\]()]*?)(?<!sqrt)([\[\]])")  # \cup, \in
_DROPPED = re.compile(
    r"\\(?:left|right|middle)\s*\.|\\middle(?![a-z])|\\(?:left|right)(?![a-z])|(?<!\\)\\[,;:! ]|\\displaystyle(?![a-z])"
    r"|\\[bB]igg?[lr]?(?![a-z])|\$"
)
_BAR = re.compile(r"\\[lr]?[vV]ert(?![A-Za-z])")
_QUAD = re.compile(r"\\q?quad")  # also before a letter: no command begins with it
_CHOSEN = re.compile(  # C(5, 2), _5C_2, C_5^2, \\binom{5}{2}; the same with P, and A for permutations
    r"(?<![A-Za-z\\])(?:([CP])\s*\(\s*([0-9]{1,3})\s*,\s*([0-9]{1,3})\s*\)|([CPA])_\{?([0-9]{1,3})\}?\^\{?([0-9]{1,3})\}?)"
    r"|(?:\{\}|(?<![A-Za-z0-9)}]))[_^]\{?([0-9]{1,3})\}?\s?([CP])_\{?([0-9]{1,3})\}?"
    r"|\\[dt]?binom\s*(?:\{\s*([0-9]{1,3})\s*\}|([0-9]))\s*(?:\{\s*([0-9]{1,3})\s*\}|([0-9]))"
)


def in_one_notation(text: str) -> str:
    r"""The text without sizes, spaces and a label before a tuple, "Vertex:"; with `ℝ` for `\mathbb{R}` and "all real
    numbers", `\cup` for `\bigcup`, a comma between lines, and `(1, 2)` for `]1, 2[`."""
    if "\\" in text or "(" in text or "all" in text:
        for pattern, instead in _SPELLED:
            text = pattern.sub(instead, text)
    text = _QUAD.sub(" ", _DROPPED.sub(" ", text)).strip().rstrip(".").strip().replace("−", "-")
    if "ert" in text:
        text = _BAR.sub("|", text)
    if "\\\\" in text:
        text = _LINES.sub(lambda lines: lines["body"].replace("&", ""), text)
        if "\\begin" not in text:
            text = text.replace("\\\\", ",").strip(" ,")
    return _OUTWARD.sub(_inward, text) if "[" in text or "]" in text else text


def _inward(interval: re.Match[str]) -> str:
    """`]1, 2[` as `(1, 2)`."""
    return {"]": "("}.get(interval[1], "[") + interval[2] + {"[": ")"}.get(interval[3], "]")


def with_choices(text: str) -> str:
    r"""The text with its value for `C(5, 2)`, `_5C_2`, `C_5^2`, `\binom{5}{2}` and permutations."""
    return _CHOSEN.sub(_chosen, text) if "C" in text or "P" in text or "A" in text or "binom" in text else text


def _chosen(match: re.Match[str]) -> str:
    """The number of choices, or of arrangements, in brackets; the text itself where it names none."""
    groups = [group for group in match.groups() if group is not None]
    letter = next((group for group in groups if group.isalpha()), "C")
    count, of = (int(group) for group in groups if group.isdigit())
    return f"({(comb if letter == 'C' else perm)(count, of)})" if of <= count else match[0]
