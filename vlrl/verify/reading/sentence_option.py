"""The option that a text is or that a sentence names: by letter, by its text, by its number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from vlrl.verify.math.formula_value import same_closed_form
from vlrl.verify.reading.committed_answer import MAX_SENTENCE, without_tail
from vlrl.verify.reading.hedging import committed_before, denied_after, doubts, main_clause, maybe
from vlrl.verify.values.normaliser import clean, normalise, plain_characters, spelled
from vlrl.verify.values.quantity import Quantity, read_quantity
from vlrl.verify.words.languages import words

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_LETTER_WHOLE = re.compile(
    r"[\s*$`]*(?:(?:the|la|le|el|die|der|(?-i:[ao]))\s)?(?:(?:option|choice|answer|letter|image|letra|lettre|buchstabe|буква|opción|opção|alternativa|antwort|réponse|respuesta|resposta|вариант|ответ|选项|選項)\s?)?[*$`]*(?:\\(?:text[a-z]*|math[a-z]*)\{)?"
    r"(?:\(\s?([A-Za-z])\s?\)|\[{1,2}([A-Z])\]{1,2}|([A-Za-z]))\}?(?=[\s*$`.:)、,—–-]|\\|选|選|项|是?正|$)\}?(?:\s?(?:选项|選項|项))?"
    r"(?:是?正[确確](?:的|答案)?。?)?"
    r"[\s*$`]*[.:)、,—–-]{0,3}[\s*$`]*(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
_NOT_THAT = re.compile(r"^[\s,]*\(?(?:not|rather than|instead of)\s\(?[A-J]\)?\)?\W*$")  # "B (not C)"
_LETTER = re.compile(
    r"\(([A-J])\)|\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer|[Ll]etter|[Cc]hoose|[Pp]ick|"
    r"[Ss]elect|[Ii]t['’]s|[Ii]t is|[Ii]t (?:must|should|has to) be|"
    r"go(?:ing)? with|(?:[Cc]orrect|[Rr]ight|[Bb]est)(?:\s(?:one|match|fit))?(?=\s(?:is|would be|must be|should be)\s))"
    r"\s{0,1}:?\s+(?:(?:letter\s)?(?:is|should be|must be|would be):?\s+)?"
    r"(?:option\s|choice\s|letter\s)?[\s*$(\[:'\"“]{0,3}([A-J])(?![\w'’\u0300-\u036f])|"
    r"^[\s*$`('\[]{0,4}([A-J])(?=[.):*]|(?!['’])[^\w\u0300-\u036f+#=−-]{0,3}$|[*$]{0,3}\sis\s(?:the\s)?(?:correct|"
    r"right|best|answer))"
)
_LETTER_FIRST = re.compile(  # "B is the answer" abroad
    r"[\s*$`(]{0,4}([A-J])[\s*$`)]{0,4}\s?(?:(?:が|は)\s?(?:正解|正しい|答え)(?:です|である|だ)?|是正确(?:的|答案|选项)|"
    r"(?:이|가)\s?(?:정답|답)(?:입니다|이다)?|est la (?:bonne|(?=réponse correcte))\s?réponse(?:\scorrecte)?|"
    r"ist (?:richtig|korrekt|die (?:richtige\s)?antwort)|es (?:la )?(?:respuesta )?correcta|"
    r"é a (?:resposta|alternativa|opção) correta|— правильный ответ)\W*",
    re.IGNORECASE,
)
_IS_CORRECT = re.compile(  # "B (dog) is correct": what stands before it must be one option and nothing else
    r"(?:only\s)?(.{1,300}?),?\s(?:is|must be|should be|seems)\s(?:therefore\s|thus\s|clearly\s)?"
    r"(?:(?:the\s)?(?:only\s)?(?:correct|right|best|true)(?:\s(?:one|answer|option|choice))?|the\sanswer)\W*",
    re.IGNORECASE,
)
_SECOND_LETTER = re.compile(r"\(?\b[A-J]\)?\s?(?:,|/|\bor\b|\band\b|&)\s?(?:or\s|option\s|choice\s)?\(?[A-J]\b(?!\w)")
_NEXT_LETTER = re.compile(
    r"\W{0,4}(?:(?:or|and)\W{1,3})?[A-J](?![A-Za-z0-9'’])|\W{0,3}\b(?:or|if|unless|but (?:that|this|it) is)\b"
)
_ALTERNATIVES = re.compile(
    r"[0-9][^.\n]{0,20}\b(?:or|nor|versus|vs)\b[^.\n]{0,20}[0-9]|[)*]\s*(?:or|nor|and)\s+\W{0,4}[A-J]\b"
    r"|\bor\s+\W{0,3}\(?[A-J]\)|,\s(?:no|wait|actually)\b",
    re.IGNORECASE,
)
_TURNS = re.compile(r",\s(?:no|wait|actually)\b[,;:]", re.IGNORECASE)  # also in a reason
_GOES_ON = re.compile(rf"[)*$\s]{{0,4}}(?:[,;:–—-]|{words('because')}|\b(?:which|for|is|in)\b)")
_WHY = re.compile(rf"\s?[,;，(（—–]?\s?{words('because')}", re.IGNORECASE)
_DENIED = re.compile(
    r"\W{0,4}(?:(?:is|are|was|were|can|does|do|would|could)\s?)?(?:n't|not|incorrect|wrong|false|ruled out|cannot)\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(r"\W{0,4}(?:so,? |therefore,? )?(yes|no|true|false)(?=\s?(?:[,.;:!]|$))", re.IGNORECASE)
_QUOTED = re.compile(r"^\s*([\"'“‘])([^\"'“”‘’]{1,200})[\"'”’]\s*\.?\s*$")
_GRADE = re.compile(r"^\W*[A-Za-z][+-]\W*$")
_COMPOUND = re.compile(
    r"\s(?!(?:is|are|was|were|in|on|at|with|that|which|because|since|as|from|of|to|by|for|and|or|who|here|"
    r"if|than|has|have|can|would|does|not|but|so|"
    r"\w+(?:ing|ed|wn|en))\b)[a-z]+\W*$"
)
_POSSESSIVE = re.compile(r"['’]s\s")
_OR = re.compile(r"\W{0,4}(?:or|and)\b", re.IGNORECASE)
_LABEL = re.compile(r"^\W{0,3}\(?[A-J][.):,]\s+")
_LETTER_BEFORE = re.compile(r"\b[a-j]\s?[(:—–-]\s*$")
_FULL_WIDTH = re.compile("[\uff01-\uff5e]")
_ARTICLE = re.compile(r"^(?:the|an?)\s+")


def option_of(answer: str, options: Sequence[str]) -> int | None:
    """The option that a text is, by its letter or its text; None where it is none, or letter and text don't agree."""
    answer = _QUOTED.sub(r"\2", without_tail(answer))
    plain = clean(answer) if "\\" in answer else answer  # \( \text{C. } 145 \)
    by_text, by_letter = option_by_text(answer, options), option_by_letter(plain, options)
    if by_text is not None and by_letter is not None and by_text != by_letter:
        return None
    if by_text is None and by_letter is None and "\\" in answer:
        return _option_by_value(answer, options)
    return by_letter if by_text is None else by_text


