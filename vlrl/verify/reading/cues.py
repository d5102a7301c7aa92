"""What declares, concludes and states an answer: patterns made of the words of `words/`, for `re.IGNORECASE`."""

from __future__ import annotations

import re

from vlrl.verify.words.languages import plain_words, words

_VERBS_ABROAD = frozenset().union(*(verbs for language, verbs in plain_words("verb").items() if language != "english"))

LATIN_ANSWER = (  # "la bonne réponse est", "die Antwort lautet"
    rf"(?:(?:{words('free', abroad=True)}|l['’]|ma|meine|mi|{words('right', abroad=True)})\s?){{0,4}}"
    rf"{words('answer', abroad=True, apart=True)}(?:\s{words('right', abroad=True)})?\s{{0,3}}"
    rf"(?::|=|{words('is', abroad=True, apart=True)}\s{{0,3}}:?)|{words('answer_is', apart=True)}"
    rf"|{words('is', abroad=True, apart=True)}\s(?:(?:{words('free', 'right', abroad=True, apart=True)})\s){{0,4}}"
    rf"{words('answer', abroad=True, apart=True)}\s{{1,2}}(?=[(*\"]{{0,2}}(?:[0-9]|(?-i:[A-J])\b))"
)
OTHER_ANSWER = words("answer_is", apart=False)  # none of it is ASCII
CONCLUDES = re.compile(
    r"^\W{0,4}(?:grand\s)?(?:total|sum|result)(?:\s\w+){0,3}\s?[:=]"
    rf"|^\W{{0,6}}{words('so_first')}|{words('so')}|(?:[,;:]|and) so\b",
    re.IGNORECASE,
)
COURTESY = re.compile(
    r"[?？؟]\W*$|\b(?:hope (?:this|that|it)|let me know|feel free|glad to|happy to|i can help|i see the image|"
    r"i understand|here is|here's|here are|would you like|you're welcome)\b|:\W*$"
    r"|^\W*(?:is there anything|do you (?:have|want|need)|please (?:let|note|feel)|sure\b|if you (?:have|"
    r"need|want)|thank)",
    re.IGNORECASE,
)
STATES_ABROAD = (  # verbs right before a value
    rf"(?:{words('states', 'is', abroad=True, apart=True)}|\b(?:{'|'.join(sorted(_VERBS_ABROAD))})\b)"
)
STATES_JOINED = words("states", apart=False)
TAIL_ABROAD = re.compile(rf"\s?{words('closes')}\s?[。．.!！]?$")  # "is", "are left", "are seen" behind a value
SETUP = re.compile(
    rf"{words('first', 'set_up')}|^\W*(?:find|read|add|subtract|multiply|divide|look|count|compare|use|calculate)\b",
    re.IGNORECASE,
)
SCENE = re.compile(words("first"), re.IGNORECASE)  # how things were before, which is no answer to how they are
NOW = re.compile(words("now"), re.IGNORECASE)
