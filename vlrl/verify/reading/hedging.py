r"""Whether words commit to an answer: doubt, denial, alternatives, and what a clause only supposes.

A list of words can't be complete, so what *may* stand around an answer is listed too: between a verb and the answer
only words that change nothing (`committed_before`), before "the answer is" only a finished clause or a connective
(`declared_by`). Words that the question itself puts together ("the gap between the two", "not red") are no doubt.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import takewhile

from vlrl.verify.reading.cues import STATES_ABROAD, STATES_JOINED
from vlrl.verify.words.languages import pairs, plain_words, words

_DENIAL_SIGNS = (
    r"[≠¬✗✘❌]|!=|<>|~~|\\(?:neq?|neg|lnot|not|cancel|xcancel|bcancel|sout|st)(?![a-z])|<(?:s|del|strike)>|<!--"
)

_HEARSAY = (  # "one answer is", "a wrong answer was", "some say"
    r"\b(?!(?:the|my|our|final|correct|right|best|closest|nearest|likely|this|and|so|your|numerical|"
    r"overall)\b)\w+\s+answers?\s+"
    r"(?:is|was|are|were|would|could|might|may)\b"
    r"|\b(?:second|third|next)[\s-](?:best|choice|guess)\b|\b(?:at random|randomly|give or take|coin)\b|\b(?:some|"
    r"many|people|others|they) (?:say|said|think|thought|believe)\b"
)
_DOUBT = re.compile(  # this and the next four are looked for in lower case, which is twice as fast as ignoring case
    rf"{words('not', 'perhaps', 'or', 'except', 'wrong', 'unknown', 'doubt')}|[?？؟]|,\s(?:no|wait|actually|sorry)\b,"
    rf"|^\W*(?:without|if|no(?!\stotal\b)|let(?!\s(?:me|us)\b|['’]s))\b(?!\W*[,:])|{_DENIAL_SIGNS}|{_HEARSAY}",
    re.IGNORECASE,
)
_MAYBE = re.compile(  # in a sentence that may deny other options
    rf"{words('perhaps', 'maybe')}|{words('not', 'or', 'except', 'unknown', abroad=True)}|{_DENIAL_SIGNS}|{_HEARSAY}",
    re.IGNORECASE,
)
_A_NUMBER = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|half)"
_VAGUE = re.compile(
    r"\b(?:about|around|roughly|nearly|almost|approximately|at least|at most|more than|less than|"
    r"fewer than|over|under|up to|or)"
    rf"\W+(?:\w+\s){{0,2}}(?:[0-9]|{_A_NUMBER}\b)|\bor (?:so|more|less)\b|[±~<>≥≤]|^\W*[≈∼]|\b(?:is|are)\s?[≈∼]|"
    rf"{words('about')}\s?[0-9]|{words('bound')}|[0-9]\s?(?:到|至|~|から|부터|에서|до|bis)\s?[0-9]",
    re.IGNORECASE,
)
_FILLERS = rf"(?:{words('filler', 'so', apart=True)}\s+)*"
MAKES_SOMETHING = (  # "making the age gap 8": the object is named before the number
    r"\b(?:mak(?:es?|ing)|leav(?:es?|ing)|bring(?:s|ing)?|put(?:s|ting)?)\s(?:the|an?|its|their|his|her|our)\s"
    r"(?!(?:first|last|next|other|wrong|number|option)\b)(?:[^\W\d_]+\s){1,4}"
)
_MARKUP = r"[\s*$`({\[\"'“‘]|\\[(\[]|\\(?:text|mathbf|textbf|mathrm)\s?\{"
_COMMITTED_BEFORE = re.compile(
    rf"(?:^|[=:：]|[A-Za-z]['’](?:s|re)\b|{STATES_ABROAD}|{STATES_JOINED}(?:\s?[個个])?|"
    rf"{words('stating', 'leads_to')}(?:\s+that)?\s*[:,]?|{MAKES_SOMETHING}|"
    rf"^\W*(?:(?:(?:всего|итого|сейчас)\s)?(?:в|во|на)|يوجد\sفي)\s(?:[^\W\d_]+\s){{1,4}}?)"  # "В автобусе 14"
    rf"(?:{_MARKUP})*{_FILLERS}(?:{_MARKUP})*$"
)
_STATED_BEFORE = re.compile(
    rf"(?:(?:{words('stating')}|{STATES_ABROAD})\s+|{STATES_JOINED}\s?|{MAKES_SOMETHING})"
    r"(?:(?:about|approximately|around|roughly|exactly|only|also|therefore|just|still|the|a)\s+)*(?:\*\*)?$",
)
_IS_THERE = frozenset(("visible", "seen", "shown", "counted", "present", "depicted", "pictured", "located", "found"))
_IS_THERE |= {"here", "there"}
_OF = re.compile(r"(?:\s(?:of|in|on|at|from)\s(?:(?:the|this|that|these)\s)?[^\W\d_]+){1,2}")
_PREDICATE = re.compile(
    r"\W{0,3}\b(?:is|are|was|were|isn|does|has been|can be|would|might|could)\b"
    r"(?!\s+(?:visible|seen|shown|counted|present|depicted|pictured|aboard|on board|inside|here|there)"
    r"(?:\s(?:in|on)\s(?:the|this)\s(?:image|picture|photo|figure|scene))?\W*$)"
    r"(?!\s+(?:(?:our|my|correct|right|thus|therefore|your|remaining|left(?! out)|"
    r"the(?! (?:number|amount|count) of \w+ed\b| (?:first|second|wrong|other)\b))\b))",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(
    r"(?:^|[,;:.!—–]|\s-|\b(?:so|therefore|thus|hence|and|then|that means|this means|which means|"
    r"we (?:can )?(?:conclude|"
    r"see|get|know|find|say)|it follows|i (?:think|believe|conclude|say|get)|conclude|implies|shows|gives)(?: that)?)"
    r"[\s*_#>\"'“$\[({\\-]*$",
    re.IGNORECASE,
)
_OPEN_PREFIX = re.compile(
    r"\b(?:if|suppose|assume|whether|unless|nobody|no one|never|not|doubt|false|untrue|wrong|incorrect|lie|"
    r"some(?:one|body)? (?:say|says|said|think|thinks))\b[^,;:]*$|n['’]t\b[^,;:]*$",
    re.IGNORECASE,
)

_DETERMINER = re.compile(r"\b(?:the|my|our)\s{1,3}$", re.IGNORECASE)
_REASON = re.compile(
    r"(?<=\S),?\s{1,3}(?:because|since)\b|,\s{1,3}(?:as|which(?!\s(?:makes|leaves|gives|brings)\b)|where|while|"
    r"given)\b",
    re.IGNORECASE,
)
_CONNECTIVE = re.compile(
    rf"^\W{{0,4}}(?:(?:{words('so', 'so_first', 'opens', apart=True)}|also\b)[,،]?\s*"
    rf"|{words('so', apart=False)}[、，,،]?\s*)",
    re.IGNORECASE,
)
_SOURCE = re.compile(
    r"^\W{0,3}(?:from|according to|based on|judging from|looking at|in|(?:out\s)?of|among)\s(?:all\s)?"
    r"(?:the|this|these|those)\b[^,.;:0-9]{0,60},\s",
    re.IGNORECASE,
)
_SO = re.compile(
    rf".{{3,400}}(?:[,;]\s(?:and\s)?(?:{words('so', apart=True)}|so|which means(?: that)?)\s"
    rf"|[,;，；、]\s?{words('so', apart=False)})",
    re.IGNORECASE | re.DOTALL,
)
_GUESSES = re.compile(rf"{words('perhaps', 'maybe', 'unable')}|[?？؟]", re.IGNORECASE)
_CONDITION = re.compile(  # in front of what depends on it
    rf"^\W{{0,4}}(?:(?:so|then|and|but|now|thus|well)\b,?\s)?(?:{words('if')}|when\b)\s?([^,;，、]{{1,200}})[,;，、]",
    re.IGNORECASE,
)
_OWN_DOUBT = re.compile(
    r"\b(?:right|correct(?:ly)?|accurate|mistaken|wrong|reliable|trust\w*)\b"
    r"|\b(?:it|this|that|he|she|i|(?:each|every)\s\w+) were\b|\bwere (?:so|true)\b",
    re.IGNORECASE,
)
_NOT_COUNTED = re.compile(  # "7 cars, not counting the bus"
    r"(?:^\W*|,?\s)(?:not|without)\s(?:counting|including|considering)\b[^,.;:]{1,80}(?:,\s?|(?=[.!]?$))", re.IGNORECASE
)
_TOKEN = re.compile(r"-?[0-9][0-9.,/:]*|[^\W\d_]+")
_IN_FRONT = re.compile(
    r"^\W{0,3}(?:since|as|if|when|after|given|because|to|for|by)\b[^.;:]{3,200}?,\s(?=\S+\s)", re.IGNORECASE
)
_SPACES = re.compile(r"\s+")
_AFTER = re.compile(r"\s+(?:the\s|an?\s)?[^\W\d_]+|\s+[0-9$(*]")
_GIVEN = re.compile(rf"\s+(?:[0-9$(*]|(?:zero|{_A_NUMBER})$|[A-Z]$)")
_WORD = re.compile(r"[^\W\d_]{2,}")
_VERB_FORM = re.compile(r"\b([a-z]{2,})\s(?:\*\*)?(?:(?:a total of|exactly|only|about)\s)?$")
_AUXILIARY = re.compile(r"\b(?:(?P<does>did|does|do)|has|have|had|is|are|was|were)\b(?P<rest>[^?.,;]*)", re.IGNORECASE)
_PARTICIPLE = re.compile(r"ing$|..(?<!e)ed$")
_OPEN_VERB = re.compile(r"(?:\b(?:will|would|shall|to|not|should|could|might|may|can)|n['’]t)\s$", re.IGNORECASE)
_ENDS_CLAUSE = (plain_words("no_noun")["english"] | plain_words("place")["english"]) - plain_words("article")["english"]
_ENDS_CLAUSE -= {"of", "he", "she", "it", "they", "we", "you", "i", "make", "give"} | plain_words("verb")["english"]
_BASE = {form: base for (base,), forms in pairs("irregular", "english") for form in forms}


def doubts(sentence: str, question: str = "") -> bool:
    """Whether a sentence negates, asks or doubts in words of its own."""
    return _own(_DOUBT, sentence, question)


def maybe(sentence: str, question: str = "") -> bool:
    """Whether a sentence guesses, in one of several ways; a denial of another option is no guess."""
    return _own(_MAYBE, sentence, question)


def hedges(sentence: str, question: str = "") -> bool:
    """Whether a sentence offers more than one thing, gives a bound or a rough value, negates, asks or doubts."""
    return doubts(sentence, question) or _own(_VAGUE, sentence, question)


def _own(pattern: re.Pattern[str], sentence: str, question: str) -> bool:
    """Whether the pattern is found where the question doesn't have the same words: it and the word after it."""
    asked, lower = "", sentence.lower()
    sentence = sentence if len(lower) == len(sentence) else lower
    for match in pattern.finditer(lower):
        after = _AFTER.match(sentence, match.end())
        if match[0].casefold() == "between" and (after is None or not _GIVEN.match(after[0])):
            continue  # "the gap between the two"; but "between 3 and 4"
        if not question or after is None or not match[0][:1].isalpha():
            return True
        asked = asked or _SPACES.sub(" ", question.casefold())
        if _SPACES.sub(" ", (match[0] + after[0]).casefold()) not in asked:
            return True
    return False


