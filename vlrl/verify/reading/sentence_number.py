"""The number that a sentence states. Of several, only one at a committed place counts; doubt leaves none.

A committed place is: bold type; after the last "=" of an equation whose left side is a name or a computation; right
after "is", "are", "有", "равно" …; or the only number that the question did not give.
"""

from __future__ import annotations

import re
from fractions import Fraction

from vlrl.verify.reading.clause.counted import counts_another, is_unreal
from vlrl.verify.reading.clause.declaration import standing
from vlrl.verify.reading.committed_answer import MAX_SENTENCE, Reader, without_exclamation, without_tail
from vlrl.verify.reading.hedging import (
    MAKES_SOMETHING,
    asked_verb,
    asked_verbs,
    committed_before,
    denied_after,
    hedges,
    is_to_come,
    main_clause,
    stated_before,
    verb_stem,
)
from vlrl.verify.values.compare import asks_percentage, says_nothing
from vlrl.verify.values.normaliser import plain_characters, without_latex
from vlrl.verify.values.number_words import NUMBER_WORDS, PARTS, SCALES, spoken_numbers
from vlrl.verify.values.quantity import Quantity, read_quantity
from vlrl.verify.words.languages import languages_of

_NUMBER = re.compile(
    r"(?<![A-Za-z0-9.,_^/\\%!])(?<![0-9]\s)(?<![0-9]:)(?:-\s?)?(?:\$|[€£¥₹]\s?)?-?"
    r"(?:\\frac\s?\{-?[0-9]{1,9}\}\s?\{[0-9]{1,9}\}|[0-9]{1,3}(?:[,' ][0-9]{3})+(?![0-9])(?:\.[0-9]+)?|"
    r"[0-9]{1,3}(?:\.[0-9]{3})*,[0-9]{1,2}(?![0-9])"
    r"|[0-9]{1,20}(?:\.[0-9]{1,20})?|\.[0-9]{1,20})"
    r"(?:\s?/\s?[0-9]{1,9})?(?:\s?(?:×|\\times)\s?10\s?\^?\s?\{?-?[0-9]{1,3}\}?)?"
    r"(?![0-9A-Za-z_^!'‰]|[.,:][0-9]|\s[0-9]|\s?[-+*×/÷=^:]\s?[0-9(\\]|[̀-ͯ⃐-⃿]|-(?!\w*\s))|"
    r"(?<![A-Za-z0-9.,_^/\\%!])-?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,20})(?:\.[0-9]{1,9})?(?=(?:[cmk]?m|"
    r"km|k?g|m?l|ft|in|lb|oz|h|s|"
    r"°[CF]?|%|[MBK]|bn|mn|million|billion)(?:\^?[23])?(?![A-Za-z0-9]))"
)
_SPACES = re.compile(r"[ \t]{2,}")  # `10\,\text{cm}`
_WORD = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)?")
_THE_ONE = re.compile(r"\b(?:the|this|that|each|any|every|no|which)\sone\b", re.IGNORECASE)  # no number
_SHARE_OF = re.compile(r"\s?(?:%|percent)\s+of\s+(?:all\s|the\s){0,2}[^\W\d_]+\s[^\W\d_]", re.IGNORECASE)
_TAIL = re.compile(
    r"\s?(?:degrees?\s(?:[Cc]elsius|[Ff]ahrenheit)|[^\W\d_]+|°[CF]\b|"
    r"[%°€$£¥₹]+)(?:\^?[23](?![0-9]))?(?:\s?/\s?[^\W\d_]+|\sper\s\w+)?"
)
_CHANGED_BEFORE = re.compile(
    r"(?:\b(?:minus|negative|plus|times|twice|thrice|half(?: of)?|third of|quarter of|double|triple|over|under|above|"
    r"below|than|at least|at most|up to|or|root of|of all but|one of|pairs? of|couples? of|dozens? of|"
    r"another|extra|additional|other|%\s?of|(?:ends?|ended|starts?|started|begins?|began) (?:at|with|on|by)|"
    r"(?<!the )number|option|figure|page|step|question|row|line)|"
    r"[-+−–*×÷^_√~<>±≥≤]|\\(?:sqrt|pm|log|ln|sin|cos|tan|ge|le|ne|neq)\{?)\s{0,2}$",
    re.IGNORECASE,
)
_HYPHENATED = "year|month|week|day|hour|minute|second|meter|metre|mile|foot|inch|pound|dollar|degree|percent|point|unit"
_CHANGED_AFTER = re.compile(
    r"\s{0,2}(?:[!^_²³+*×÷=‰π√\u0300-\u036f\u20d0-\u20ff∈'′]|\\(?!text|mathrm|mbox|circ)[A-Za-z]|"
    rf"[)\]]?-(?:(?!(?:{_HYPHENATED})\s[a-z])[A-Za-z]|\s*$)|"
    rf"(?:{'|'.join(PARTS)})s?\b|"
    r"[ap]\.?m\b|o['’]clock|-\s?[0-9]|\.[0-9]|\.\.|…|"
    r"(?:squared|cubed|half|halves|times|plus|minus|less|per (?:mille|thousand|hundred|ten)|below zero|"
    r"and a|factorial|percent of(?=\s[0-9])|out of|or|/)\b|%\s?of\s[0-9])",
    re.IGNORECASE,
)
_OF_ANOTHER_KIND = re.compile(  # what counts pairs, what is gone, and what is compared
    r"\s{0,2}(?P<times>pair|couple|score|gross|dozen)s?\b"
    r"|\s(?:[^\W\d_]+\s)?(?P<gone>removed|subtracted|missing|gone|hidden|before|initially|originally|"
    r"got (?:off|out)|left (?=(?:the|a|his|her|their|its|for)\b)|(?:drove|went|flew|ran|walked) (?:off|away))\b"
    r"|\s(?:[^\W\d_]+\s)?(?P<away>away|off)\b"
    r"|\s(?:[^\W\d_]+\s)?(?P<than>more|less|fewer|"
    r"[a-z]{2,}er(?=\sthan\b)|additional|extra|further|other|others|short|too (?:many|few|much))\b",
    re.IGNORECASE,
)
_LABEL = re.compile(r"^\W{0,3}(?!A:|[IX]\b)(?:[A-Za-z]|N[or]|Fig|Tab|Eq)[.:)]?\s+$", re.IGNORECASE)  # "B: 6", "No. 6"
_EQUALS = re.compile(r"=|≈|\\approx")
_LEFT = re.compile(r"([^\s,;:.]{0,60}(?:\s?[-+*/^×÷]\s?[^\s,;:.]{1,30})*)\s*$")
_UNKNOWN = re.compile(r"(?<![A-Za-z\\])[a-z](?![A-Za-z])")
_CHANGED_NAME = re.compile(r"[0-9)}]\s?[A-Z]|[A-Z]\s?(?:\^|[²³]|/\s?[0-9])|\\(?:sqrt|frac)\s?\{\s?[A-Z]|√")  # 2AB, AB^2
_OPERATES = re.compile(r"[-+*/^×÷]|[0-9]|\\(?:sqrt|frac|sin|cos|tan|log|ln|exp)")
_CALL = re.compile(r"[A-Za-z]'?\([^()]{1,20}\)")
_SETTING = re.compile(
    r"\b(?:when|if|where|for|at|let|with|since|given|setting|substitut\w+|plug\w*)\s+[^\s,]{1,12}\s*$", re.IGNORECASE
)
_SUBJECT = re.compile(r"^\W{0,3}(?:the|in)\s([^\W\d_]{3,})\s$", re.IGNORECASE)
_OR = re.compile(r"\bor\b(?=\s[0-9$])", re.IGNORECASE)
_ASKS_MORE = re.compile(r"\b(?:more|less|fewer|differ\w*|than|by|need\w*|miss\w*)\b", re.IGNORECASE)
_ASKS_DISTANCE = re.compile(r"\b(?:far|distan|discount|sav|reduc|apart)", re.IGNORECASE)
_MULTIPLIED = re.compile(r"\s?[·⋅×*^²³/]\s?[^\W\d_]")
_RESTATED = re.compile(
    rf"\b(?:which|that) (?:is|equals)\s+$|,\s(?:which\s|that\s)?(?:{MAKES_SOMETHING}|(?:leav|mak|giv|total|bring)"
    r"(?:es?|ing|s)\s(?:us\s|him\s|her\s|them\s|it\sto\s)?(?:with\s)?)$"
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|remains?|left|has|have|had|can|will|needed|there|cost|make|stand)\b", re.IGNORECASE
)
_ENUMERATION = re.compile(r"[0-9%]\s*(?:[,;|&]|,?\s+and)\s+(?:\\?\$|\*\*)?[0-9]")
_ALTERNATIVES = re.compile(r"[0-9][^.\n]{0,20}\b(?:or|nor|versus|vs)\b[^.\n]{0,20}[0-9]", re.IGNORECASE)
_JOINED = re.compile(
    r"^\s?(?:[^\W\d_]+\s){0,7}(?:(?:and|y|e|et|und|и|和|と|و|&|,)\s?(?:[^\W\d_]+\s){0,2})?$", re.IGNORECASE
)
_BOLD = re.compile(r"\*\*([^*\n]{1,120})\*\*")
_MATH = re.compile(r"\$([^$\s](?:[^$\n]{0,200}[^$\s])?)\$(?![0-9])|\\\(|\\\)|\\\[|\\\]")
_EXPLAINED = re.compile(
    r"[*$)]{0,3},?\s(?:with|because|since|as|for|in|by|when|where)\b(?!\s[0-9])"
    r"|[*$)]{0,3}\s?(?:\(|[—–]\s)(?=[^)]*[^\W\d_]{2})"  # "(two on each side)"
)
_NUMBER_OF = re.compile(r"\W{0,3}\bis\sthe\s(?:total\s)?(?:number|amount|count)\sof\s([^\W\d_]+)", re.IGNORECASE)
_ROUGHLY = re.compile(r"\W{0,4}(?:about|approximately|around|roughly)\s", re.IGNORECASE)
_ROUGH = re.compile(
    r"\b(?:about|approximately|around|roughly|nearly|almost)\s|大约|大約|约|約|およそ|ほぼ|약|대략|(?:[≈∼]|"
    r"\\approx)\s?(?=[-$0-9.])",
    re.IGNORECASE,
)