def leading_option(text: str, options: Sequence[str]) -> int | None:
    """The option that "the answer is …" begins with, where a reason follows: "la B, car on voit un chien"."""
    head, *why = _WHY.split(text, maxsplit=1)
    if not why or maybe(text) or _ALTERNATIVES.search(text) or _SECOND_LETTER.search(text):
        return None
    return option_of(head, options)


def option_by_letter(answer: str, options: Sequence[str]) -> int | None:
    """The option whose letter the answer is; what follows the letter must be that option's own text or nothing."""
    match = _LETTER_WHOLE.fullmatch(_FULL_WIDTH.sub(lambda m: chr(ord(m[0]) - 0xFEE0), answer))
    if match is None or _GRADE.search(answer):
        return None
    index = LETTERS.index((match[1] or match[2] or match[3]).upper())
    if index >= (len(options) or 10):
        return None
    rest = normalise(_NOT_THAT.sub("", match["rest"]))
    if not rest or rest.strip("()[]*.$} ") == "":
        return index
    return index if options and _same_text(rest, options[index]) else None


@lru_cache(maxsize=1024)
def _normalised(options: tuple[str, ...]) -> list[str]:
    return [normalise(option) for option in options]


def _same_text(text: str, option: str) -> bool:
    """Whether a text is an option's, in another markup or with another article."""
    one, other = (_words(_ARTICLE.sub("", side.casefold())) for side in (text, option))
    return one == other and (one != "" or normalise(text) == normalise(option))


def option_by_text(answer: str, options: Sequence[str]) -> int | None:
    """The option whose text the answer is, or whose number it is where no other option has that number."""
    if not options:
        return None
    wanted, texts = normalise(answer), _normalised(tuple(options))
    if wanted in texts:
        return texts.index(wanted)
    without = _ARTICLE.sub("", wanted)
    bare = [i for i, text in enumerate(texts) if text.endswith(without) and _ARTICLE.sub("", text) == without]
    if len(bare) == 1:
        return bare[0]
    number = read_quantity(answer)
    if number is None:
        return None
    same = [
        (i, _same_unit(number, other))
        for i, o in enumerate(options)
        if (other := read_quantity(o)) is not None and other.value == number.value
    ]
    return same[0][0] if len(same) == 1 and same[0][1] else None


def _same_unit(one: Quantity, other: Quantity) -> bool:
    """Whether the units of two quantities don't differ; one of them may have none."""
    names = {"%" if q.unit is None else q.unit.name for q in (one, other) if q.percent or q.unit}
    return len(names) < 2


