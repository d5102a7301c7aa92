"""Whether a sentence speaks of another quantity than the question asks for: the smallest for the largest, the sum where
none is asked, the width for the height, the blue bar for the red one."""

from __future__ import annotations

import re

from vlrl.verify.reading.hedging import main_clause
from vlrl.verify.values.compare import says_nothing

_LARGEST = r"(?:tall|high|larg|great|bigg|long|old|heavi|strong|fast)est|maximum"
_SMALLEST = r"(?:short|low|small|few|young|light|weak|slow)est|minimum"
_EXTREMES = re.compile(rf"\b(?:{_LARGEST})\b", re.IGNORECASE), re.compile(rf"\b(?:{_SMALLEST})\b", re.IGNORECASE)
_NOT_THE_FIRST = re.compile(rf"\b(?:second|third|fourth|next)[\s-](?:{_LARGEST}|{_SMALLEST})\b", re.IGNORECASE)
_COMPUTED = {  # what is computed, and how a question asks for it
    "sum|total": r"sums?|totals?|altogether|together|combined|in all|overall|all|both|add\w*|plus|perimeter|around|"
    r"how (?:many|much|old|long|far)",
    "difference": r"differ\w*|gap|more|less|fewer|than|subtract\w*|minus|left|remain\w*|chang\w*|increase\w*|"
    r"decreas\w*|apart|between|range|margin|rise|drop|reduc\w*|sav\w*|discount|profit|need\w*|miss\w*",
    "product": r"products?|times|multipl\w*|area|volume|how (?:many|much)|total",
    "quotient": r"quotients?|divi\w*|ratio|each|per|how (?:many|much)",
    "average|mean": r"averages?|means?|per|expected",
}
_MEASURED = {  # what is measured, and what else it may be called
    "length": r"lengths?|long\w*|distances?|far|sides?|edges?|segments?|hypotenuse|legs?|base|perimeter|circumference|"
    r"radius|diameter",
    "width|breadth": r"widths?|wide\w*|breadth|across",
    "height|altitude": r"heights?|high\w*|tall\w*|altitudes?|elevation",
    "depth": r"depths?|deep\w*",
    "area": r"areas?|surface",
    "volume|capacity": r"volumes?|capacity|hold\w*|space",
    "perimeter|circumference": r"perimeters?|circumferences?|around|lengths?|distances?|far|fenc\w+|border",
    "radius": r"radius|radii|lengths?|distances?",
    "diameter": r"diameters?|across|wide|width|lengths?|distances?",
    "speed|velocity": r"speeds?|velocity|fast\w*|rate",
    "weight|mass": r"weights?|weigh\w*|mass|heav\w+",
    "age": r"ages?|old\w*|young\w*",
    "price|cost": r"prices?|costs?|pay|paid|spen[dt]|charge\w*|worth|bill",
    "profit": r"profits?|gains?|earn\w*",
    "revenue|income": r"revenues?|incomes?|sales|earn\w*",
    "median": "median",
    "mode": "mode",
    "range": "range",
    "probability": r"probabilit\w+|chances?|likel\w+|odds",
}
_SIGN = {"sum|total": "[+]", "difference": "[-−–]", "product": r"[*×·]|\\times|\\cdot", "quotient": "[/÷:]|\\frac"}
_NOUNS = {
    noun: (re.compile(rf"\b(?:{noun})\b", re.IGNORECASE), re.compile(rf"\b(?:{asks})\b", re.IGNORECASE))
    for noun, asks in (*_COMPUTED.items(), *_MEASURED.items())
}
_ONE_OF = (  # words that exclude each other
    re.compile(r"\b(?:red|blue|green|yellow|orange|purple|pink|brown|black|white|gr[ae]y|cyan)\b", re.IGNORECASE),
    re.compile(r"(?<=\bthe )(?:first|second|third|fourth|fifth)\b(?!\s(?:step|thing))", re.IGNORECASE),
    re.compile(r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b"),
    re.compile(r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b"),
)
_VALUE = re.compile(r"[-$€£]{0,3}[0-9]|$")


def names_another(sentence: str, question: str) -> bool:
    """Whether a sentence speaks of another quantity than the question; never where the question says nothing."""
    if not question:
        return False
    asked, said = ([pattern.search(text) is not None for pattern in _EXTREMES] for text in (question, sentence))
    if sum(asked) == 1:
        wanted = asked.index(True)
        if said[1 - wanted] and not said[wanted]:
            return True
        if _NOT_THE_FIRST.search(sentence) is not None and _NOT_THE_FIRST.search(question) is None:
            return True
    if says_nothing(question):
        return False
    clause = main_clause(sentence)
    return _names_another_noun(clause, question) or any(_excludes(words, clause, question) for words in _ONE_OF)


def _names_another_noun(clause: str, question: str) -> bool:
    """Whether what stands before the clause's last number names a quantity that the question doesn't ask for."""
    values = [match.start() for match in _VALUE.finditer(clause)]
    before = clause[: values[-2] if len(values) > 1 else values[-1]]
    named = [noun for noun, (spoken, _) in _NOUNS.items() if spoken.search(before)]
    if not named or any(_NOUNS[noun][1].search(question) for noun in named):
        return False
    if any(noun in _SIGN and re.search(_SIGN[noun], question) for noun in named):
        return False
    return any(noun in _COMPUTED for noun in named) or any(_NOUNS[noun][1].search(question) for noun in _MEASURED)


def _excludes(words: re.Pattern[str], clause: str, question: str) -> bool:
    said, asked = ({word.casefold() for word in words.findall(text)} for text in (clause, question))
    return bool(said and asked) and said.isdisjoint(asked)