def committed_before(before: str) -> bool:
    """Whether what stands before a value states it: nothing, "=", ":", or a verb with words that change nothing."""
    return _COMMITTED_BEFORE.search(_SPACES.sub(" ", before[-200:]).lower()) is not None


def stated_before(sentence: str, end: int) -> bool:
    """Whether a verb whose object it is stands right before the value that begins at `end`."""
    return _STATED_BEFORE.search(sentence[:end].lower(), max(0, end - 200)) is not None


def main_clause(sentence: str) -> str:
    """What a sentence states: without why ("…, because"), without a clause in front ("Since …,", "…, so")."""
    if "counting" in sentence or "including" in sentence:
        sentence = _NOT_COUNTED.sub("", sentence)
    led = _SO.match(sentence)
    if led is not None and not _GUESSES.search(led[0]):
        sentence = sentence[led.end() :]
    return _REASON.split(_IN_FRONT.sub("", without_connective(sentence), count=1), maxsplit=1)[0]


def condition(sentence: str) -> str:
    """What a sentence supposes in front, "the bar is 85" of "If the bar is 85, …"; "" where it supposes nothing."""
    found = _CONDITION.match(sentence)
    return found[1] if found is not None else ""


def supposes(before: str, said: str) -> bool:
    """Whether a sentence supposes in front what it then says, 85 of "If the bar is 85, the answer is" 85, or that it is
    right at all: "If I'm right, …"."""
    clause = condition(before)
    if _OWN_DOUBT.search(clause):
        return True
    words = [word.strip(".,:").casefold() for word in _TOKEN.findall(said)]
    first = next((word for word in words if word not in ("the", "a", "an", "option")), "")
    supposed = {word.strip(".,:").casefold() for word in _TOKEN.findall(clause)}
    return bool(first) and first in supposed