def number_in_sentence(sentence: str, question: str = "", rough: bool = True) -> Quantity | None:
    """The number that a sentence commits to, with its unit; None where it states none, several, or doubts.

    rough  "about 6" is 6; else it is a hedge
    """
    sentence = main_clause(_SPACES.sub(" ", without_latex(plain_characters(without_exclamation(sentence)))))
    if (whole := read_quantity(without_tail(sentence), question)) is not None:
        return whole
    if is_unreal(sentence, question):
        return None
    sentence = _SPACES.sub(" ", _MATH.sub(lambda m: m[1] or " ", sentence))
    led = _ROUGHLY.match(sentence) if rough else None
    if led is not None and (whole := read_quantity(without_tail(sentence[led.end() :]), question)) is not None:
        return whole  # "Approximately 28%"
    judged = _ROUGH.sub("", sentence) if rough else sentence
    if len({_value(m[0]) for m in _NUMBER.finditer(sentence)}) == 1:
        judged = _OR.sub(" ", judged)  # "1000 grams, or 1000 g"
    if len(sentence) > MAX_SENTENCE or hedges(judged, question) or _ALTERNATIVES.search(judged):
        return None
    bold = {_value(m[0]) for span in _BOLD.findall(sentence) for m in _NUMBER.finditer(span)}
    sentence = sentence.replace("**", "")
    if len(bold) == 1:
        return _quantity(sentence, [m for m in _NUMBER.finditer(sentence) if _value(m[0]) in bold][-1:], question)
    equals = list(_EQUALS.finditer(sentence))
    if equals:
        start = equals[-1].end()
        match = _NUMBER.search(sentence, start)
        bare = match is not None and not sentence[start : match.start()].strip(" *$(,;{")
        if not rough and equals[-1][0] != "=" and match is not None and match[0].strip("- ").isdigit():
            return None  # x ≈ 5
        if match is not None and bare and not _SETTING.search(sentence[: equals[0].start()]):
            return _quantity(sentence, [match], question) if _names_or_computes(sentence, equals, question) else None
    matches = list(_NUMBER.finditer(sentence))
    if not matches:
        spoken = None if any(c.isdigit() for c in sentence) else _in_digits(sentence, question)
        return None if spoken is None else number_in_sentence(spoken, question, rough)
    set_up = len(matches) == len(equals) == 1 and not sentence[equals[0].end() : matches[0].start()].strip()
    if set_up and _SETTING.search(sentence[: equals[0].start()]):
        return None  # "Let x = 8"
    behind = sentence[matches[-1].end() :]
    unit = _TAIL.match(behind)
    if any(c.isdigit() for c in behind[unit.end() if unit is not None else 0 :]):
        return None  # "6...7": the second number is none by itself
    given = given_numbers(question)
    firm = {m.start() for m in matches if _is_sound(sentence, m, question)}
    stated = [m for m in matches if m.start() in firm and stated_before(sentence, m.start())]
    if _ENUMERATION.search(sentence, stated[-1].start() if stated else 0):
        return None
    fresh = [m for m in matches if _value(m[0]) not in given]
    for numbers in (stated, fresh, matches):
        if numbers and len({_value(m[0]) for m in numbers}) == 1:
            last = numbers[-1]
            later = [m for m in matches if m.start() > last.end() and _value(m[0]) not in given]
            joined = any(_JOINED.match(sentence[last.end() : m.start()]) for m in later)
            return None if joined or last.start() not in firm else _quantity(sentence, [last], question)
    again = [m for m in stated[1:] if _RESTATED.search(sentence, 0, m.start())]
    if again and again[-1] is matches[-1]:
        return _quantity(sentence, again[-1:], question)
    return None


