r"""What a free text concludes: one number, or one option. For benchmarks whose models explain instead of declaring.

The typed verifiers want a declared answer. This reader goes further and still never guesses. It takes the first of
these places that settles on one value:

1. a declared answer (`extract`): tag, box, JSON, "the answer is …"; several are fine if all of them say the same
2. the last sentence that draws a conclusion ("So …", "Therefore …")
3. what stands in bold type, if it is the same value everywhere
4. the first sentence and the last one, if they don't differ

Thinking, code, tables, drawings, questions and closing courtesies are not read. In a sentence with several numbers only
a committed place counts: bold, after the last "=", right after "is", "are" …, or the only number that the question did
not give. Doubt, negation and alternatives ("3 or 4") settle nothing, and declared answers that differ end the search.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isclose

from vlrl.verify.choice import LETTERS, option_by_letter, option_by_text
from vlrl.verify.doubt import committed_before, denied_after, doubts, maybe
from vlrl.verify.extract import MAX_ANSWER_CHARS, Extraction, extract, visible_text
from vlrl.verify.latex_number import latex_to_number
from vlrl.verify.numerals import parse_numeral
from vlrl.verify.text import normalise

MAX_RESPONSE_CHARS = 100_000  # ours: nobody explains a benchmark answer at this length; bounds the time of a verdict
_MAX_SENTENCE = 600  # characters; a longer "sentence" is no statement
_MAX_BOLD = 200  # spans in bold type that are looked at

_CODE = re.compile(r"```.*?(?:```|\Z)|\[asy\].*?(?:\[/asy\]|\Z)|<<[^<>\n]{0,200}>>", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[^\s.][.!?])(?:\*\*|[\"'”’)])?\s+(?=[\"'“‘(*\\$]*[A-Z0-9])|\n")
_COURTESY = re.compile(
    r"\W*(?:i hope|hope this|let me know|is there anything|do you (?:have|want|need)|please (?:let|note|feel)|sure\b|"
    r"feel free|if you (?:have|need|want)|would you like|thank|you're welcome|i understand|i can help)",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"\b(?:therefore|thus|hence|in conclusion|in summary|consequently|as a result|finally)\b|^\W{0,4}(?:so|overall)\b"
    r"|[,;:] so\b",
    re.IGNORECASE,
)
_ALTERNATIVES = re.compile(
    r"[0-9][^.\n]{0,20}\b(?:or|nor|versus|vs)\b[^.\n]{0,20}[0-9]|[)*]\s*(?:or|nor|and)\s+\W{0,4}[A-J]\b"
    r"|\bor\s+\W{0,3}\(?[A-J]\)",
    re.IGNORECASE,
)
_ENUMERATION = re.compile(r"[0-9%]\s*(?:[,;|&]|,?\s+and)\s+(?:\\?\$|\*\*)?[0-9]")
_BOLD = re.compile(r"\*\*([^*\n]{1,120})\*\*")
_EQUALS = re.compile(r"=|≈|\\approx")

_UNITS = r"(?:\s?(?:mm|cm|km|kg|mg|ml|mL|lb|oz|ft|min|hr|m|g|s|h|l|L)\b[²³]?|\s?\\?%|\s?°|\s?\^\s?\{?\\circ\}?)"
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9.,_^/\\%!])(?<![0-9]\s)(?:[-−]\s?)?(?:\\?\$|[€£¥])?(?:[-−])?"
    r"(?:\\[dt]?frac\s?\{-?[0-9]{1,9}\}\s?\{[0-9]{1,9}\}|[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]{1,20}(?:\.[0-9]{1,20})?"
    r"|\.[0-9]{1,20})(?:\s?/\s?[0-9]{1,9})?(?:\s?(?:×|\\times)\s?10\s?\^?\s?\{?[-−]?[0-9]{1,3}\}?)?"
    rf"(?:{_UNITS})?(?![0-9A-Za-z_^!]|[.,:%][0-9]|\s[0-9]|\s?[-–+*×/÷=^]\s?[0-9(\\])"
)
_NUMBER_WORD = re.compile(
    r"\b(?:zero|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    r"eighteen|nineteen|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:-[a-z]{3,5})?)\b",
    re.IGNORECASE,
)
_BEFORE_VALUE = re.compile(
    r"\b(?:is|are|was|were|be|equals|equal to|a total of|has|have|had|spends?|spent|costs?|earns?|gets?|got|takes?)\s+"
    r"(?:(?:about|approximately|around|roughly|exactly|only|also|therefore|just|still)\s+)*(?:\\\(|\*\*)?$",
    re.IGNORECASE,
)
_LETTER = re.compile(
    r"\(([A-J])\)|\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s+(?:is\s+)?\W{0,3}([A-J])\b"
    r"|^[\s*$`('\[]{0,4}([A-J])(?=[.):*]|\W{0,3}$)"
)
_NEXT_LETTER = re.compile(
    r"\W{0,4}(?:(?:or|and)\W{1,3})?[A-J](?![A-Za-z0-9'’])|\W{0,3}\b(?:or|if|unless|but (?:that|this|it) is)\b"
)
_TEXT_COMMAND = re.compile(r"\\(?:text|mathrm|textbf|mathbf)\s?\{([^{}]*)\}")
_LETTER_FIRST = re.compile(r"[\s*$`]{0,4}(?:[Oo]ption\s)?(?:\(([A-J])\)|([A-J])[.):,])")
_COMMITTED = re.compile(r"\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s+(?:is|would be|must be)\s*:?\W{0,4}\(?([A-J])\b(?!\w)")
_GOES_ON = re.compile(r"[)*$\s]{0,4}(?:[,;:–—-]|\b(?:because|since|as|which|for|is|in)\b)")
_DENIED = re.compile(
    r"\W{0,4}(?:(?:is|are|was|were|can|does|do|would|could)\s?)?(?:n't|not|incorrect|wrong|false|ruled out|cannot)\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(r"\W{0,4}(yes|no)(?:\W{0,3}$|[,.;:])", re.IGNORECASE)


@dataclass(frozen=True)
class Conclusion:
    """The one value of a text as it stands there, or None with the reason in `note`."""

    value: str | None
    note: str = ""


Reader = Callable[[str], str | None]


def concluded_number(response: str, question: str = "") -> Conclusion:
    """The number that a response ends on, with its unit, e.g. "18 m" or "$5"."""
    given = frozenset(value for value in map(_value, _NUMBER.findall(question)) if value is not None)
    if len(response) > MAX_RESPONSE_CHARS:
        return Conclusion(None, f"the response is {len(response)} characters long")
    extraction = extract(response)
    if extraction.how == "none" and not extraction.candidates:
        return Conclusion(None, extraction.note)
    if extraction.declared:
        return Conclusion(extraction.answer, extraction.note)
    if extraction.how == "phrase":
        found = [n for n in (_number_of(c, given, declared=True) for c in extraction.candidates) if n is not None]
        if len({_value(n) for n in found}) > 1:
            return Conclusion(None, "more than one answer")
        if found:
            return _unless_taken_back(extraction, found[-1])
    return _settle(response, lambda sentence: _number_of(sentence, given), _value)


def concluded_option(response: str, options: Sequence[str], question: str = "") -> Conclusion:
    """The option that a response ends on: its index, as text."""
    if len(response) > MAX_RESPONSE_CHARS:
        return Conclusion(None, f"the response is {len(response)} characters long")
    extraction = extract(response)
    if (extraction.how == "none" and not extraction.candidates) or not options:
        return Conclusion(None, extraction.note or "there are no options")
    texts = list(options)
    if extraction.how in ("tag", "box", "json", "phrase"):
        read = _declared_option if extraction.declared else _option_of
        found = {i for i in (read(c, texts) for c in extraction.candidates) if i is not None}
        if len(found) > 1:
            return Conclusion(None, "more than one answer")
        if extraction.declared:
            named = extraction.answer is not None and found
            return Conclusion(found.pop()) if named else Conclusion(None, extraction.note or "not one option")
        if found:
            return _unless_taken_back(extraction, found.pop())
    concluded = _settle(response, lambda sentence: _option_of(sentence, texts), lambda index: index)
    if concluded.value is None:
        number = concluded_number(response, question)
        index = None if number.value is None else _option_by_value(number.value, texts)
        concluded = Conclusion(None, "no option is concluded") if index is None else Conclusion(str(index))
    committed = {str(LETTERS.index(letter)) for letter in _COMMITTED.findall(visible_text(response))}
    if concluded.value is not None and committed - {concluded.value}:
        return Conclusion(None, "more than one answer")
    return concluded


def sentences_of(response: str) -> list[str]:
    """The sentences of a response in order, without code, tables, drawings, questions and courtesies."""
    text = _CODE.sub("\n", visible_text(response)[-16 * MAX_ANSWER_CHARS :])
    sentences = []
    for piece in _SENTENCE_END.split(text):
        sentence = piece.strip()
        if not any(c.isalnum() for c in sentence) or sentence.endswith("?") or sentence.count("|") > 1:
            continue
        if not _COURTESY.match(sentence):
            sentences.append(sentence)
    return sentences


def _settle(response: str, read: Reader, identity: Callable[[str], object]) -> Conclusion:
    sentences = sentences_of(response)
    if not sentences:
        return Conclusion(None, "nothing but code, questions and courtesies")
    for sentence in reversed(sentences):
        if _CONCLUDES.search(sentence) and (value := read(sentence)) is not None:
            return Conclusion(value)
    spans = [span for sentence in sentences if len(sentence) <= _MAX_SENTENCE for span in _BOLD.findall(sentence)]
    bold = [value for span in spans[:_MAX_BOLD] if (value := read(span)) is not None]
    if bold and len({identity(value) for value in bold}) == 1:
        return Conclusion(bold[-1])
    ends = [value for sentence in (sentences[0], sentences[-1]) if (value := read(sentence)) is not None]
    if len({identity(value) for value in ends}) > 1:
        return Conclusion(None, "first and last sentence differ")
    return Conclusion(ends[0]) if ends else Conclusion(None, "no sentence concludes")


def _unless_taken_back(extraction: Extraction, value: str) -> Conclusion:
    """The value of several equal declarations, unless what follows the last one takes it back."""
    if extraction.answer is None and extraction.note != "more than one answer":
        return Conclusion(None, extraction.note)
    return Conclusion(value)


def _value(text: str) -> Fraction | None:
    numeral = parse_numeral(text)
    return None if numeral is None else numeral.value


def _number_of(sentence: str, given: frozenset[Fraction], declared: bool = False) -> str | None:
    """The number that a sentence commits to."""
    if len(sentence) > _MAX_SENTENCE or doubts(sentence) or _ALTERNATIVES.search(sentence):
        return None
    if declared and _value(sentence) is not None:
        return sentence
    bold = [number for span in _BOLD.findall(sentence) for number in _NUMBER.findall(span)]
    if bold and len({_value(number) for number in bold}) == 1:
        return str(bold[-1])
    _, *tails = _EQUALS.split(sentence)
    if tails and (match := _NUMBER.match(tails[-1].lstrip(" *$\\(,;!{"))):
        return str(match[0])
    if _ENUMERATION.search(sentence):
        return None
    matches = list(_NUMBER.finditer(sentence))
    if not matches:
        words = {word.casefold() for word in _NUMBER_WORD.findall(sentence)}
        return words.pop() if len(words) == 1 else None
    if any(c.isdigit() for c in sentence[matches[-1].end() :]):
        return None  # "6...7": the second number is none by itself
    sound = {
        m.start() for m in matches if committed_before(sentence[: m.start()]) and not denied_after(sentence[m.end() :])
    }
    stated = [m for m in matches if m.start() in sound and _BEFORE_VALUE.search(sentence, 0, m.start())]
    fresh = [m for m in matches if _value(m[0]) not in given]
    for numbers in (stated, fresh, matches):
        if numbers and len({_value(m[0]) for m in numbers}) == 1:
            return str(numbers[-1][0]) if numbers[-1].start() in sound else None
    return None


def _declared_option(answer: str, options: list[str]) -> str | None:
    """The index of the option that a declared answer is: by letter, text or value, or letter with its own text."""
    answer = _TEXT_COMMAND.sub(r"\1", answer).strip()
    found = {i for i in (_option_by_value(answer, options), option_by_letter(answer, options)) if i is not None}
    if not found and (match := _LETTER_FIRST.match(answer)):
        index = LETTERS.index(match[1] or match[2])
        if index < len(options) and _bare(answer[match.end() :]) == _bare(options[index]):
            found = {index}
    return str(found.pop()) if len(found) == 1 else None


def _option_of(sentence: str, options: list[str]) -> str | None:
    """The index of the option that a sentence names, by letter or by text."""
    if len(sentence) > _MAX_SENTENCE or maybe(sentence) or _ALTERNATIVES.search(sentence):
        return None
    by_text, by_letter = _option_by_value(sentence, options), option_by_letter(sentence, options)
    if by_text is not None or by_letter is not None:
        both = {index for index in (by_text, by_letter) if index is not None}
        return str(both.pop()) if len(both) == 1 else None
    found = list(_LETTER.finditer(sentence))
    letters = [(m[1] or m[2] or m[3], m.end(), m[1] is None) for m in found]
    if found and not _commits_to_letter(sentence, found[-1], options):
        return None
    if letters:
        index = LETTERS.index(letters[0][0])
        if len({letter for letter, _, _ in letters}) > 1 or index >= len(options):
            return None
        rest, own = _bare(sentence[letters[-1][1] :]), _bare(options[index])
        repeats = bool(own) and (rest.startswith(own) or (own.startswith(rest) and 2 * len(rest) > len(own)))
        if letters[-1][2] and rest and not repeats and not _GOES_ON.match(sentence, letters[-1][1]):
            return None  # "A dog", "D. H. Lawrence": a bare letter before other words may be anything
        others = (_bare(text) for i, text in enumerate(options) if i != index)
        clash = not repeats and any(rest.startswith(text) for text in others if text)
        denied = any(_DENIED.match(sentence, end) for _, end, _ in letters) and not own.startswith("no")
        return None if clash or denied else str(index)
    if (match := _YES_NO.match(sentence)) and {normalise(text) for text in options} == {"yes", "no"}:
        return str([normalise(text) for text in options].index(match[1].casefold()))
    return None if doubts(sentence) else _option_inside(normalise(sentence), options)


def _commits_to_letter(sentence: str, letter: re.Match[str], options: list[str]) -> bool:
    """Whether the words up to a letter state it and none after it asks or adds another letter."""
    before, after = sentence[: letter.start()], sentence[letter.end() :]
    if doubts(before) or sentence.endswith("?") or _NEXT_LETTER.match(after) or denied_after(after):
        return False
    index = LETTERS.index(letter[1] or letter[2] or letter[3])
    own = _bare(options[index]) if index < len(options) else ""
    return committed_before(before) or letter[2] is not None or (bool(own) and _bare(before).endswith(own))


def _option_by_value(text: str, options: list[str]) -> int | None:
    """The option whose text the text is, or whose value it has where no other option has that value."""
    index = option_by_text(text, options)
    if index is not None or "\\" not in text:
        return index
    values = [latex_to_number(_latex(option)) for option in options]
    value = latex_to_number(_latex(text))
    same = [i for i, other in enumerate(values) if value is not None and other is not None and isclose(value, other)]
    return same[0] if len(same) == 1 else None


def _bare(text: str) -> str:
    """Letters and digits alone, lower case; what an option's text has in common with its copy in another markup."""
    return re.sub(r"\\(?:text|mathrm|left|right)\b|[\W_]", "", text.casefold())


def _latex(text: str) -> str:
    return text.replace("√", "\\sqrt").replace("π", "\\pi ").rstrip(" .°")


def _option_inside(sentence: str, options: list[str]) -> str | None:
    """The only option whose words stand in the sentence; numbers and single letters are not looked for."""
    found = set()
    for index in sorted(range(len(options)), key=lambda i: -len(options[i])):
        text = normalise(options[index])
        if len(text) < 2 or text in ("yes", "no") or parse_numeral(text) is not None:
            continue
        pattern = rf"(?<!\w){re.escape(text)}(?!\w)"
        if re.search(pattern, sentence):
            found.add(index)
            sentence = re.sub(pattern, " ", sentence)  # a shorter option inside a longer one was not said
    return str(found.pop()) if len(found) == 1 else None