def option_in_sentence(sentence: str, options: Sequence[str], question: str = "") -> int | None:
    """The one option that a sentence names and commits to; None if it hedges, denies or names two."""
    if _TURNS.search(sentence):
        return None
    sentence = main_clause(sentence)
    if len(sentence) > MAX_SENTENCE or _ALTERNATIVES.search(sentence):
        return None
    if (whole := option_of(sentence, options)) is not None:
        return whole
    if maybe(sentence, question):
        return None
    if (named := _IS_CORRECT.fullmatch(sentence)) is not None and (whole := option_of(named[1], options)) is not None:
        return whole
    if (led := _LETTER_FIRST.fullmatch(sentence)) is not None:
        index = LETTERS.index(led[1].upper())
        return index if index < (len(options) or 10) else None
    found = list(_LETTER.finditer(sentence))
    if found:
        return _by_letters(sentence, found, options, question)
    if _LABEL.match(sentence) and options:
        return None  # a letter before another option's text
    opening, texts = _YES_NO.match(sentence), _normalised(tuple(options))
    if opening is not None and opening[1].casefold() in texts:
        rest = sentence[opening.end() :]
        return None if _ALTERNATIVES.search(rest) or _OR.match(rest) else texts.index(opening[1].casefold())
    return _option_inside(normalise(sentence), options, question)


def _by_letters(sentence: str, found: list[re.Match[str]], options: Sequence[str], question: str) -> int | None:
    letters = {m[1] or m[2] or m[3] for m in found}
    index, last = LETTERS.index(next(iter(letters))), found[-1]
    before, after = sentence[: last.start(last.lastindex or 0)], sentence[last.end() :]
    if (
        len(letters) > 1
        or index >= (len(options) or 10)
        or _SECOND_LETTER.search(sentence)
        or _NEXT_LETTER.match(after)
    ):
        return None
    own = normalise(options[index]) if index < len(options) else ""
    outside = normalise(sentence).replace(own, " ") if own else normalise(sentence)
    if doubts(
        outside[: outside.find(f"{LETTERS[index].casefold()}")] if own == "" else outside, question
    ) or sentence.endswith("?"):
        return None
    rest = _words(after)
    repeats = bool(own) and (
        rest.startswith(_words(own))
        or (len(rest) > 1 and _words(own).startswith(rest) and 2 * len(rest) > len(_words(own)))
    )
    if (
        last[1] is None
        and rest
        and not repeats
        and not _GOES_ON.match(sentence, last.end())
        and last.group(3) is not None
    ):
        return None  # "A dog", "D. H. Lawrence": a bare letter before other words may be anything
    bare = _words(_ARTICLE.sub("", after.casefold().lstrip(" \t:.)—–-*$")))
    clash = not repeats and any(
        rest.startswith(words) or bare.startswith(words)
        for i, o in enumerate(options)
        if i != index and (words := _words(_ARTICLE.sub("", o.casefold())))
    )
    if (
        clash
        or (last[3] is not None and rest and options and not repeats and not _GOES_ON.match(after))
        or _DENIED.match(after)
        or denied_after(after)
    ):
        return None
    named_before = bool(own) and _words(before).endswith(_words(own))
    return index if named_before or committed_before(before.rstrip("([*$ ") + " ") or last[2] is not None else None


def _option_inside(sentence: str, options: Sequence[str], question: str) -> int | None:
    """The only option whose words stand in a sentence that commits to them; numbers and single letters don't count."""
    found: dict[int, int] = {}
    rest = sentence
    for index in sorted(range(len(options)), key=lambda i: -len(options[i])):
        text = normalise(options[index])
        if len(text) < 2 or text in ("yes", "no") or read_quantity(text) is not None:
            continue
        match = re.search(rf"(?<!\w){re.escape(text)}(?!\w)" if text.isascii() else re.escape(text), rest)
        if match is not None:
            found[index] = match.start()
            rest = rest[: match.start()] + "\x00" * len(text) + rest[match.end() :]  # a shorter one inside was not said
    if len(found) != 1 or doubts(rest.replace("\x00", ""), question):
        return None
    index, start = found.popitem()
    if _POSSESSIVE.match(sentence, start + len(normalise(options[index]))):
        return None
    after = sentence[start + len(normalise(options[index])) :]
    if _COMPOUND.match(after) or _LETTER_BEFORE.search(sentence[:start]):
        return None  # "a dog collar"; "only A (dog)", where A is another option
    return index if committed_before(sentence[:start]) and not denied_after(after, question) else None


def _option_by_value(text: str, options: Sequence[str]) -> int | None:
    """The option that a formula equals, where it equals no other one."""
    same = [i for i, option in enumerate(options) if same_closed_form(spelled(text), spelled(option))]
    return same[0] if len(same) == 1 else None


def _words(text: str) -> str:
    """Letters and digits alone, lower case; what an option's text has in common with its copy in another markup."""
    return re.sub(r"\\(?:text|mathrm|left|right|circ|frac|dfrac)\b|[\W_]", "", plain_characters(text).casefold())
