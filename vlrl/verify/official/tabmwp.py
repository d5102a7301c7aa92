"""TabMWP's published rules (lupantech/PromptPG, run_gpt3/utilities.py and run_gpt3.py): official mode.

Luck included: a multiple-choice answer without a letter becomes the option that shares most words with the text, and a
text with several numbers gives the last. A reward must not follow either. Where the published script draws an option at
random (a letter beyond the options) the state of its generator hangs on the whole run, so there is no prediction here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LETTERS = "ABCDEF"
_FRACTION = re.compile(r"\$?\\frac\{([\d.,\-]+)\}\{([\d.,]+)\}\$?")
_FINAL_STOP = re.compile(r"(?<![AP]\.M)\.$")
_TIGHT_EQUALS = re.compile(r"(?<=\d)=(?=[\-$\d])")
_LETTER_FORMS = [
    re.compile(form)
    for form in (
        r"^\(([A-Za-z])\)$",
        r"^([A-Za-z])$",
        r"^([A-Za-z]). ",
        r"[Th]he answer is ([A-Z])",
        r"^\(([A-Za-z])\) [\s\S]+$",
        r"[Th]he answer is \(([A-Za-z])\) [\s\S]+$",
    )
]
_VALUE_FORMS = [
    re.compile(form)
    for form in (
        r"[Th]he answer is ([\s\S]+)$",
        r"[Th]he table shows that ([\d$.,/:]+) ",
        r" = ([\d$.,/:]+)",
        r"(?<= be| is) ([\-\d$.,/:]{0,}[\d]+)",
        r"(?<= are| was) ([\-\d$.,/:]{0,}[\d]+)",
        r"(?<= were) ([\-\d$.,/:]{0,}[\d]+)",
        r" ([\d$.,/:]+ [AP]\.M\.)",
        r"([\-\d$.,/:]{0,}[\d]+)",
    )
]
_NUMERIC = re.compile(r"[-+]?[\d,./]+$")
_INTEGER = re.compile(r"[-+]?\d+$")
_MAX_CHARS = 4_000  # ours: bounds the search; of a longer response only the end is read


def extract(response: str, options: Sequence[str]) -> str | None:
    """The prediction that the published script takes from a response; None where it draws one at random."""
    text = _FRACTION.sub(r"\1/\2", response[-_MAX_CHARS:])
    text = _FINAL_STOP.sub("", text)
    text = _TIGHT_EQUALS.sub(" = ", text).replace("−", "-")
    if options:
        return _option(text, options)
    for form in _VALUE_FORMS:
        found = form.findall(text)
        if found:
            prediction = str(found[-1]).strip()
            return prediction[:-1] if prediction.endswith(".") and ".M." not in prediction else prediction
    return text


def _option(text: str, options: Sequence[str]) -> str | None:
    for form in _LETTER_FORMS:
        match = form.search(text)
        if match and match[1].upper() in _LETTERS:
            position = _LETTERS.index(match[1].upper())
            return options[position] if position < len(options) else None
    return max(options, key=lambda option: _similarity(option, text))  # the first of equals


def _similarity(option: str, text: str) -> float:
    """Share of words in common; 2 for equal texts."""
    if option == text:
        return 2.0
    if " " not in option and " " not in text:
        return 0.0
    words, others = option.split(" "), text.split(" ")
    return len(set(words) & set(others)) / max(len(words), len(others))


def normalise(text: str, unit: str | None) -> str:
    """What the verdict compares: a number with three decimals at most, or the text without its unit.

    A text of digits and dots that is no number ("1.2.3", "5/0") stays text; the published script stops there.
    """
    text = re.sub(r"^\$", "", text)
    text = re.sub(r"[,./]$", "", text)
    if _NUMERIC.match(text):
        digits = text.replace(",", "")
        try:
            if _INTEGER.match(digits):
                return str(int(digits))
            top, slash, bottom = digits.partition("/")
            value = float(top) / float(bottom.partition("/")[0]) if slash else float(digits)
            return re.sub(r"\.[0]+$", "", str(round(value, 3)))
        except (ValueError, ZeroDivisionError, OverflowError):
            return text
    return text.replace(unit, "").strip() if unit else text


def is_right(answer: str, prediction: str, unit: str | None) -> bool:
    """Whether both normal forms agree, upper and lower case aside."""
    return normalise(answer, unit).lower() == normalise(prediction, unit).lower()
