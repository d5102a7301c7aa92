"""Whether a sentence says something of another subject than the question: the house for the car, coffee for tea, the
dog's owner for the dog, the basket for the box.

Question and sentence are read by one small grammar: a subject (a noun phrase, its owner, what hangs on it by a
preposition), a verb, and the rest. A sentence answers where all that its subject speaks of is accounted for: by a word
of the question, a word for anything ("the object"), for what is measured ("the length"), or for a kind of what is asked
("the van", where a vehicle is). No word is listed as a wrong one, but for those that say "not this one" ("the other
house"). Nothing is compared where either is built in another way, or the two are in different languages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile

from vlrl.verify.reading.clause.figures import names_another_figure
from vlrl.verify.reading.hedging import asked_verbs, verb_stem
from vlrl.verify.values.quantity import is_known, stem
from vlrl.verify.words.languages import languages_of, pairs, plain_words, words

MAX_SUBJECT = 10  # words before the verb

_TOKEN = re.compile(r"[^\W\d_]+|[0-9]+|[^\w\s]")
_WORD = re.compile(r"[^\W\d_]+")
_ASKS_HOW = re.compile(words("asks_of"), re.IGNORECASE)  # what asks for a quantity or a property of a subject
_COUNTS = re.compile(words("how_many"), re.IGNORECASE)
_ANYTHING = re.compile(words("anything"), re.IGNORECASE)
_ANY = re.compile(words("abstract", "anything", "answer", "thing", "image"), re.IGNORECASE)
_THING = re.compile(words("anything", "answer", "thing"), re.IGNORECASE)
_MEASURES = [  # nouns that speak of what is asked, where a question asks for their kind
    re.compile(words(*kinds.split()), re.IGNORECASE)
    for kinds in ("length width height depth perimeter radius diameter area volume", "angle", "duration age", "weight",
                  "speed", "temperature", "price", "rate", "level", "sum", "difference", "probability",
                  "price money revenue")
]  # fmt: skip
_PART = re.compile(r"(?:side|edge|segment|leg|base|border|hypotenuse)s?")  # of a thing, and of a figure
_NOT_THIS = re.compile(words("not_this"), re.IGNORECASE)
_ARTICLES, _PLACES, _PAST = plain_words("article"), plain_words("place"), plain_words("verb_past")
_VERBS = {language: verbs | _PAST.get(language, set()) for language, verbs in plain_words("verb").items()}
_SMALL, _PRONOUNS = plain_words("no_noun"), plain_words("pronoun")
_NEUTRAL = plain_words("neutral")["english"]
_OF = frozenset(("of", "de", "du", "des", "del", "da", "do", "von", "der"))
_CONTRACTED = {form: preposition for (preposition,), forms in pairs("contracted") for form in forms}
_BESIDE = plain_words("beside")["english"]
_IT = frozenset(("it", "him", "them"))
_WHAT = frozenset(("what", "cuál", "qual", "quelle", "quel"))
_BARE = frozenset(("russian",))  # languages without articles
_HEAD_FIRST = frozenset(("french", "spanish", "portuguese", "italian"))
_KINDS = {stem(kind): frozenset(map(stem, names)) for (kind,), names in pairs("kinds")}
_OTHER_SCRIPT = re.compile("[\u0600-\u06ff\u0900-\u097f]")
_PARTICIPLE = re.compile(r"\w{2,}(?:ed|ing|wn|rn|ten|ken|ven)$")  # "the jacket worn by the woman"
_OWNER = re.compile(r"\b([^\W\d_]+)['’]s\s")
_RATIO = re.compile(r"\bratio of (?:the )?(?:number of )?(\w+) to (?:the )?(?:number of )?(\w+)", re.IGNORECASE)
_ASKS_SHARE = re.compile(
    r"\b(?:what|which)\s(?:percent(?:age)?|share|proportion|fraction|part)\sof\s(?:(?:the|all|these|those)\s)*"
    r"(?P<of>[^\W\d_]+)\s(?P<rest>[^?.]+)",
    re.IGNORECASE,
)
_A_SHARE = r"\W*[0-9.]+(?:\s?/\s?[0-9]+)?\s?(?:%|percent|(?<=/[0-9])|(?<=/[0-9][0-9]))"
_SAYS_OF_SHARE = re.compile(
    rf"{_A_SHARE}\s?of\s(?:the\s|all\s)?(?P<of>[^\W\d_]+)\s(?P<said>[^.;:]+)"
    r"|\W*(?P<label>(?:[^\W\d_]+\s?){1,3}):\W*[0-9.]+\s?(?:%|percent)"
    r"|\W*(?P<chosen>(?:[^\W\d_]+\s){1,3})(?:(?:is|are|was|were|has|have|had)\s(?:\w+\s)*by|accounts?\sfor|makes?\sup|"
    r"takes?|represents?)\s[0-9.]+\s?(?:%|percent)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\W*(?P<label>(?:[^\W\d_]+\s?){1,3})(?:\*\*)?:\W*-?[$€£]?[0-9][0-9.,]*\W*$")
_DOES = re.compile(r"\b(?:is|are|was|were)\s(?:\w+ly\s)?(\w+ing)\b", re.IGNORECASE)
_HAPPENS = re.compile(  # where the time on a clock is asked
    r"\W*(?:the\s)?(?P<nouns>(?:[^\W\d_]+\s){1,3}?)(?:\w+s)(?:\s(?:off|up|out|in))?\sat\b", re.IGNORECASE
)
_LOCATED = re.compile(
    r"\W*(?:the|this|that|these|those|her|his|their|its|my|our)\s(?P<nouns>(?:[^\W\d_]+\s){1,3}?)(?:(?:is|are|was|were)\s)?"
    r"(?:located\s|found\s|visible\s)?(?:at|in|within)\W*$",
    re.IGNORECASE,
)
_HAN_TOPIC = re.compile(r"\W*([^，。,.:：\d\s]{1,16}?)(?:は|是|的?颜色)")
_HAN_ASKS = re.compile(
    r"([\u3040-\u30ff\u4e00-\u9fff]{1,8})[の的](?:色|颜色|形|形状|長さ|高さ|重さ|値段|高度|长度|价格)"
)


_Hung = tuple[tuple[str, tuple[str, ...]], ...]  # (preposition, words) of each


@dataclass(frozen=True)
class _Phrase:
    """A noun phrase.

    nouns  its own words, without articles
    hung   what hangs on it by prepositions
    name   whether it has no article and begins with a capital letter
    """

    nouns: tuple[str, ...]
    hung: _Hung
    name: bool


@dataclass(frozen=True)
class _Asked:
    """What a question asks of.

    subject   the phrase of which a quantity or property is asked, or of the place where something is counted
    anything  whether that may be anything at all
    asks_how  whether a quantity or property is asked, in one language
    whole, rest  the stems of what a share is asked of, and of the last word on it
    kinds     of measures that it asks for
    any       words that may stand for it, whatever it is
    doing     the stem of the verb of "What is the boy holding?"
    """

    languages: frozenset[str]
    stems: frozenset[str]
    subject: _Phrase | None
    anything: bool
    counts: bool
    asks_how: bool = False
    whole: str = ""
    rest: str = ""
    kinds: tuple[re.Pattern[str], ...] = ()
    doing: str = ""
    any: re.Pattern[str] = _ANY


def names_another_subject(sentence: str, question: str) -> bool:
    """Whether a sentence is built as the question is and says it of something that the question doesn't speak of."""
    if names_another_figure(sentence, question):
        return True
    asked = _asked(question)
    if (ratio := _RATIO.search(question)) is not None and (said := _RATIO.search(sentence)) is not None:
        return (ratio[1].lower(), ratio[2].lower()) == (said[2].lower(), said[1].lower())
    if (
        (said := _HAPPENS.match(sentence)) is not None
        and "what time" in question.lower()
        and _is_another(_WORD.findall(said["nouns"]), asked)
    ):
        return True
    if asked.whole and (said := _SAYS_OF_SHARE.match(sentence)) is not None:
        return _is_another_share(said, sentence, asked)
    if asked.counts and not asked.anything and (said := _LABEL.match(sentence)) is not None:
        return _is_another(_WORD.findall(said["label"]), asked)
    if not sentence.isascii() and (topic := _HAN_TOPIC.match(sentence)) is not None and _HAN_ASKS.search(question):
        head = re.split("[の的]", topic[1])[-1]
        return bool(head) and _ANY.search(head) is None and head not in question and head[-1] not in "色答解"
    spoken = languages_of(sentence) or (asked.languages if not _OTHER_SCRIPT.search(sentence) else frozenset())
    if not asked.asks_how or asked.languages.isdisjoint(spoken):
        return False
    language = next(iter(asked.languages & spoken))
    does = _DOES.search(sentence) if asked.doing not in ("", "do") else None
    if does is not None and verb_stem(does[1]) != asked.doing:
        return True
    subject, place = _subject(sentence, language, question)
    if subject is not None and language == "english" and _is_another_measure(subject, asked):
        return True
    if asked.subject is None or asked.anything:
        return False
    if place and asked.counts and _hangs_elsewhere(place, asked):
        return True
    return subject is not None and _is_another_phrase(subject, asked, language, sentence, question)


