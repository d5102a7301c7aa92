"""Whether an English sentence says something of another subject than the question: the house for the car, coffee for
tea, ∠AOC for ∠BOC.

Only sentences built as the question is are compared ("What color is the car?" and "The house is red"), and only their
nouns: a word of the question, a word for anything ("the object") and a word for what is measured ("the length") name no
other subject, and neither does a sentence that has the question's subject anywhere.
"""

from __future__ import annotations

import re
from functools import lru_cache

from vlrl.verify.values.quantity import stem
from vlrl.verify.words.languages import plain_words, words

_FIGURE = r"(?:(?:m\s?)?(?:\\angle|∠|[Aa]ngle)\s?)?(?<![A-Za-z])(?P<name>[A-Z]{2,3})(?![A-Za-z])"
_ASKS_FIGURE = re.compile(  # "Find AB", "the length of AB", "angle BOC"
    rf"(?:\b(?:[Ff]ind|of|is|[Cc]alculate|[Dd]etermine|for|segment)|∠|\\angle|[Aa]ngle)\W{{0,4}}{_FIGURE}(?![\s$]{{0,3}}(?:[=＝]|is\s[0-9]))"
)
_GIVES_FIGURE = re.compile(rf"{_FIGURE}[\s$)*]{{0,3}}(?:=|is\s|equals\s|≈|\\approx)")
_NOUN = (
    r"(?!(?:of|in|on|at|with|for|from|by|to|that|which|is|are|going|cost|weigh|measure|show|say|read|take|last|need)\b)"
    r"[^\W\d_]+(?:['’]s)?"
)
_NOUNS = rf"(?P<nouns>{_NOUN}(?:\s{_NOUN}){{0,3}}?)"
_THE = r"(?:the|this|that|these|those|her|his|their|its|my|our)\s"
_BE = r"(?:is|are|was|were)\s"
_ASKS_WHAT_IT_IS = re.compile(  # "What color is the car", "How tall is the tree", "How much does the pen cost"
    rf"\b(?:(?:what|which)\s[^\W\d_]+|how\s[^\W\d_]+(?:\s[^\W\d_]+)?)\s(?:{_BE}|(?:does|do|did)\s){_THE}{_NOUNS}"
    r"(?=\s?[?.,(]|\s(?:in|on|at|of|with|going|cost|weigh|measure|show|say|read|take|last|need)\b)",
    re.IGNORECASE,
)
_ASKS_SHARE = re.compile(
    r"\b(?:what|which)\s(?:percent(?:age)?|share|proportion)\sof\s(?:(?:the|all|these|those)\s)*(?P<of>[^\W\d_]+)\s"
    r"(?P<rest>[^?.]+)",
    re.IGNORECASE,
)
_SAYS_WHAT_IT_IS = re.compile(
    rf"\W*(?:so,?\s)?{_THE}{_NOUNS}\s(?:{_BE}|(?:costs?|weighs?|measures?|takes?|lasts?|needs?)\s)",
    re.IGNORECASE,
)
_LOCATED = re.compile(
    rf"\W*{_THE}{_NOUNS}\s(?:{_BE})?(?:located\s|found\s|visible\s)?(?:at|in|within)\W*$", re.IGNORECASE
)
_SAYS_OF_SHARE = re.compile(
    r"\W*[0-9.]+\s?(?:%|percent)\sof\s(?:the\s|all\s)?(?P<of>[^\W\d_]+)\s(?P<said>[^.;:]+)"
    r"|\W*(?P<label>(?:[^\W\d_]+\s?){1,3}):\W*[0-9.]+\s?(?:%|percent)"
    r"|\W*(?P<chosen>(?:[^\W\d_]+\s){1,3})(?:(?:is|are|was|were|has|have|had)\s(?:\w+\s)*by|accounts?\sfor|makes?\sup|"
    r"takes?|represents?)\s[0-9.]+\s?(?:%|percent)",
    re.IGNORECASE,
)
_HAPPENS = re.compile(  # where the time on a clock is asked
    r"\W*(?:the\s)?(?P<nouns>(?:[^\W\d_]+\s){1,3}?)(?:leaves?|departs?|arrives?|starts?|begins?|opens?|closes?|ends?)\sat\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+")
