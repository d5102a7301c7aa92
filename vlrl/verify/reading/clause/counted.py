"""What a clause counts, and whether it says how things are: its noun must be the question's, its state the present one.

A noun is compared only where sentence and question are in one language, and never in Arabic, whose plurals are other
words: "hay 5 manzanas" may answer a question of apples. A question that names no noun ("How many?") or one that covers
all ("objects") takes any.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from vlrl.verify.values.quantity import is_known, stem
from vlrl.verify.values.units import read_unit
from vlrl.verify.words.languages import languages_of, plain_words, words

_COUNTS = re.compile(words("how_many", "count_of"), re.IGNORECASE)
_ANYTHING = re.compile(words("anything"), re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_PHRASE = re.compile(r"[\s*)]{1,4}((?:[^\W\d_]+[\s-]){0,3}[^\W\d_]+)")
_NO_NOUN = frozenset().union(*plain_words("no_noun").values())  # at which a noun phrase is over
_OF = frozenset(("of", "de", "von", "do", "da"))  # "pairs of shoes"
_PERSONS = frozenset(("people", "persons", "individuals"))
_PERSON = re.compile(r"(?:ers|ors|ists|ents|ants|women|men|children|kids|boys|girls|adults|guests|friends)$")
_NAMED = re.compile(
    r"\b(?:number|count|amount)\sof\s((?:[^\W\d_]+\s){0,3}?[^\W\d_]+)(?:\s(?:in|on|at|of|that|shown|visible|"
    r"present)\b[^.:=]{0,60})?\s?(?:is|are|was|equals|:|=|comes to|turns out to be|must be|should be)\W*"
    r"(?:equal to|exactly|therefore|thus)?\W*$",
    re.IGNORECASE,
)
_LABELLED = re.compile(  # "the bus number is 14"
    r"\b(?!(?:total|exact|correct|right|final|overall|the|this|that|actual|whole|answer|resulting|a|and|whose)\b)"
    r"[^\W\d_]+\snumber\s(?:is|was|says|reads)\W*$|\b(?:at|until|since|um|à las|a las|às)\s$",
    re.IGNORECASE,
)
_INDIRECT = re.compile(  # "We need to find how many of the 12 …"
    rf"{words('how_many', 'how_much', apart=True)}[^,:;=]*$"
    r"|^\W*(?:let (?:me|us)|let['’]s|i (?:need|have|want|will|must|am going) to|we (?:need|have|want|must) "
    r"to)\b[^,:;=]*$",
    re.IGNORECASE,
)
_EACH = re.compile(words("each"), re.IGNORECASE)
_CLAUSE = re.compile(rf"[,;:，；、]|\b(?:so|makes|gives|also|donc)\b|{words('and')}")
_SHARE = re.compile(
    r"\b(?:what|which)\s(?:percent(?:age)?|share)\sof\s(?:(?:the|all|these)\s){0,2}([^\W\d_]+)", re.IGNORECASE
)
_DONE_TO = re.compile(r"([\u4e00-\u9fff]{1,2})了\s?$")  # 吃了18个, where 剩 is asked
_HAN_PHRASE = re.compile(
    r"\s?[个個只隻名位条條本张張件次種种辆輛头頭匹朵棵颗顆块把支座家台]?(?:[^\W在了是和有的左右可被剩以a-z0-9]{1,4}的)?([\u4e00-\u9fff]{0,6})"
)
_HAN_END = re.compile("[在了是和有的左右可被剩以]")
_HAN_STATES = "有剩是为得成到共出见"
_TOPIC = re.compile(  # 좌석이 14개, 座席は14席
    r"([\uac00-\ud7af]+(?<!에)(?<!에서))[이가은는도]\s?(?:총|모두|전부|약|합쳐서)?\s?$"
    r"|([\u30a0-\u30ff\u4e00-\u9fff]+)(?:数|の数)?[はが](?:全部で|合計で?|ちょうど)?\s?$"
)
_TOPIC_OF_ALL = frozenset(
    re.findall(r"\w+", "답 정답 수 총 합계 개수 전체 모두 총합 答 答え 正解 合計 数 総数 全部 結果 全体 합 결과")
)
_PART_OF = re.compile(
    r"\b(?:how many|number of) of (?:the|these|those|all|her|his|their|my|our)\s(?:[^\W\d_]+\s)?[0-9]", re.IGNORECASE
)
_OF_THE = re.compile(
    r"\b(?:of|among|from|out of)\s(?:the\s|these\s|those\s|all\s|her\s|his\s|their\s|our\s)*$", re.IGNORECASE
)
_STATE = re.compile(  # at the head of a sentence, and anywhere
    rf"^\W*(?:(?:so|and|but|now|okay|ok|well),?\s)?(?:{words('supposing')}|{words('if', abroad=True, apart=True)})"
    rf"|{words('not_now')}|{words('if', apart=False)}",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Asked:
    """What a question counts.

    nouns     stems of what is counted, "red bicycles" of "How many red bicycles are in the yard?", or else of all words
    words     stems of all its content words
    anything  whether it counts anything at all
    part      whether it asks how many of a number that it gives
    """

    languages: frozenset[str]
    nouns: frozenset[str]
    words: frozenset[str]
    anything: bool
    part: bool


def is_unreal(sentence: str, question: str) -> bool:
    """Whether a sentence supposes, or tells what is usual, past or to come, in words that the question doesn't have."""
    asked = question.casefold()
    return any(match[0].strip().casefold() not in asked for match in _STATE.finditer(sentence))