def names_another_place(before: str, question: str) -> bool:
    """Whether what stands before a box or point says that something else lies there: "The cat is at", "the menu
    button" for the search button."""
    said = _LOCATED.match(before)
    return said is not None and names_another_object(said["nouns"], question)


def names_another_object(label: str, question: str) -> bool:
    """Whether a label names another thing than the one whose place is asked: "menu button" for the search button."""
    asked = _asked(question)
    nouns = [word for word in map(str.lower, _WORD.findall(label)) if word not in _SMALL["english"]]
    if not nouns or not asked.stems - _WHAT or _ANYTHING.search(question) is not None:
        return False
    if _is_another(nouns, replace(asked, any=_THING)):
        return True
    before = re.search(rf"([^\W\d_]+)\s{re.escape(nouns[-1])}\b", question.lower())
    described = before is not None and before[1] not in _SMALL["english"] and before[1] not in _ARTICLES["english"]
    return described and len(nouns) > 1 and all(_is_another([word], asked) for word in nouns[:-1])


def _is_another_phrase(said: _Phrase, asked: _Asked, language: str, sentence: str, question: str) -> bool:
    """Whether a subject has a head, an owner, a measure or a place that nothing accounts for."""
    assert asked.subject is not None
    if said.name and not asked.subject.name:
        return False
    text = " ".join((*said.nouns, *(word for preposition, hung in said.hung for word in (preposition, *hung))))
    if (contrast := _NOT_THIS.search(text)) is not None and contrast[0] not in question.lower():
        return True
    if any(not _IT.isdisjoint(hung) for _, hung in said.hung):
        return True  # "the building behind it"
    if any(preposition in _BESIDE and not hung for preposition, hung in said.hung) and not _ANY.search(said.nouns[-1]):
        return True  # "the shelf below"
    owner = _OWNER.search(sentence)
    if owner is not None and _OWNER.search(question) is not None and _is_another([owner[1]], asked):
        return True
    head = said.nouns[0 if language in _HEAD_FIRST else -1]
    if _is_another([head], asked) and not (language in _HEAD_FIRST and not _is_another(list(said.nouns), asked)):
        return True
    return _hangs_elsewhere(said.hung, asked)