_OWNER = re.compile(r"\b([^\W\d_]+)['’]s\s")
_ATTRIBUTE = re.compile(rf"\bwhat\s{_BE}the\s(\w+)\sof\b", re.IGNORECASE)
_RATIO = re.compile(r"\bratio of (?:the )?(?:number of )?(\w+) to (?:the )?(?:number of )?(\w+)", re.IGNORECASE)
_QUALIFIED = re.compile(  # "the neighbouring town", "the top speed"
    r"\b(?:neighbou?ring|nearby)\s(?:\w+\s){1,2}(?:is|are|was|were|has|have|costs?)\b|\b(?:maximum|top|average)\sspeed\b",
    re.IGNORECASE,
)
_SMALL = plain_words("no_noun")["english"]
_ANYTHING = re.compile(words("anything"), re.IGNORECASE)
_ANY = re.compile(
    rf"{words('abstract', 'anything', 'answer', 'thing', 'image', 'length', 'width', 'height', 'depth', 'perimeter')}"
    rf"|{words('area', 'volume', 'angle', 'radius', 'diameter', 'duration', 'age', 'weight', 'speed', 'temperature')}"
    rf"|{words('price', 'level', 'sum', 'difference', 'probability')}",
    re.IGNORECASE,
)


def names_another_subject(sentence: str, question: str) -> bool:
    """Whether a sentence is built as the question is and says it of something that the question doesn't speak of."""
    figures, subject, whole, rest, known = _asked(question)
    if figures and names_another_figure(sentence, question):
        return True
    qualified = _QUALIFIED.search(sentence)
    if qualified is not None and qualified[0].split()[0].casefold() not in question.casefold():
        return True
    if (asked := _RATIO.search(question)) is not None and (said := _RATIO.search(sentence)) is not None:
        return (asked[1].casefold(), asked[2].casefold()) == (said[2].casefold(), said[1].casefold())
    if (asked := _ATTRIBUTE.search(question)) is not None:
        other = re.search(rf"\bthe\s{asked[1]}\s(\w+)\sof\b", sentence, re.IGNORECASE)
        return other is not None and _is_another(other[1], known)
    spoken = _stems(sentence)
    if subject and (said := _SAYS_WHAT_IT_IS.match(sentence)) is not None:
        owner = _OWNER.search(said["nouns"])
        if owner is not None and _OWNER.search(question) is not None and _is_another(owner[1], known):
            return True
        return subject not in spoken and _is_another(said["nouns"], known)
    if (said := _HAPPENS.match(sentence)) is not None and "what time" in question.casefold():
        return _is_another(said["nouns"], known)
    if not rest or (said := _SAYS_OF_SHARE.match(sentence)) is None:
        return False
    if said["of"] is not None and stem(said["of"].casefold()) != whole:
        return stem(said["of"].casefold()) in known
    return rest not in spoken and _is_another(said["said"] or said["label"] or said["chosen"], known)


def names_another_place(before: str, question: str) -> bool:
    """Whether what stands before a box or point says that something else lies there: "The cat is at"."""
    said = _LOCATED.match(before)
    known = _stems(question)
    return (
        said is not None and len(known) > 1 and known.isdisjoint(_stems(before)) and _is_another(said["nouns"], known)
    )


def names_another_figure(text: str, question: str) -> bool:
    """Whether a text gives a segment or an angle, and not the one that is asked: "BC = 4" for AB."""
    asked = _asked(question)[0]
    if not asked or asked & (given := _figures(_GIVES_FIGURE, text)):
        return False
    return any(len(name) == len(other) for name in given for other in asked)


def _is_another(nouns: str, known: frozenset[str]) -> bool:
    """Whether the last of these words is no word of the question and none for anything."""
    spoken = [word for word in map(str.casefold, _WORD.findall(nouns)) if word not in _SMALL]
    return bool(spoken) and _ANY.search(spoken[-1]) is None and stem(spoken[-1]) not in known


@lru_cache(maxsize=1024)
def _asked(question: str) -> tuple[frozenset[str], str, str, str, frozenset[str]]:
    """(the segments and angles that are asked, the stem of the subject of which something is asked, those of what a
    share is asked of and of the last word on it, those of all words)."""
    subject, share = _ASKS_WHAT_IT_IS.search(question), _ASKS_SHARE.search(question)
    head = _WORD.findall(subject["nouns"].casefold())[-1] if subject is not None else ""
    asked = "" if _ANYTHING.fullmatch(head) else stem(head)
    whole, rest = (share["of"], _WORD.findall(share["rest"])[-1]) if share is not None else ("", "")
    return _figures(_ASKS_FIGURE, question), asked, stem(whole.casefold()), stem(rest.casefold()), _stems(question)


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in map(str.casefold, _WORD.findall(text)) if word not in _SMALL)


def _figures(pattern: re.Pattern[str], text: str) -> frozenset[str]:
    """The segments and angles that a text names, each in one spelling: AB and BA, BOC and COB are one."""
    return frozenset(min(name, name[::-1]) for name in (match["name"] for match in pattern.finditer(text)))