def counts_another(sentence: str, start: int, end: int, question: str) -> bool:
    """Whether the number `sentence[start:end]` counts something else than a question that asks for a count."""
    if not question:
        return False
    asked = _asked(question)
    before, after = sentence[:start], sentence[end:]
    if asked is None:
        share = _SHARE.search(question)  # "35 people", where a percentage of people is asked
        return share is not None and re.match(rf"\s{re.escape(share[1])}\b", after, re.IGNORECASE) is not None
    if _LABELLED.search(before) or _INDIRECT.search(before) or _is_of_each(before, after, question):
        return True
    if (done := _DONE_TO.search(before)) is not None and not _is_asked_verb(done[1], question):
        return True
    if asked.part and _is_given(sentence, before, sentence[start:end], question, asked.words):
        return True
    if asked.anything or asked.languages.isdisjoint(
        languages_of(sentence) or (asked.languages if sentence.isascii() else ())
    ):
        return False
    if (topic := _TOPIC.search(before)) is not None:
        noun = topic[1] or topic[2]
        return noun not in _TOPIC_OF_ALL and _is_unknown_in_han(noun, question)
    if (named := _NAMED.search(before)) is not None:
        spoken = [word.casefold() for word in _WORD.findall(named[1])]
        return not any(is_known(word, asked.nouns) or word in _NO_NOUN for word in spoken)
    if not after.isascii() and (han := _HAN_PHRASE.match(after)) is not None and han[1]:
        return _is_unknown_in_han(_HAN_END.split(han[1])[0], question)
    phrase = _PHRASE.match(after)
    return phrase is not None and after[:1].isspace() and _is_another_noun(phrase[1], asked.nouns)


@lru_cache(maxsize=1024)
def _asked(question: str) -> _Asked | None:
    """What a question counts; None where it doesn't ask for a count."""
    counts = _COUNTS.search(question)
    if counts is None:
        return None
    head: list[str] = []
    for word in (found.casefold() for found in _WORD.findall(question[counts.end() :])):
        if word in _NO_NOUN and head and word not in _OF:
            break
        head += [] if word in _NO_NOUN else [word]
    content = frozenset(stem(word) for w in _WORD.findall(question) if (word := w.casefold()) not in _NO_NOUN)
    nouns = frozenset(map(stem, head)) or content
    people = not _PERSONS.isdisjoint(head) and len(_ANYTHING.findall(question)) == 1
    anything = (_ANYTHING.search(question) is not None and not people) or (not nouns and question.isascii())
    return _Asked(languages_of(question), nouns, content, anything, _PART_OF.search(question) is not None)


def _is_another_noun(phrase: str, known: frozenset[str]) -> bool:
    """Whether what follows a number is a noun phrase without any noun of the question."""
    spoken = [word.casefold() for word in _WORD.findall(phrase)]
    ending = next((place for place, word in enumerate(spoken) if word in _NO_NOUN), len(spoken))
    noun = spoken[:ending]
    if not noun or read_unit(noun[0]) is not None or any(is_known(word, known) for word in noun):
        return False
    if "people" in known or "person" in known or "individual" in known:
        return not any(_PERSON.search(f"{w.removesuffix('s')}s") or stem(w) in _PERSON_STEMS for w in noun)
    if not _PERSONS.isdisjoint(noun) and any(_PERSON.search(f"{one}s") or one in _PERSON_STEMS for one in known):
        return False
    return not (len(noun) == 1 and noun[0].endswith(("ed", "ing", "ly")))  # "7 standing in line"


_PERSON_STEMS = frozenset(("man", "woman", "child"))


def _is_unknown_in_han(noun: str, question: str) -> bool:
    """Whether no two signs of a noun stand in the question together."""
    return bool(noun) and not any(noun[i : i + 2] in question for i in range(max(1, len(noun) - 1)))


def _is_of_each(before: str, after: str, question: str) -> bool:
    """Whether a number holds for each of several, where the question doesn't speak of each: "Each row holds 14"."""
    if _EACH.search(question) is not None:
        return False
    clause = _CLAUSE.split(before)[-1]
    behind = _CLAUSE.split(after[:60])[0]
    return (
        _EACH.search(clause) is not None
        or re.search(rf"^\s?\S+\s(?:in |on |for )?(?:{_EACH.pattern})", behind) is not None
    )


def _is_asked_verb(verb: str, question: str) -> bool:
    """Whether what is done in Chinese, 买 of 他买了, is what the question asks, or says that something is there."""
    last = verb[-1]
    return last in _HAN_STATES or f"{last}了" in question or (len(verb) > 1 and verb in question)


def _is_given(sentence: str, before: str, number: str, question: str, stems: frozenset[str]) -> bool:
    """Whether a number that the question gives, of which a part is asked, is only said again: "There are 5 balls"."""
    number = number.strip()
    if re.search(rf"(?<![0-9.]){re.escape(number)}(?![0-9])", question) is None:
        return False
    if _OF_THE.search(before):
        return True
    counted = re.search(rf"{re.escape(number)}\s([^\W\d_]+)", question)
    asked = stems - ({stem(counted[1].casefold())} if counted is not None else set())
    return bool(asked) and asked.isdisjoint(stem(word.casefold()) for word in _WORD.findall(sentence))