def without_connective(sentence: str) -> str:
    """The sentence without "so", "therefore,", "因此", "from the chart," in front."""
    return _SOURCE.sub("", _CONNECTIVE.sub("", sentence, count=1), count=1)


def denied_after(after: str, question: str = "") -> bool:
    """Whether a value is the subject of a statement that says more of it than the question asks: "6 is out", but not
    "6 is the answer", nor "the mine is closer to the sea" where that is asked."""
    match = _PREDICATE.match(after)
    if match is None and question and (of := _OF.match(after)) is not None:
        after = after[of.end() :]
        match = _PREDICATE.match(after)
    if match is None or not question:
        return match is not None
    words = [w.casefold() for w in _WORD.findall(after[match.end() :]) if w.casefold() not in _IS_THERE][:3]
    asked, verbs = question.casefold(), asked_verbs(question)
    return not words or doubts(after) or not all(w in asked or verb_stem(w) in verbs for w in words)


def declared_by(before: str) -> bool:
    """Whether a sentence up to "the answer is" leads up to a declaration: a finished clause or a connective."""
    before = _DETERMINER.sub("", before[-300:])
    return _CLAUSE_END.search(before) is not None and _OPEN_PREFIX.search(before) is None


def asked_verb(before: str, question: str) -> bool:
    """Whether the verb of the question stands right before a number: "scored" where it says "did … score"."""
    match = _VERB_FORM.search(before)
    if match is None or not question or _OPEN_VERB.search(before[: match.start()]):
        return False
    return verb_stem(match[1]) in asked_verbs(question)