def number_reader(question: str, rough: bool, counted: str = "") -> Reader[Quantity]:
    """How every verifier reads a number; `counted` holds the nouns that may follow it, by default the question's."""
    return Reader(
        lambda text: read_quantity(without_tail(text), counted or question),
        lambda sentence: number_in_sentence(sentence, question, rough),
        lambda text: leading_number(text, question),
        question,
    )


def leading_number(text: str, question: str = "") -> Quantity | None:
    """The number that "the answer is …" begins with, where an explanation follows: "1982, with an income of $931"."""
    text = without_latex(plain_characters(text)).lstrip(" *$(")
    match = _NUMBER.match(text)
    if match is None or hedges(text, question) or not _EXPLAINED.match(text, match.end()):
        return None
    return read_quantity(match[0])


def given_numbers(question: str) -> frozenset[Fraction]:
    """The numbers of a question."""
    return frozenset(v for v in map(_value, _NUMBER.findall(question)) if v is not None)


def _is_sound(sentence: str, match: re.Match[str], question: str) -> bool:
    """Whether the words before a number state it, and neither side makes it another number."""
    before, after = sentence[: match.start()], sentence[match.end() :]
    if _CHANGED_BEFORE.search(before) or _is_changed_after(after, question) or is_to_come(before, question):
        return False
    if denied_after(after) or denied_after(after, question):
        return False
    counted = _NUMBER_OF.match(after)
    if counted is not None and counted[1].casefold().rstrip("s") not in question.casefold():
        return False  # "4 is the number of dogs", where cats are asked
    tail = _TAIL.match(after)
    if before.endswith("{"):
        return False  # a set of one value
    if _LABEL.match(before) or _opens(before, after, "([") or _opens(after[::-1], before[::-1], ")]"):
        return False
    if asks_percentage(question) and _SHARE_OF.match(after) and not any(c.isalnum() for c in before):
        return True  # "28% of the students walk"
    if not any(c.isalnum() for c in before) and any(c.isalpha() for c in after) and not _states_more(after, question):
        return False  # "7 squared", "7 more": what follows a number at the start is read as a whole, or not at all
    subject = _SUBJECT.match(before)
    if subject is not None and subject[1].casefold() in question.casefold() and not denied_after(after, question):
        return True  # "The year 2019 showed the largest difference", where a year is asked
    return (committed_before(before) or asked_verb(before, question)) and not (
        tail is not None and denied_after(after[tail.end() :], question)
    )


