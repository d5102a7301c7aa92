"""What follows an answer: whether it takes it back, hedges it or is another one, right behind it or sentences later."""

from __future__ import annotations

import re

from vlrl.verify.reading.clause.retraction import taken_back_by
from vlrl.verify.words.languages import words

SHORT_WORDS, SHORT_CHARS = 3, 100  # a tail of so little that says nothing is a second answer
_TOKEN = re.compile(r"-?[0-9][0-9.,/:]*|[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_]{2,}")


_RETRACTION = (
    r"\bon (?:second thought|reflection)\b|\bscratch (?:that|it)\b|\bkidding\b|\b(?:take|took) (?:it|that|"
    r"this) back\b"
    r"|\bI (?:was|am) (?:wrong|mistaken|unsure|not sure)\b|\b(?:made|make) an? (?:mistake|error)\b|\bI mean(?:t)?\b"
    r"|(?:(?:^|[.!\n])\W{0,4}(?:but |and |so )?(?:that|this|it|the answer|my answer)(?:['’]s| is| was)"
    r"|^\s{0,3}(?:is|was)) (?:wrong|incorrect|false|a lie|not (?:the )?(?:right|correct|true|answer))\b"
    r"|(?:^|[.!\n])\W{0,4}(?:hmm+|oops|sorry|edit|correction|update|perdón|perdão|desculpe|entschuldigung|"
    r"извините)\b|\bcorrection:"
    r"|\b(?:however|nevertheless|nonetheless)\b(?:[^.\n]|\.(?=[0-9])){0,60}\b(?:correct|right|possible|answer)\b"
)
_RETRACTS = re.compile(rf"^\W{{0,4}}(?:actually|wait|no|or|maybe|perhaps|alternatively)\b|{_RETRACTION}", re.IGNORECASE)
_NO = (  # but not "No side is negative"
    r"no(?!\s(?!(?:it|that|this|the|i|we|wait|my)\b)(?:[a-z]+\s){1,3}(?:is|are|was|were|has|have|needs?|fits?|"
    r"works?)\b)"
)
_AFTER_DECLARED = re.compile(  # after a tag, a box or JSON nothing of this kind may follow
    r"\b(?:maybe|perhaps|possibly|alternatively|actually|instead|wait|otherwise|(?<!nothing )(?<!anything )(?<!no "
    r"one )else|nevertheless|"
    r"nonetheless)\b"
    r"|\b(?:correct|right|true|real|actual) (?:one|value|result|option|choice) (?:is|should|would|must)\b"
    r"|\b(?:could|might|may|can) (?:also|be|equally)\b|\b(?:not sure|unsure)\b"
    rf"|^\W{{0,5}}(?:or|and|but|not|{_NO}|nor)\b|[.\n]\s{{0,5}}(?:or|{_NO})\b"
    rf"|^\W{{0,5}}{words('not', 'perhaps', 'or', 'except', 'unknown', abroad=True)}|{_RETRACTION}",
    re.IGNORECASE,
)
_AFTER_PHRASE = re.compile(  # after "the answer is …" an explanation may follow, but no other answer
    r"^\s{0,3}(?:or|and|but|not)\b|^[\s.,;*]{0,6}or\b|^[^\n]{0,60}\b(?:maybe|perhaps|possibly|alternatively|"
    r"not sure)\b"
    r"|(?:^|[.!\n])\W{0,4}(?:it|the answer) (?:could|might|may) (?:also )?be\b|\bor (?:maybe|perhaps)\b"
    rf"|(?:^|[.\n])\s{{0,5}}(?:(?:actually|wait|no wait)\b|no[,:] (?:it|that|this|the answer|\W{{0,3}}[0-9(]))"
    rf"|{_RETRACTION}",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"\b(?:is|are|was|were|be|ist|est|es|son|sind|это|has|have|had|see|hope|let|thank|because|since|shows?|means?)\b",
    re.IGNORECASE,
)
_POLITE = re.compile(
    r"\W*(?:done|qed|thanks?|thank you|hope|good luck|cheers|great|end|that's all|explanation)\b|\W*∎", re.I
)
_SPEAKS = re.compile(
    r"\W{0,4}(?:I|we|you|it|this|that|these|those|they)\s[^\W\d_]{2,}", re.IGNORECASE
)  # "I checked it."
_DENIES_ANOTHER = re.compile(  # "(not 24, as …)", ", not 24"
    r"\s{0,3}[(（]not\s\W{0,3}(?:[0-9]|[A-J]\b)[^()（）\n]{0,100}[)）]"
    r"|[^\w(\n]{0,5}\bnot\s\W{0,3}(?:[0-9]|[A-J]\b)[^.\n;]{0,80}?(?=[.,;\n]|$)",
    re.IGNORECASE,
)
_SAME_AGAIN = re.compile(r"\b(?:same|also|again|agrees?|confirms?|too|likewise)\b", re.IGNORECASE)
_SHOWS_NOTHING = re.compile(
    r"\\(?:q?quad|checkmark|blacksquare|square|Box|qed(?:here)?|right|displaystyle)(?![A-Za-z])"
)
_ROUNDED = re.compile(r"^[\s$]*(?:\\approx|≈|\\simeq|\\doteq)\s?-?[0-9][0-9.,]*")
_NEXT_SENTENCE = re.compile(r"\s?[。！]|\s?[.!]\s+(?:[A-Z][^\W\d_'’]*['’]?[^\W\d_]*\s\S+\s\S|[\u4e00-\u9fff]{4})")
_SENTENCE_STOP = re.compile(r"[.!?]\s|[.!?]?$|\n")
_STOPS = re.compile(r"[\s.!。]*")
_CLOSING = re.compile(r"(?:\s{0,3}(?:[*$`_)\]}\"'”’]|\\[)\]]))+")
_UNIT_MARKUP = re.compile(r"\\[pb]mod\s?\{?\w{1,20}\}?|\\[A-Za-z]+|\\[ ,;!)\]]|\^\s?\{?-?[1-4]\}?|[$~{}]")
_LABEL = re.compile(r"\W{0,4}[A-J]\b\W{0,4}")
_HAN = re.compile(r"[\u4e00-\u9fff]")


