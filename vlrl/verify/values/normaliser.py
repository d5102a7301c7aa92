r"""One spelling for the text of an answer: what people and models write differently and mean alike.

`clean` serves the grammar of values: full-width and other scripts' digits, dashes, superscripts (`²` → `^2`), vulgar
fractions, LaTeX wrappers (`\text…{}`, `\mathrm{}`), LaTeX spacing (`\!`, `\,`, `~`), `\frac` and `°` in one form,
and markup around the whole. `normalise` serves the comparison of words.
"""

from __future__ import annotations

import re
import unicodedata

_VULGAR = {c: unicodedata.normalize("NFKC", c).replace("⁄", "/") for c in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+")
_SUBSCRIPTS = str.maketrans({c: f"_{d}" for c, d in zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True)})
_BEFORE = str.maketrans(
    "º˚∘−‐‑‒–﹣－⁄∕∶٫٬。、‘’′״”“ʹ", "°°°-------//:.,.,'''\"\"\"'", "".join(map(chr, range(0x64B, 0x653)))
)  # the last: the vowel signs of Arabic
_WRAP = re.compile(
    r"\\(?:text[a-z]*|math(?:rm|bf|it|sf|tt|normal|bb|cal|frak)|mbox|hbox|operatorname\*?|emph|boldsymbol|bm|underline)"
    r"\s?\{((?:[^{}]|\{[^{}]*\})*)\}"
)
_COLON = re.compile(r"\{:\}|\\colon(?![A-Za-z])")
_THOUSANDS_LATEX = re.compile(r"\{,\}(?:\\!)?\s*|,\s*\\!\s*")
_REWRITTEN = re.compile(r"\\(?!frac\{)|~|\{[,:]\}")
_NOTHING = re.compile(r"\\(?:left|right|displaystyle|checkmark|rm|bf|it|limits|big[lr]?|Big[lr]?|!)(?![A-Za-z])\.?|\\!")
_BLANK = re.compile(r"\\(?:[,;:> ]|q?quad(?![a-z])|thinspace|enspace|hspace\{[^{}]*\})|(?<=\S)~(?=\S)")
_DEGREE = re.compile(r"\^?\s?\{?\s?\\(?:circ|degrees?|deg)(?![A-Za-z])\s?\}?")
_SAME = (
    (re.compile(r"\\[dtc]frac"), r"\\frac"),
    (re.compile(r"\{\s?(-?[0-9]+)\s?\\over\s?([0-9]+)\s?\}"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\([%$#&_])"), r"\1"), (re.compile(r"\\cdot(?![a-z])"), r"\\times"),
    (re.compile(r"\\(?:pounds|euro|yen)(?![a-z])(?:\{\})?"), lambda m: {"p": "£", "e": "€", "y": "¥"}[m[0][1]]),
    (re.compile(r"\\leq(?:slant)?(?![a-z])"), r"\\le"), (re.compile(r"\\geq(?:slant)?(?![a-z])"), r"\\ge"),
    (re.compile(r"\\neq(?![a-z])"), r"\\ne"), (re.compile(r"\\varnothing(?![a-z])|∅"), r"\\emptyset"),
    (re.compile(r"(?<=[0-9\s}])\\mu(?![a-zA-Z])\s?(?=[msgLlFCHAVWJNT](?![A-Za-z]))"), "μ"),
    (re.compile(r"(?<=[0-9\s}kMm])\s?\\(?:Omega|ohm)(?![A-Za-z])"), " Ω"),
    (re.compile(r"\\(?:measured|spherical)angle(?![a-z])|∡|∢"), r"\\angle"),
    (re.compile(r"\\([lr])brace(?![a-z])"), lambda m: "\\{" if m[1] == "l" else "\\}"),
)  # fmt: skip
_AROUND = (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$"), ("**", "**"), ("__", "__"), ("`", "`"))
_OPENS = "\\$*_`=→⇒⟹∴:-"
_LEADS = re.compile(r"\A(?:[-=]{1,2}>|[=→⇒⟹∴:\s])+")
_GROUP = re.compile(r"^\{([^{}]*)\}$")
_FORMULA = re.compile(r"(?<!\\)\$([^$]{1,200}?)(?<!\\)\$")
_SPACES = re.compile(r"\s+")
_PLAIN = re.compile(r"-?[0-9A-Za-z.]*[0-9A-Za-z]")


def clean(text: str) -> str:
    """The text in one spelling, without markup around the whole and without a final full stop."""
    if _PLAIN.fullmatch(text):
        return text
    if not text.isascii():
        text = plain_characters(text)
    if "\\" in text or "~" in text or "{,}" in text or "{:}" in text:
        text = without_latex(text)
    if text.count("$") > 1:
        text = _FORMULA.sub(lambda m: _GROUP.sub(r"\1", m[1]), text)  # `$8$ apples`
    return _SPACES.sub(" ", unwrapped(text))


def plain_characters(text: str) -> str:
    """The text with ASCII digits, dashes, quotes and points, and superscripts as powers."""
    if text.isascii():
        return text
    for sign, written in _VULGAR.items():
        if sign in text:
            text = re.sub(rf"(?<=[0-9])\s?{sign}", f" {written}", text)
            top, _, bottom = written.partition("/")
            text = re.sub(rf"{sign}(?=[^\W\d_]|[√(\\])", rf"\\frac{{{top}}}{{{bottom}}}", text).replace(sign, written)
    text = _SUPERSCRIPT.sub(_superscript, text).translate(_SUBSCRIPTS).translate(_BEFORE)
    text = unicodedata.normalize("NFKC", text)
    if any(c > "~" and c.isdigit() for c in text):  # Arabic, Persian, Devanagari …
        text = "".join(str(unicodedata.digit(c, c)) if c > "~" and c.isdecimal() else c for c in text)
    return text


def _superscript(match: re.Match[str]) -> str:
    digits = match[0].translate(_SUPERSCRIPTS)
    return f"^{digits}" if len(digits) == 1 else f"^{{{digits}}}"


def without_latex(text: str) -> str:
    r"""The text without `\text…{}`, `\left`, LaTeX spaces; `\dfrac`, `\%`, `^\circ` in one spelling."""
    if not _REWRITTEN.search(text):
        return text
    text = _BLANK.sub(" ", _NOTHING.sub("", _THOUSANDS_LATEX.sub(",", text)))  # first: \\mathrm{~cm}
    for _ in range(4):
        text, count = _WRAP.subn(r" \1", text)
        if not count:
            break
    text = _DEGREE.sub("°", _COLON.sub(":", text))
    for pattern, instead in _SAME:
        text = pattern.sub(instead, text)
    return text


def unwrapped(text: str) -> str:
    r"""The text without `$…$`, `\(…\)`, `**…**`, braces around the whole and without a final stop."""
    text = text.strip()
    if not text or (text[0] not in _OPENS and text[-1] not in ".,;"):
        return text
    text = _LEADS.sub("", text)  # "= 6", "=> 6"
    for _ in range(4):
        before = text
        if text.endswith((".", ",", ";")) and not text.endswith(".."):
            text = text[:-1].rstrip()
        for opening, closing in _AROUND:
            if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) + len(closing) - 1:
                inner = text[len(opening) : len(text) - len(closing)]
                if opening.strip("\\") not in inner and closing.strip("\\") not in inner:
                    text = inner.strip()
                    if opening[0] in "$\\":  # braces alone are a set; in LaTeX they show nothing
                        text = _GROUP.sub(r"\1", text)
        if text == before:
            break
    return text


_DOUBLED = re.compile(r"\\\\(?=[A-Za-z]*[a-z]{2})")
_POINTED = re.compile(r"\\([lr])angle(?![a-z])")  # of a vector
_PI = re.compile(r"(?<![A-Za-z\\])pi(?![A-Za-z])")
_ROOT_SIGN = re.compile(r"√\s?([0-9]{1,20}|[a-z]|\([^()]{1,100}\)|\{[^{}]{1,100}\})")


def spelled(text: str) -> str:
    r"""`÷` as `\div`, `√3` as `\sqrt{3}`, "pi" as `\pi`, doubled backslashes once where they can't end a row."""
    if "√" in text:
        text = _ROOT_SIGN.sub(r"\\sqrt{\1}", text)
    if "pi" in text:
        text = _PI.sub(r"\\pi ", text)
    if not text.isascii():
        text = plain_characters(text).replace("π", "\\pi ").replace("÷", "\\div ").replace("·", "\\cdot ")
    if "angle" in text:
        text = _POINTED.sub(lambda m: "(" if m[1] == "l" else ")", text)
    if "colon" in text or "{:}" in text:
        text = _COLON.sub(":", text)
    return undouble(text)


def undouble(text: str) -> str:
    r"""`\\\\frac` as `\\frac`, where doubled backslashes can't be the rows of a matrix."""
    return text if "begin" in text or "\\\\" not in text else _DOUBLED.sub(r"\\", text)


_FULL_WIDTH = re.compile("[\uff01-\uff5e]")
_SIGNS = str.maketrans("‘’“”‐‑–—−\u00a0\u202f\u2009", "''\"\"-----   ")
_LATEX_TEXT = re.compile(r"\\(?:text[a-z]*|mathrm|mathbf|mbox)\s?\{([^{}\\]*)\}")
_QUOTES = (
    *(("**", "**"), ("*", "*"), ("_", "_"), ("`", "`"), ('"', '"'), ("'", "'"), ("$", "$"), ("\\(", "\\)")),
    *(("«", "»"), ("「", "」"), ("『", "』"), ("《", "》"), ("„", '"')),
)
_QUOTED = frozenset(opening[0] for opening, _ in _QUOTES)


def normalise(text: str) -> str:
    """Case folded, one kind of space, quote and dash, without markup around the whole and without a final stop."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_SIGNS)
        if _FULL_WIDTH.search(text):
            text = unicodedata.normalize("NFKC", text)
    text = text.strip()
    if "\\" in text:
        text = _LATEX_TEXT.sub(r"\1", _BLANK.sub(" ", text))
    for _ in range(3):
        before = text
        text = text.strip().removesuffix(".").removesuffix("。").strip()
        if text[:1] not in _QUOTED and text[-1:] not in ".。":
            break
        for opening, closing in _QUOTES:
            size = len(opening)
            if text.startswith(opening) and text.endswith(closing) and len(text) > 2 * size:
                inner = text[size : len(text) - len(closing)]
                text = inner if opening not in inner else text
        if text == before:
            break
    return _SPACES.sub(" ", text).strip().casefold()
