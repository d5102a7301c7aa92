r"""The formula around a box: "2(12)" of `2\boxed{12}`, which is read with the content in the box's place."""

from __future__ import annotations

import re

from vlrl.verify.values.number_words import SCALES
from vlrl.verify.values.units import read_unit
from vlrl.verify.words.languages import words

WRAPPER = re.compile(
    r"(?:\\(?:text[a-z]*|math[a-z]*|boldsymbol|bm|bf|underline|large|Large|LARGE|huge|Huge|displaystyle|left|bigl?|"
    r"Bigl?|quad|"
    r"qquad|color\s?\{[^{}]*\}|textcolor\s?\{[^{}]*\}|hspace\s?\{[^{}]*\}|begin\s?\{[^{}]*\}(?:\{[^{}]*\})?|"
    r"[,;:! \[(])\s?\{?|"
    r"[\s$*&`\"“‘~_(\[{])$"
)
_PERCENT = re.compile(words("percent"))
_COMMAND = re.compile(r"\\([A-Za-z]+|\\|[%{}|])\s*$")
_RELATES = frozenset(  # commands that leave what follows them as it is
    re.findall(
        r"\S+",
        "approx implies Rightarrow rightarrow Longrightarrow longrightarrow iff Leftrightarrow therefore because to "
        "equiv in colon "
        "Longleftrightarrow simeq doteq because blacktriangleright bullet hfill newline par item label noindent square "
        "Box boxed pounds euro yen \\ ",
    )
)
_OPERATOR = re.compile(r"(?:[-+−/×÷·√±∓^<>≤≥≠|]|(?<!\*)\*)\s*$")
_OPERAND = re.compile(r"[0-9)}\]$]\s*$|(?<![^\W\d_])[A-Za-z]\s*$")
_WRAPPED_WORDS = re.compile(r"\\(?:text[a-z]*|mathrm|mathbf|mbox|operatorname)\s?\{[^{}]*\}\s*$")
_TAIL = re.compile(
    r"(?P<space>(?:\s|\\[,;:! ]|~|\\right|\\quad|[})`])*)(?:(?P<words>\\(?:text[a-z]*|mathrm|mbox|"
    r"operatorname)\s?\{(?P<inner>[^{}]{0,60})\})"
    r"|(?P<degree>\^\s?\{?\s?\\circ\s?\}?|°)|(?P<percent>\\?%)|(?P<name>\\[A-Za-z]+)|(?P<letters>[A-Za-z]+(?:[²³]|"
    r"\^\{?[23]\}?)?)"
    r"|(?P<operator>[-+−/×÷·√±^_!0-9*']))"
)


def in_mathematics(text: str, start: int) -> bool:
    r"""Whether a position lies between `$…$`, `\(…\)` or `\[…\]`."""
    low = text.rfind("\n\n", max(0, start - 2000), start) + 1
    dollars = text.count("$", low, start) - text.count("\\$", low, start) - text.count("$$", low, start)
    opened = max(text.rfind("\\(", low, start), text.rfind("\\[", low, start))
    return dollars % 2 == 1 or opened > max(text.rfind("\\)", low, start), text.rfind("\\]", low, start))


def whole_formula(before: str, after: str, content: str, inside: bool) -> str | None:
    r"""The formula that a box is a part of: "2(12)" of `2\boxed{12}`; None where the box is the whole of it."""
    left, right = _left(before, inside), _right(after, inside)
    if not left and not right:
        return None
    held = content if left in ("", "-") and re.fullmatch(r"[\w.\\{}]+", content) else f"({content})"
    return f"{left}{held}{right}"