def retracts(sentence: str) -> bool:
    """Whether a sentence takes back what was said before it."""
    return _RETRACTS.search(sentence) is not None


def taken_back(tail: str, how: str, answer: str = "", question: str = "") -> bool:
    """Whether what a response says after its answer takes it back, hedges it, or adds another one.

    how   "phrase" after "the answer is …", where explanations follow; else what declared the answer (tag, box, json)
    """
    if not tail or tail.isspace():
        return False
    if any(c.isalnum() for c in tail) and taken_back_by(tail, answer, question):
        return True
    if how == "phrase":
        label = _LABEL.fullmatch(answer) is not None and _LABEL.match(tail.strip()) is None  # "(B). 60 degrees"
        found = _AFTER_PHRASE.search(tail)
        if found is not None and not _confirms(tail, found.end(), answer):
            return True
        return not label and _is_another(tail, answer)
    if "not" in tail[:20]:
        closed = _CLOSING.sub("", tail, count=1) if _CLOSING.match(tail) else tail
        tail = _DENIES_ANOTHER.sub("", closed, count=1) if _DENIES_ANOTHER.match(closed) else tail
    if any(not _confirms(tail, match.end(), answer) for match in _AFTER_DECLARED.finditer(tail)):
        return True
    if how == "box":
        tail = _CLOSING.sub("", tail, count=1) if _CLOSING.match(tail) else tail
        tail = _SHOWS_NOTHING.sub(" ", _ROUNDED.sub("", tail, count=1))
        line = _UNIT_MARKUP.sub(" ", tail.split("\n", 1)[0])
        units = bool(line.strip()) and not any(c.isdecimal() or c in "\\|;" for c in line)
        return _is_another(tail, answer) and not units
    return _is_another(tail, answer) or _goes_on(tail)


def _confirms(tail: str, position: int, answer: str) -> bool:
    """Whether a sentence of what follows an answer ends with that answer: "Alternatively, … also 12"."""
    end = _SENTENCE_STOP.search(tail, position)
    sentence = tail[position : end.start() if end is not None else len(tail)]
    numbers = [token for token in _TOKEN.findall(sentence) if any(c.isdigit() for c in token)]
    if not numbers:
        return _SAME_AGAIN.search(sentence) is not None
    said = answer.strip("$ .")
    return bool(said) and said.isascii() and said[0].isdigit() and numbers[-1].rstrip(".,") == said


def _is_another(tail: str, answer: str = "") -> bool:
    """Whether a tail is short and says nothing: a second answer on its own."""
    tail = _STOPS.sub("", tail, count=1) if _STOPS.match(tail) else tail
    if len(tail) > SHORT_CHARS or "=" in tail or not any(c.isalnum() for c in tail):
        return False
    if not tail.isascii() and len(_HAN.findall(tail)) > SHORT_WORDS and not any(c.isdigit() for c in tail):
        return False
    if any(c.isdigit() for c in tail) and _WORD.search(tail) and _confirms(tail, 0, answer):
        return False
    if any(c.isdigit() for c in tail) or not _SPEAKS.match(tail):
        return len(_WORD.findall(tail)) <= SHORT_WORDS and not _SAID.search(tail) and not _POLITE.match(tail)
    return False


def _goes_on(tail: str) -> bool:
    """Whether the line of a closed tag goes on with something else than a sentence: `</answer>, 7`."""
    line = "" if _NEXT_SENTENCE.match(tail) else tail.split("\n", 1)[0].strip(" .!*")
    return any(c.isalnum() for c in line) and (line[0] in ",;/|:&+=<>-–—([{\\" or not _SAID.search(line))