def _is_another_measure(said: _Phrase, asked: _Asked) -> bool:
    """Whether a measure is a special one that isn't asked: "the train's maximum speed"."""
    return any(kind.fullmatch(said.nouns[-1]) for kind in _MEASURES[:8]) and any(
        word not in _NEUTRAL and not is_known(word, asked.stems) for word in said.nouns[:-1]
    )


def _hangs_elsewhere(said: _Hung, asked: _Asked) -> bool:
    """Whether something hangs on a phrase that the question has otherwise: "of the garden" for "of the field"."""
    own = {} if asked.subject is None else dict(asked.subject.hung)
    if any(nouns and _ANY.search(nouns[-1]) for nouns in own.values()):
        return False  # "in the image", "of the shape"
    for preposition, hung in said:  # "next to the cake" for "on the cake"
        at = {other for other, nouns in own.items() if hung and nouns and stem(nouns[-1]) == stem(hung[-1])}
        if at and preposition in _BESIDE and at.isdisjoint(_BESIDE):
            return True
    known = {preposition for preposition, hung in said if any(not _is_another([word], asked) for word in hung)}
    return any(
        hung
        and preposition not in known
        and (preposition in own or (preposition in _OF and not own))
        and all(_is_another([word], asked) and word not in _NEUTRAL for word in hung)
        for preposition, hung in said
    )