def _states_more(after: str, question: str) -> bool:
    """Whether a verb follows, or the verb of the question: "4 of the people wear hats"."""
    verbs = asked_verbs(question)
    return _VERB.search(after) is not None or any(verb_stem(word) in verbs for word in _WORD.findall(after)[:6])


def _opens(before: str, after: str, brackets: str) -> bool:
    """Whether the last sign of `before` is a bracket that nothing closes: "(6"."""
    last = before.rstrip()[-1:]
    return bool(last) and last in brackets and {"(": ")", "[": "]", ")": "(", "]": "["}[last] not in after


def _is_changed_after(after: str, question: str) -> bool:
    """Whether what stands behind a number makes it another one: "squared", "pairs" or "more" where none are asked."""
    if _CHANGED_AFTER.match(after) is not None:
        return True
    kind = _OF_ANOTHER_KIND.match(after)
    if kind is None or str(kind[kind.lastgroup or 0]).casefold() in question.casefold():
        return False
    if kind["away"] is not None:
        return _ASKS_DISTANCE.search(question) is None
    return kind["than"] is None or not (_ASKS_MORE.search(question) or says_nothing(question))


def _names_or_computes(sentence: str, equals: list[re.Match[str]], question: str) -> bool:
    """Whether the first left side is a name, or has no unknowns, or is asked: `AB = 4`, `2 + 3 = 5`, not `x^2 = 5`."""
    left = _LEFT.search(sentence[: equals[0].start()])
    written = left[1] if left is not None else ""
    written = _CALL.sub("f", written)
    if _UNKNOWN.search(written) and _OPERATES.search(written):
        return False
    if _CHANGED_NAME.search(written) and written.replace(" ", "") not in question.replace(" ", ""):
        return False
    return not written.strip("-").replace(".", "", 1).isdigit()  # 8 = 5


