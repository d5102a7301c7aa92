r"""MATH-Vision's published rules (evaluation/evaluate.py and utils.py of MATH-V): official mode.

The published code hands model text to `eval`; `latex_to_number` computes the same values and runs nothing.
A reward must not follow these rules: prose that ends in "is 7" counts, and the first formula in a text may.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vlrl.verify.official.latex_number import latex_to_number

_MAX_CHARS = 20_000  # ours: the answer stands at the end; of a longer response only the end is read
_CUES = ("the final answer is", "the answer is", "the correct answer is", "the answer should be")
_BOX = re.compile(r"oxed{(.*)}", re.DOTALL)
_DROPPED = (" ", "\\,", "\n", "\\text", "\\mbox", "\\left", "\\right", "^{\\circ}", "^\\circ", "{m}^3", "m^3")
_DROPPED_UNITS = ("{units}", "units", "{km}", "km")
_SLASH = re.compile(r"(-?(?:0|[1-9][0-9]*))/(-?(?:0|[1-9][0-9]*))")


def extract(response: str) -> str:
    """The answer that the published script takes from a response, in its own normal form."""
    text = response[-_MAX_CHARS:].strip()
    for letter in "ABCDE":
        if text.endswith((f" {letter}.", f" ({letter}).")) or text.startswith(
            (f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")
        ):
            text = letter
    tail = text.rpartition("is ")[2].rstrip(".")
    if _is_float(tail):
        text = tail
    if "oxed{" not in text:
        for cue in _CUES:
            for form in (cue, cue.replace("the", "The")):
                _, found, tail = text.rpartition(form)
                text = tail.strip()
                if found:
                    text = text.split("\n")[0].split(". ")[0]
    elif text.count("oxed{") > 1:
        text = "\\boxed{" + text.rpartition("oxed{")[2]
    text = find_math_answer(text)
    for letter in "abcde":
        text = text.replace(f"({letter})", letter)
    for letter in "abcde":
        text = text.replace(f"{{{letter}}}", letter)
    return text.rstrip(".").lstrip(":").strip()


def find_math_answer(text: str) -> str:
    """The box's content or the whole text, after the last "=" and `\\approx`, without LaTeX's ornaments and units."""
    text = text.lower().replace("{}", "")
    box = _BOX.search(text)  # greedy: to the last brace
    if box:
        text = box[1]
    closing, opening = text.find("}"), text.find("{")
    if closing != -1 and (opening == -1 or closing < opening):
        text = text[:closing]
    text = text.rpartition("=")[2].rpartition("\\approx")[2]
    text = text.replace(" ", "").replace("\\,", "").replace("∞", "\\infty").replace("+\\infty", "\\infty")
    text = text.replace("\\\\", "\\").replace("bmatrix", "pmatrix")
    for piece in (*_DROPPED, *_DROPPED_UNITS):
        text = text.replace(piece, "")
    return _plain(text)


def _plain(text: str) -> str:
    text = text.replace("\\!", "").replace("\\\\", "\\").replace("tfrac", "frac").replace("dfrac", "frac")
    for piece in ("\\left", "\\right", "^{\\circ}", "^\\circ", "\\$", "$", "\\%"):
        text = text.replace(piece, "")
    text = text.replace("{.", "{0.")
    if text.startswith("."):
        text = "0" + text
    if "sqrt" in text:
        text = _braced_fractions(_braced_roots(text))  # fractions only beside a root, as published
    if text == "0.5":
        return "\\frac{1}{2}"
    slash = _SLASH.fullmatch(text)
    return f"\\frac{{{slash[1]}}}{{{slash[2]}}}" if slash and "-0" not in slash.groups() else text


def _braced_roots(text: str) -> str:
    r"""`\sqrt3` → `\sqrt{3}`."""
    return re.sub(r"\\sqrt([^{])", r"\\sqrt{\1}", text)


def _braced_fractions(text: str) -> str:
    r"""`\frac12` → `\frac{1}{2}`, `\frac1{72}` → `\frac{1}{72}`; a lone `\frac1` leaves the whole text as it is."""
    first, *rest = text.split("\\frac")
    pieces = [first]
    for piece in rest:
        if not piece.startswith("{"):
            if len(piece) < 2:
                return text
            top, bottom, tail = piece[0], piece[1], piece[2:]
            piece = f"{{{top}}}{bottom}{tail}" if bottom == "{" else f"{{{top}}}{{{bottom}}}{tail}"
        pieces.append(piece)
    return "\\frac".join(pieces)


def is_right(answer: str, options: Sequence[str], extraction: str) -> bool:
    """Whether the extraction equals the gold answer or, where there are options, the text behind its letter."""
    texts = [answer]
    position = ord(answer) - ord("A") if len(answer) == 1 else -1
    if 0 <= position < len(options):
        texts.append(options[position])
    return any(equal(text, extraction) for text in texts)


def equal(a: str, b: str) -> bool:
    """Same text, or same value to two decimals; tuples and lists element by element. Empty is equal to nothing."""
    a, b = a.lower(), b.lower()
    if not a.strip(" ") or not b.strip(" "):
        return False
    if a.strip() == b.strip():
        return True
    a, b = _rounded_elements(a), _rounded_elements(b)
    if a == b:
        return True
    first, second = latex_to_number(a), latex_to_number(b)
    return first is not None and second is not None and round(first, 2) == round(second, 2)


def _rounded_elements(text: str) -> str:
    """`(1/3, 2)` → `(0.33,2)`; the text itself where it is no tuple or list, or an element has no value."""
    parts = text[1:-1].split(",")
    if len(parts) < 2 or (text[0], text[-1]) not in (("(", ")"), ("[", "]")):
        return text
    rounded = []
    for part in parts:
        if "infty" in part or part in ("a", "-a"):
            rounded.append(part)
        elif (value := latex_to_number(part)) is None:
            return text
        else:
            rounded.append(str(round(value, 2)))
    return f"{text[0]}{','.join(rounded)}{text[-1]}"


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