def _is_another(nouns: list[str], asked: _Asked) -> bool:
    """Whether the last of these words is no word of the question, none for anything, and no kind of what is asked."""
    small = [_SMALL[language] for language in asked.languages | {"english"} if language in _SMALL]
    spoken = [word for word in map(str.lower, nouns) if not any(word in known for known in small)]
    if not spoken or asked.any.search(spoken[-1]) is not None or is_known(spoken[-1], asked.stems):
        return False
    if not _PART.fullmatch(spoken[-1]) and any(kind.search(spoken[-1]) for kind in asked.kinds):
        return False
    one = stem(spoken[-1])
    return not any(one in _KINDS.get(other, ()) or (len(other) > 3 and one.endswith(other)) for other in asked.stems)


def _is_another_share(said: re.Match[str], sentence: str, asked: _Asked) -> bool:
    """Whether a share is said of another whole, or of another part of it."""
    if said["of"] is not None and stem(said["of"].lower()) != asked.whole:
        return stem(said["of"].lower()) in asked.stems or ("/" in sentence and _is_another([said["of"]], asked))
    nouns = _WORD.findall(said["said"] or said["label"] or said["chosen"])
    return asked.rest not in _stems(sentence) and (_is_another(nouns, asked) or nouns[-1].lower().startswith("un"))


@lru_cache(maxsize=1024)
def _asked(question: str) -> _Asked:
    """What a question asks of, in its last sentence that asks how or how many."""
    share, how = _ASKS_SHARE.search(question), None
    for how in _ASKS_HOW.finditer(question):  # noqa: B007  the last one
        pass
    counts = _COUNTS.search(question) is not None
    languages = languages_of(question)
    whole, rest = (share["of"], _WORD.findall(share["rest"])[-1]) if share is not None else ("", "")
    stems, share_of = _stems(question), (stem(whole.lower()), stem(rest.lower()))
    kinds = tuple(kind for kind in _MEASURES if kind.search(question))
    if how is None or len(languages) != 1:
        return _Asked(languages, stems, None, _ANYTHING.search(question) is not None, counts, False, *share_of, kinds)
    (language,) = languages
    tokens = _TOKEN.findall(question[how.end() :])
    verb = next((i for i, t in enumerate(tokens) if t.lower() in _VERBS.get(language, ())), -1)
    clause = list(takewhile(lambda token: token not in "?.,;:(", tokens[verb + 1 :]))
    subject = _phrase(clause, language)
    if subject is None and counts and (hung := _hung(clause, language)):
        subject = _Phrase(hung[-1][1], hung, False)
    head = "" if subject is None else " ".join(subject.nouns)
    anything = (counts and _ANYTHING.search(question[: how.end()]) is not None) or (
        _ANYTHING.fullmatch(head) is not None and stem(head) not in _KINDS
    )
    doing = next((verb_stem(w) for w in reversed(tokens) if w.endswith("ing")), "") if how[0].lower() in _WHAT else ""
    if subject is not None and how[0].lower() in _WHAT and not doing:  # "What is the length?" is asked of anything
        anything = _OWNER.search(question) is None and not any(of in _OF and nouns for of, nouns in subject.hung)
    return _Asked(languages, stems, subject, anything, counts, True, *share_of, kinds, doing)