def _value(text: str) -> Fraction | None:
    found = read_quantity(text)
    return None if found is None else found.value


_GOES_ON = re.compile(r"\.(?=\s*[a-z\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])")  # "**12.** squared": not the end


def _quantity(sentence: str, matches: list[re.Match[str]], question: str) -> Quantity | None:
    """The last one's number with the unit, percent sign or word of scale behind it; other nouns are no units."""
    if not matches:
        return None
    match = matches[-1]
    if _CHANGED_BEFORE.search(sentence[: match.start()]) or _CHANGED_AFTER.match(sentence, match.end()):
        return None
    if counts_another(sentence, match.start(), match.end(), question):
        return None
    tail = _TAIL.match(sentence, match.end())
    if tail is not None and _MULTIPLIED.match(sentence, tail.end()):
        return None  # "12 kg·m"
    united = read_quantity(match[0] + tail[0]) if tail is not None else None
    if tail is not None and united is None and "/" in tail[0]:
        first = read_quantity(match[0] + tail[0].split("/")[0])
        if first is not None and first.unit is not None:
            return None  # "12 kg/cd"
    end = tail.end() if tail is not None and united is not None else match.end()
    if (goes_on := _GOES_ON.match(sentence, end)) is not None:
        end = goes_on.end()
    if standing(sentence, match.start(), end, match[0], formula=False).fault:
        return None  # "This differs from 12"
    if tail is not None:
        word = tail[0].strip()
        if (
            united is not None
            or word.casefold() in SCALES
            or not word[0].isalnum()
            or (len(word) == 1 and word.isascii())
        ):
            return united
    return read_quantity(match[0])


def _in_digits(sentence: str, question: str) -> str | None:
    """The sentence with its only number in words as digits, "There are 6 cards", "1200 cards"; None where it has none,
    or more than one."""
    for language in sorted(languages_of(question) - {"english"}):
        if len(spoken := spoken_numbers(sentence.lower(), language)) == 1:
            start, end, number = spoken[0]
            apart = " " if sentence[end : end + 1].isalpha() else ""
            return f"{sentence[:start]}{number}{apart}{sentence[end:]}"
    sentence = _THE_ONE.sub("", sentence)
    found = [m for m in _WORD.finditer(sentence) if any(w in NUMBER_WORDS for w in m[0].casefold().split("-"))]
    if not found:
        return None
    start, end = found[0].start(), found[-1].end()
    if sentence[start:end].casefold() in SCALES and sentence[:start][-2:].casefold() == "a ":
        start -= 2  # "There are a dozen chairs"
    value = read_quantity(sentence[start:end])
    return None if value is None else f"{sentence[:start]}{value.value}{sentence[end:]}"
