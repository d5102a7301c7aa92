"""The verifier `choice`: one option of several, by letter or by its text."""

from __future__ import annotations

import re

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.doubt import committed_before, denied_after, doubts, hedges, without_reason
from vlrl.verify.judge import verifier
from vlrl.verify.numerals import parse_numeral, unit_name
from vlrl.verify.statement import committed
from vlrl.verify.text import normalise

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTER = re.compile(
    r"[\s*$`]*(?:(?:the\s)?(?:option|choice|answer|letter)\s)?[*$`]*(?:\\(?:text|mathrm|textbf|mathbf)\{)?"
    r"(?:\(\s?([A-Za-z])\s?\)|\[([A-Z])\]|([A-Za-z]))\}?(?=[\s*$`.:),—–-]|$)\}?[\s*$`]*[.:),]{0,3}[\s*$`]*(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
_YES_NO = re.compile(r"(?:so |therefore, )?(yes|no|true|false)(?=\s?(?:[,.;!]|$))")
_SECOND_LETTER = re.compile(r"\(?\b[A-Z]\)?\s?(?:,|/|\bor\b|\band\b|&)\s?(?:or\s|option\s|choice\s)?\(?[A-Z]\b(?!\w)")
_NEXT_LETTER = re.compile(r"\W{0,4}(?:(?:or|and)\W{1,3})?[A-Z](?![A-Za-z0-9'’])|\W{0,3}\bor\b")
_PROSE_LETTER = re.compile(
    r"\(([A-Z])\)|\b(?:[Oo]ption|[Cc]hoice|[Cc]hoose|[Pp]ick|[Ss]elect)\s\(?([A-Z])\b\)?"
    r"|\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer|[Ll]etter)\s(?:is|should be|must be|would be):?\s[*$]{0,3}([A-Z])"
    r"(?=[\s.,;:*$]|$)"
    r"|^[*$]{0,3}([A-Z])(?=[*$]{0,3}\sis\s(?:the\s)?(?:correct|right|best|answer))|^[*$]{0,3}([A-Z])[.,;:*$]{0,4}$"
)


def gold_option(problem: Problem) -> list[str]:
    """The gold's letter, and its text where there are options. Raises DataError if the gold is none of them."""
    options = [str(option) for option in problem.facts.get("choices") or ()]
    index = gold_index(problem, options)
    return [f"({LETTERS[index]})", *options[index : index + 1]]


@verifier("choice", gold=gold_option)
def choice(problem: Problem, response: str) -> Verdict:
    """One option, by its letter in the problem's order or by its text.

    Accepts "B", "b", "(B)", "B.", "Option B", "**B**", "(B) four", "B: four" (letter and text must belong together) and
    the option's whole text, or its number where just one option has that number ("145" for "145°"). The gold is an
    option's text or a letter; where options are permuted, facts.choices is in the order that was shown.
    Rejects two letters, a list of all options, a letter beyond the options, a letter with another option's text, the
    option's text as a part of something longer, and a bare text that is one option's letter and another option's text.

    Facts:
    choices  the option texts in the order shown; without it a letter from A to J is expected

    Raises DataError if the gold is none of the options (the verdict is then a fault).
    """
    options = [str(option) for option in problem.facts.get("choices") or ()]
    gold = gold_index(problem, options)
    statement = committed(response, lambda text, declared: chosen_index(text, options, declared))
    chosen = statement.value
    if chosen is None:
        return Verdict.wrong(statement.note or "not one option", statement.text)
    if chosen == gold or (options and normalise(options[chosen]) == normalise(options[gold])):
        return Verdict.right(statement.text)
    return Verdict.wrong("another option", statement.text)


def gold_index(problem: Problem, options: list[str]) -> int:
    """Which option the gold is: the option's text, or else its letter. Raises DataError if it is neither."""
    gold = problem.answer.strip()
    if gold in options:
        return options.index(gold)
    letter = gold.strip("()").upper()
    if len(letter) == 1 and letter in LETTERS and LETTERS.index(letter) < (len(options) or 10):
        return LETTERS.index(letter)
    texts = [normalise(option) for option in options]
    if normalise(gold) in texts:
        return texts.index(normalise(gold))
    raise DataError(f"problem {problem.id}", f"the gold {gold!r} is none of the options {options}", "mend the problem")


def chosen_index(answer: str, options: list[str], declared: bool = True) -> int | None:
    """The option that a text names; None where it names none, several, or one that does not exist.

    declared   the text must be the option; otherwise it is a sentence, which may name one option: "(B)", "option B", or
               exactly one option's text, without a hedge
    """
    by_text = option_by_text(answer, options)
    by_letter = option_by_letter(answer, options)
    if by_text is not None and by_letter is not None and by_text != by_letter:
        return None
    if by_text is not None:
        return by_text
    if by_letter is not None:
        return by_letter
    return None if declared else option_in_prose(answer, options)


def option_in_prose(sentence: str, options: list[str]) -> int | None:
    """The one option that a sentence names, by letter in brackets or by its text; None if it hedges or names two."""
    sentence = without_reason(sentence)
    if len(sentence) > 1000:
        return None
    words = normalise(sentence)
    said = {index for index, option in enumerate(options) if _says(words, normalise(option))}
    said -= {i for i in said for j in said if i != j and normalise(options[i]) in normalise(options[j])}
    letters = list(_PROSE_LETTER.finditer(sentence))
    if letters:
        named = {LETTERS.index(str(match[match.lastindex or 0])) for match in letters}
        index, last = LETTERS.index(str(letters[0][letters[0].lastindex or 0])), letters[-1]
        stated = committed_before(sentence[: last.start(last.lastindex or 0)].rstrip("([*$ ") + " ") or (
            index < len(options) and words_before(sentence, last).endswith(normalise(options[index]))
        )
        if len(named) > 1 or _doubts(sentence, options, said) or _SECOND_LETTER.search(sentence) or not said <= named:
            return None
        if _NEXT_LETTER.match(sentence, last.end()):
            return None
        return index if stated and index < (len(options) or 10) and not denied_after(sentence[last.end() :]) else None
    opening = _YES_NO.match(words)
    if len(said) > 1 or (_hedges(sentence, options, said) and not opening):
        return None
    if said:
        index = said.pop()
        if opening is not None:
            rest = words[opening.end() :]
            return index if not hedges(rest) or {index} == _exact(opening, options) else None
        text = normalise(options[index])
        start = words.find(text)
        stated = committed_before(words[:start]) and not denied_after(words[start + len(text) :])
        return index if stated else None
    chosen = _exact(opening, options) if opening else set()
    return chosen.pop() if len(chosen) == 1 else None


def words_before(sentence: str, match: re.Match[str]) -> str:
    """What stands before a letter, without the dash or colon between."""
    return normalise(sentence[: match.start()].rstrip(" -–—:*"))


def _without(sentence: str, options: list[str], said: set[int]) -> str:
    """The sentence without the options' own words: an option may be "false" or "not enough information"."""
    words = normalise(sentence)
    for index in said:
        words = words.replace(normalise(options[index]), " _ ")
    return words


def _doubts(sentence: str, options: list[str], said: set[int]) -> bool:
    return doubts(_without(sentence, options, said))


def _hedges(sentence: str, options: list[str], said: set[int]) -> bool:
    return hedges(_without(sentence, options, said))


def _exact(opening: re.Match[str], options: list[str]) -> set[int]:
    return {i for i, option in enumerate(options) if normalise(option) == opening[1]}


def _says(words: str, option: str) -> bool:
    """Whether the option stands in the sentence as whole words; a single letter or digit is too easily there."""
    if len(option) < 2 or option not in words:
        return False
    start = words.find(option)
    while start >= 0:
        before, after = words[start - 1 : start], words[start + len(option) : start + len(option) + 1]
        if not (before.isalnum() or after.isalnum() or _glued(before, after, option)):
            return True
        start = words.find(option, start + 1)
    return False


def _glued(before: str, after: str, option: str) -> bool:
    """Whether a point or a minus sign beside a number makes it another number."""
    return (
        (before in (".", "-") and option[0].isdigit())
        or (after == "." and option[-1].isdigit())
        or (after in ("-", "–") and any(c.isdigit() for c in option))
    )


def option_by_letter(answer: str, options: list[str]) -> int | None:
    """The option whose letter the answer is; what follows the letter must be that option's own text or nothing."""
    match = _LETTER.fullmatch(answer)
    if match is None:
        return None
    letter = (match[1] or match[2] or match[3]).upper()
    index = LETTERS.index(letter)
    if index >= (len(options) or 10):
        return None
    rest = normalise(match["rest"])
    if not rest or rest.strip("()[]*.$ ") == "":
        return index
    return index if options and rest == normalise(options[index]) else None


def option_by_text(answer: str, options: list[str]) -> int | None:
    """The option whose text the answer is, or whose number it is where no other option has that number."""
    if not options:
        return None
    texts = [normalise(option) for option in options]
    wanted = normalise(answer)
    if wanted in texts:
        return texts.index(wanted)
    number = parse_numeral(answer)
    if number is None:
        return None
    same = []
    for index, option in enumerate(options):
        other = parse_numeral(option)
        if other is not None and other.value == number.value:
            units = {
                unit_name(u) for u in (other.unit or "%" * other.percent, number.unit or "%" * number.percent) if u
            }
            same.append((index, len(units) < 2))
    return same[0][0] if len(same) == 1 and same[0][1] else None
