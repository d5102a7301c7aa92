"""The words that a sentence states: of its subject ("The capital is Paris"), as its subject ("Paris is the capital",
where that is asked), or as yes and no.

Besides what it says as a whole, "the Amazon river", a sentence gives what it says without the words that the question
has at its edges, "Amazon" where a river is asked.
"""

from __future__ import annotations

import re
from functools import lru_cache

from vlrl.verify.reading.hedging import asked_verb, doubts, main_clause, maybe, verb_stem
from vlrl.verify.values.normaliser import normalise
from vlrl.verify.words.languages import words

_COPULA = (
    rf"(?:(?:is|are|was|were)\s\w+\sby|{words('is', apart=True)}|belongs\sto|(?:looks|appears|seems)(?:\sto\sbe)?|—)"
    r"(?:\s(?:painted|colou?red|called|named|labell?ed))?"
)
_STATES = re.compile(
    r"(?P<subject>(?:[^\W\d_]+[’'\s-]+){0,12}?(?:it|this|that|there|c|[^\W\d_]{2,})(?:['’](?:s(?!\s\w+\s(?:is|are)\b)|est)|\s"
    rf"{_COPULA}))(?:\s|:\s)(?P<said>[^.;:!?]{{1,200}}?)[.!\s]*"
    r"|(?P<topic>[^，。：、]{0,30}?)(?:是|为|為|叫|在|は|(?<=[\uac00-\ud7af])[은는](?=\s))(?P<joined>[^，。：!?！？]{1,60}?)"
    r"(?:です|である|だ|입니다|이다|이에요)?[。.！!\s]*",
    re.IGNORECASE,
)
_NAMES = re.compile(r"(?P<name>(?:[^\W\d_]+\s?){1,3}):\s(?P<said>[^:;?]{1,80})")
_YES_NO = re.compile(
    r"(?:(?![^,]*\b(?:yes|no)\b)[^.;:]{0,80},\s)?(yes|no)(?=\s?[,.;:!]|\s[—–-]|$)(?!,?\s(?:or|and)\b)(.*)",
    re.IGNORECASE | re.DOTALL,
)
_TURNS = re.compile(
    r"\.\.|\b(?:yes|no|true|false|if|but|or|unless|only|actually|except|though|not sure)\b", re.IGNORECASE
)
_ASKS_WHETHER = re.compile(
    r"(?:^|[.,:?!\n]\s*)(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b[^?]*\?\s*\W*"
    r"(?:\(?[A-Z]\W.*)?$",
    re.IGNORECASE | re.DOTALL,
)
_ASKS_WHICH = re.compile(r"\b(?:which|what|who)\b(?:(?!\b(?:which|what|who)\b)[^?])*\?", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_ASIDE = re.compile(r",\s|\s[(—–]|\swith\s")
_BESIDE = (
    re.compile(  # what a value is worth, and what comes after the first: "(120 units)", ", with 37 million people"
        r"\s\((?=[^()]*[0-9])[^()]{1,60}\)[.\s]*$|,\swith\s(?=[^;]*[0-9])[^;]{1,60}$|,?\sfollowed by\s[^;]{1,60}$",
        re.IGNORECASE,
    )
)
_RANKS = re.compile(r"\b(?:\w+est|most|least|maximum|minimum|first)\b", re.IGNORECASE)
_UNSURE = re.compile(
    rf"{words('perhaps', 'maybe', 'not', 'wrong', 'or', 'except', 'doubt')}|\b(?:or|and|but|no)\b|[?？/,;]",
    re.IGNORECASE,
)
_IN_CHART = re.compile(
    rf",?\s(?:in|on|from|according to)\s(?:the|this)\s{words('image', 'seen_in')}(?=\W*$)", re.IGNORECASE
)
_HOW = re.compile(
    r",\s(?:in|from|with|by)\s[^,;.\d]{1,40},(?=\s(?:is|are)\b)", re.IGNORECASE
)  # "The colors, from left to right, are"
_VERB = re.compile(rf"{words('is', 'states', 'stating')}|['’](?:s|re|est)\b", re.IGNORECASE)
_DID = re.compile(r"((?:[^\W\d_]+\s){1,3})(?:did|does|do|is|was|has|had)[.!\s]*", re.IGNORECASE)
_ASKS_WHO = re.compile(r"(?:^|[.?!]\s)who\b[^?]*\?\s*$", re.IGNORECASE)
_PLACED = re.compile(r"(?:in|on|at)\s", re.IGNORECASE)  # "On July 14"
_EDGE = re.compile(r"^(?:an?|the|in|on|at)\s", re.IGNORECASE)
_HAN_EDGE = re.compile(r"[边邊侧側色]$")
MAX_SUBJECT = 6  # words


def words_in_sentence(sentence: str, question: str) -> tuple[str, ...] | None:
    """What a sentence states, in normal form: as a whole, and without words of the question; None where it doubts."""
    sentence = _IN_CHART.sub("", _HOW.sub("", sentence.replace("**", "").strip(" *")))
    if _ASKS_WHETHER.search(question) and (found := _YES_NO.fullmatch(sentence)) is not None:
        said, why = found[1].casefold(), found[2]
        unsure = maybe(why) or _TURNS.search(why) or (said == "yes" and doubts(why, question))
        return None if unsure else (said,)
    clause = main_clause(sentence)
    if (
        (aside := _BESIDE.search(clause)) is not None
        and not _UNSURE.search(aside[0].lstrip(","))
        and ("follow" not in aside[0] or _RANKS.search(question))
    ):
        clause = clause[: aside.start()]
        if len(_WORD.findall(clause)) < 4 and not _VERB.search(clause) and not doubts(clause, question):
            return (normalise(clause),)  # "Monday (120 units)"
    if (did := _DID.fullmatch(clause)) is not None and _ASKS_WHO.search(question) and not doubts(clause, question):
        return (normalise(did[1]),)
    if 1 < len(_WORD.findall(clause)) < 6 and _PLACED.match(clause) and not _VERB.search(clause):
        return None if doubts(clause, question) else (normalise(clause), normalise(_PLACED.sub("", clause)))
    said = _subject(clause, question) or _said(clause, question) or _subject(_ASIDE.split(clause)[0], question)
    if not said:
        return None
    whole = normalise(said)
    bare = _without_question(whole, question)
    return (whole, bare) if bare and bare != whole else (whole,)


def _said(clause: str, question: str) -> str:
    """What follows the verb of "The capital is Paris", or a name that the question has ("Brand: Coca Cola")."""
    match = _STATES.fullmatch(clause)
    if match is None and (verb := next((v for v in _WORD.finditer(clause, 1) if _is_asked(clause, v, question)), None)):
        return clause[verb.end() :].strip(" .!") if not doubts(clause, question) else ""  # "He plays the piano"
    if match is None:
        named = _NAMES.fullmatch(clause)
        known = named is not None and all(verb_stem(w) in _stems(question) for w in _WORD.findall(named["name"]))
        return named["said"] if named is not None and known and not doubts(clause, question) else ""
    if any(doubts(match[part] or "", question) for part in ("subject", "said", "topic", "joined")):
        return ""
    return str(match["said"] or match["joined"])


def _is_asked(clause: str, verb: re.Match[str], question: str) -> bool:
    return (
        verb.start() > 0 and verb.end() < len(clause.rstrip(" .!")) and asked_verb(clause[: verb.end()] + " ", question)
    )


def _subject(clause: str, question: str) -> str:
    """The subject of a sentence that repeats what a question asks of it: "Evelyn" of "Evelyn spent the least"."""
    asked, said = _which(question), _WORD.findall(clause)
    same = 0
    while same < min(len(asked), len(said)) and asked[-1 - same] == said[-1 - same].casefold():
        same += 1
    subject = said[: len(said) - same]
    if same < 2 or len(asked) - same > 3 or not 0 < len(subject) <= MAX_SUBJECT:
        return ""
    if asked[0] not in ("which", "what", "who") or doubts(" ".join(subject), question):
        return ""
    return clause[: clause.find(subject[-1]) + len(subject[-1])].strip()


@lru_cache(maxsize=1024)
def _which(question: str) -> tuple[str, ...]:
    """The words of the last question that asks which, what or who."""
    found = _ASKS_WHICH.findall(question)
    return tuple(word.casefold() for word in _WORD.findall(_IN_CHART.sub("", found[-1]))) if found else ()


def _without_question(said: str, question: str) -> str:
    """What is said without the words at both its ends that the question has, too."""
    known, words = _stems(question), said.split(" ")
    while len(words) > 1 and (verb_stem(words[0]) in known or _EDGE.match(f"{words[0]} ")):
        words = words[1:]
    while len(words) > 1 and verb_stem(words[-1]) in known:
        words = words[:-1]
    return _HAN_EDGE.sub("", words[0]) if len(words) == 1 and len(words[0]) > 1 else " ".join(words)


@lru_cache(maxsize=1024)
def _stems(question: str) -> frozenset[str]:
    return frozenset(verb_stem(word) for word in _WORD.findall(question))