def _left(before: str, inside: bool) -> str:
    """What stands before a box and changes its value, as it is written; "" where nothing does."""
    opened, crossed, spaced = before, not inside, False
    if not inside and before[-1:].isspace() and not re.search(r"[0-9)}$A-Za-z]\s[-+−/×÷·*]\s$", before):
        return ""
    if re.search(r"[0-9A-Za-z)}]\s?(?<!\*)\*\s?$", before):
        return before[-30:].split()[-1] if before.split() else ""
    while (wrapper := WRAPPER.search(opened[-60:])) is not None:
        if wrapper[0].strip() in ("$", "\\(", "\\["):
            crossed = True
        spaced = spaced or wrapper[0][-1].isspace()
        if crossed and spaced and inside:
            return ""
        opened = opened[: len(opened) - len(wrapper[0])]
    if not opened:
        return ""
    if _WRAPPED_WORDS.search(opened[-80:]):
        return ""
    piece = re.split(r"[=≈:：,;&\n$]|\\(?:approx|\\|\[|\()", opened[-80:])[-1].strip()
    if (command := _COMMAND.search(opened[-40:])) is not None:
        return "" if command[1] in _RELATES else f"{piece}"
    if _OPERATOR.search(opened):
        dash = opened[-1:] in "-−" and (before[-1:].isspace() and not _OPERAND.search(opened[:-1].rstrip()))
        listed = (
            opened.rsplit("\n", 1)[-1].strip() in ("-", "+", "*", "<", ">", "|") and before[len(opened) :][:1].isspace()
        )
        return "" if dash or listed or re.search(r"[-=]>$", opened) else piece or opened[-1]
    last = opened[-1]
    if inside and not crossed:
        return piece if last.isascii() and (last.isalnum() or last in ")}]^_") else ""
    single = re.search(r"(?<![^\W\d_\\])[A-Za-z]$", opened) is not None
    return piece if (last.isascii() and last.isdigit()) or single else ""


def _right(after: str, inside: bool) -> str:
    """What stands behind a box and changes its value; "" where nothing does, or a unit that a box may leave out."""
    line = re.split(r"\$|\\\)|\\\]|\n|\\\\", after, maxsplit=1)[0] if inside else after.split("\n", 1)[0]
    if not inside and after[:1] == "$":
        return ""
    match = _TAIL.match(line)
    if match is None:
        return _scale_behind(after)
    if match["words"]:
        word = match["inner"].strip(" ~.").split(" ")[0].casefold()
        return match["words"] if word in SCALES or word == "%" or _PERCENT.fullmatch(word) else ""
    if match["degree"]:
        return ""
    if match["percent"]:
        return "\\%"
    rest = line[match.start(match.lastgroup or "space") :]
    spaced = bool(match["space"].strip("})`") != "")
    if match["name"]:
        return rest.strip() if match["name"][1:] in _FACTORS else ""
    if match["letters"]:
        if re.match(r"[^\W\d_]{3,}|[^\W\d_]*[^\x00-\x7f\W\d_]", rest) or read_unit(match["letters"]) is not None:
            return _scale_behind(after)
        return rest.split()[0] if inside or not spaced else ""
    if match["operator"] in "!*'" and not inside:
        return (
            ""
            if match["operator"] != "*" or line.lstrip()[:2] == "**" or not re.match(r"\s?\*\s?[0-9a-z\\]", line)
            else rest
        )
    if match["operator"] in "-−" and not inside and not re.match(r"\s?[-−]\s?[0-9\\]", line):
        return ""
    if match["operator"] == "!" and not rest[1:].strip() and not inside:
        return ""
    if match["operator"].isdigit() and spaced and not inside:
        return ""
    return rest.strip().rstrip(".,;")


_FACTORS = frozenset(
    re.findall(
        r"\S+",
        "pi sqrt frac dfrac tfrac cdot times div pm mp left sin cos tan ln log theta alpha beta binom circ over choose",
    )
)


def _scale_behind(after: str) -> str:
    """A word of scale or of percentage behind a box: "million", "percent", "万"."""
    match = re.match(r"(?:[\s$*}\])]|\\[,;:! \])])*([^\W\d_]+)", after)
    if match is None:
        return ""
    word = match[1].casefold()
    if _PERCENT.fullmatch(word):
        return "\\%"
    return f" {word}" if word in SCALES and (len(word) > 1 or not word.isascii()) else ""