def _subject(sentence: str, language: str, question: str) -> tuple[_Phrase | None, _Hung]:
    """(the subject of a sentence, what hangs before it or behind its verb by a preposition of place); None where it is
    a pronoun, or where no verb is known in the beginning."""
    tokens = _TOKEN.findall(sentence)
    verbs = asked_verbs(question)
    known = _VERBS.get(language, frozenset())

    def is_verb(place: int, token: str) -> bool:
        word = token.lower()
        if word in known or token in "=—":
            return True
        if place == 0 or language != "english":
            return False
        if word not in _PLACES["english"] and verb_stem(word) in verbs:
            return True
        at = place + 1 + (tokens[place + 1 : place + 2] in (["off"], ["up"], ["out"], ["in"]))
        return tokens[at : at + 1] == ["at"] and tokens[at + 1 : at + 2] != [] and tokens[at + 1][0].isdigit()

    end = next((i for i, token in enumerate(tokens[: MAX_SUBJECT + 1]) if is_verb(i, token)), None)
    places = _PLACES.get(language, frozenset())
    first = next((i for i, token in enumerate(tokens) if token[0].isalnum()), 0)
    fronted = tokens[first].lower() in places if tokens else False
    hung = _hung(tokens[first:] if fronted else tokens[end or 0 :], language)
    if end is None or fronted or any((t.isdigit() and len(t) != 4) or t in ",;:?" for t in tokens[:end]):
        return None, hung
    return _phrase(tokens[first:end], language), hung


def _phrase(tokens: list[str], language: str) -> _Phrase | None:
    """The noun phrase that words begin with; None where they begin with none, or with a pronoun."""
    places, articles = _PLACES.get(language, frozenset()), _ARTICLES.get(language, frozenset())
    spoken = [token for token in tokens if token[0].isalpha()]
    own = list(takewhile(lambda word: word.lower() not in places, spoken))
    small = _SMALL.get(language, frozenset())
    if 2 < len(own) < len(spoken) and _PARTICIPLE.match(own[-1]):
        own = own[:-1]
    if not own or own[0].lower() in _PRONOUNS.get(language, ()):
        return None
    nouns = tuple(w.lower() for w in own if w.lower() not in small and w.lower() not in articles and len(w) > 1)
    if not nouns:
        return None
    bare = own[0].lower() not in articles and language not in _BARE
    if bare and not (own[0][0].isupper() and len(own) < 4 and articles.isdisjoint(w.lower() for w in own)):
        return None
    return _Phrase(nouns, _hung(spoken[len(own) :], language), bare)


def _hung(tokens: list[str], language: str) -> _Hung:
    """(preposition, words) of every noun phrase after a preposition."""
    places, articles = _PLACES.get(language, frozenset()), _ARTICLES.get(language, frozenset())
    verbs, small = _VERBS.get(language, frozenset()), _SMALL.get(language, frozenset())
    found: list[tuple[str, tuple[str, ...]]] = []
    for place, token in enumerate(tokens):
        if token.lower() in places:
            behind = takewhile(
                lambda t: t[0].isalpha() and t.lower() not in places and t.lower() not in verbs, tokens[place + 1 :]
            )
            said = [t for t in behind if t.lower() not in articles]
            nouns = tuple(w for w in map(str.lower, said[:3]) if w in _IT or w not in small)
            preposition = _CONTRACTED.get(token.lower(), token.lower())
            if found and not found[-1][1] and tokens[place - 1].lower() in places:
                preposition = found.pop()[0]  # "next to"
            found.append((preposition, nouns))
    return tuple(found)


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in map(str.lower, _WORD.findall(text)) if word not in _SMALL["english"])