def is_to_come(before: str, question: str) -> bool:
    """Whether the verb before a value is what will be done, where the question asks what was: "They will sell 9"."""
    match = _VERB_FORM.search(before)
    return match is not None and " did " in question and _OPEN_VERB.search(before[: match.start()]) is not None


@lru_cache(maxsize=1024)
def asked_verbs(question: str) -> frozenset[str]:
    """The stems of the verbs of a question: the last word behind "did" or "does" before a preposition or an adverb, a
    participle behind "is" or "has"."""
    found = set()
    for clause in _AUXILIARY.finditer(question):
        spoken = _WORD.findall(clause["rest"])
        spoken = spoken[:1] + list(takewhile(lambda word: word not in _ENDS_CLAUSE, spoken[1:]))
        if clause["does"] and spoken:
            found.add(verb_stem(spoken[-1]))
        found |= {verb_stem(w) for w in spoken if not clause["does"] and (_PARTICIPLE.search(w) or w in _BASE)}
    return frozenset(found)


def verb_stem(word: str) -> str:
    """What the forms of an English verb share: "sel" of sell, sells, sold, selling."""
    word = _BASE.get(word.casefold(), word.casefold())
    word = re.sub(r"(?<=\w\w)(?:(?<=i)e[ds]|ing|ed|es|s|e)$", "", word)
    return re.sub(r"y$", "i", re.sub(r"([^aeiou])\1$", r"\1", word))
