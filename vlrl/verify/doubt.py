r"""Whether words commit to an answer: doubt, denial, alternatives, and taking back what was said.

A list of words can't be complete, so what *may* stand around an answer is listed too: between a verb and the answer
only words that change nothing (`committed_before`), before "the answer is" only a finished clause or a connective
(`declared_by`). A few words of doubt of other languages are known; a sentence that they leave unread earns nothing.
"""

from __future__ import annotations

import re

_ABROAD = (  # no, not, never, perhaps, or: German, French, Spanish, Italian, Portuguese, Dutch, Russian, Turkish
    r"nicht|keine?|niemals|nein|vielleicht|möglicherweise|vermutlich|wahrscheinlich|oder|pas|jamais|peut-être|ou|"
    r"quizás?|"
    r"tal vez|nunca|no es|tampoco|forse|né|oppure|não|talvez|niet|geen|misschien|не|нет|возможно|или|değil|belki|veya"
)
_ABROAD_JOINED = r"不是|可能|也许|或者?|还是|または|ではない|아니|또는"
_DENIAL_SIGNS = (
    r"[≠¬✗✘❌]|!=|<>|~~|\\(?:neq?|neg|lnot|not|cancel|xcancel|bcancel|sout|st)(?![a-z])|<(?:s|del|strike)>|<!--"
)

_HEARSAY = (  # "one answer is", "a wrong answer was", "some say"
    r"\b(?!(?:the|my|our|final|correct|right|best|likely|this|and|so|your|numerical|overall)\b)\w+\s+answers?\s+"
    r"(?:is|was|are|were|would|could|might|may)\b"
    r"|\b(?:some|many|people|others|they) (?:say|said|think|thought|believe)\b"
)
_DOUBT = re.compile(
    r"\b(?:either|maybe|perhaps|possibly|probably|(?<!most )likely|unlikely|presumably|supposedly|between|not|"
    r"never|cannot|"
    r"unclear|unknown|unsure|uncertain|guess|doubt(?:s|ed|ful)?|hardly|scarcely|nobody|no one|except|excluding|"
    r"excludes?|"
    r"besides|apart from|nor|neither|impossible|wrong|incorrect|false|untrue|mistaken|invalid|reject(?:s|ed)?|"
    r"rule[sd]? out|"
    r"ruling out|discard(?:s|ed)?|eliminat\w{1,4}|dismiss(?:es|ed)?|(?:anything|everything|all|any|nothing) but|"
    r"other than|rather than|instead of|unless|otherwise|else|whether|suppose|a lie|"
    rf"{_ABROAD})\b|(?<!that )(?<!which )\b(?:might|could)\b|n't\b|n’t\b|\?|^\W*(?:without|if|no)\b(?!\W*[,:])"
    rf"|\bif\b|{_ABROAD_JOINED}"
    rf"|{_DENIAL_SIGNS}|{_HEARSAY}",
    re.IGNORECASE,
)
_MAYBE = re.compile(  # in a sentence that may deny other options
    r"\b(?:either|maybe|perhaps|possibly|probably|(?<!most )likely|might|could|unsure|not sure|guess|doubt(?:s|"
    r"ed)?|whether|"
    rf"suppose|never|hardly|reject(?:s|ed)?|{_ABROAD})\b|{_ABROAD_JOINED}|{_DENIAL_SIGNS}|{_HEARSAY}",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"\b(?:or|about|around|roughly|nearly|almost|at least|at most|more than|less than|fewer than|over|under|up to)\b"
    r"|[±~<>≈≥≤]",
    re.IGNORECASE,
)
_FILLERS = (
    r"(?:(?:about|approximately|around|roughly|exactly|only|also|therefore|thus|then|just|still|now|simply|precisely|"
    r"actually|indeed|clearly|altogether|respectively|either|a total of|equal to|given by|found to be|the value|"
    r"option|choice|letter|number|the option|the choice|the letter|the number|the|an?)\s+)*"
)
_VERBS = (
    r"(?:is|are|was|were|be|been|being|equals?|equal to|becomes?|remains?|leaves?|left|makes?|made|gives?|gave|given|"
    r"yields?|gets?|got|has|have|had|needs?|needed|costs?|earns?|earned|spends?|spent|takes?|took|shows?|shown|"
    r"reads?|"
    r"contains?|sees?|saw|counts?|counted|finds?|found|buys?|bought|sells?|sold|pays?|paid|uses?|used|saves?|saved|"
    r"reach(?:es|ed)?|totals?|receives?|received|collects?|collected|makes up|answers?|result|choose|chose|chosen|"
    r"select|pick|holds?|weighs?|measures?|covers?|travels?|traveled|travelled|drives?|drove|runs?|ran|"
    r"adds? up to|comes? to|"
    r"there|therefore|thus|hence|so|then|of|by|to|at|for|in|on|with|from|as|conclude|conclude that)"
)
_MARKUP = r"[\s*$`({\[\"'“‘]|\\[(\[]|\\(?:text|mathbf|textbf|mathrm)\s?\{"
_COMMITTED_BEFORE = re.compile(
    rf"(?:^|[=:]|[A-Za-z]['’]s\b|"
    rf"\b{_VERBS}(?:\s+that)?\s*[:,]?)(?:{_MARKUP})*{_FILLERS}(?:{_MARKUP})*$",
    re.IGNORECASE,
)
_PREDICATE = re.compile(
    r"\W{0,3}\b(?:is|are|was|were|isn|does|has been|can be)\b(?!\s+(?:the|our|my|correct|right|thus|therefore|"
    r"your)\b)",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(
    r"(?:^|[,;:.!—–-]|\b(?:so|therefore|thus|hence|and|then|that means|this means|which means|"
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

_RETRACTION = (
    r"\bon (?:second thought|reflection)\b|\bscratch (?:that|it)\b|\bkidding\b|\b(?:take|took) (?:it|that|"
    r"this) back\b"
    r"|\bI (?:was|am) (?:wrong|mistaken|unsure|not sure)\b|\b(?:made|make) an? (?:mistake|error)\b|\bI mean(?:t)?\b"
    r"|(?:(?:^|[.!\n])\W{0,4}(?:but |and |so )?(?:that|this|it|the answer|my answer)(?:['’]s| is| was)"
    r"|^\s{0,3}(?:is|was)) (?:wrong|incorrect|false|a lie|not (?:the )?(?:right|correct|true|answer))\b"
    r"|(?:^|[.!\n])\W{0,4}(?:hmm+|oops|sorry|edit|correction|update)\b|\bcorrection:"
    r"|\b(?:however|nevertheless|nonetheless)\b(?:[^.\n]|\.(?=[0-9])){0,60}\b(?:correct|right|possible|answer)\b"
)
_AFTER_DECLARED = re.compile(  # after a tag, a box or JSON nothing of this kind may follow
    r"\b(?:maybe|perhaps|possibly|alternatively|actually|instead|wait|otherwise|else|nevertheless|nonetheless)\b"
    r"|\b(?:correct|right|true|real|actual) (?:one|value|result|option|choice) (?:is|should|would|must)\b"
    r"|\b(?:could|might|may|can) (?:also|be|equally)\b|^\W{0,5}(?:or|and|but|not|no|nor)\b|\b(?:not sure|unsure)\b"
    rf"|[.\n]\s{{0,5}}(?:Or|No)\b|^\W{{0,5}}(?:{_ABROAD})\b|^\W{{0,5}}(?:{_ABROAD_JOINED})|{_RETRACTION}",
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
    r"\b(?:is|are|was|were|be|has|have|had|see|hope|let|thank|because|since|shows?|means?)\b", re.IGNORECASE
)
_POLITE = re.compile(
    r"\W*(?:done|qed|thanks?|thank you|hope|good luck|cheers|great|end|that's all|explanation)\b|\W*∎", re.I
)
_STOPS = re.compile(r"[\s.!。]*")
_CLOSING = re.compile(r"(?:[*$`_)\]}\"'”’]|\\[)\]])+")
_DETERMINER = re.compile(r"\b(?:the|my|our)\s{1,3}$", re.IGNORECASE)
_REASON = re.compile(r"(?<=\S),?\s{1,3}(?:because|since)\b", re.IGNORECASE)
_UNIT_MARKUP = re.compile(r"\\[pb]mod\s?\{?\w{1,20}\}?|\\[A-Za-z]+|\\[ ,;!)\]]|\^\s?\{?-?[1-4]\}?|[$~{}]")
_LABEL = re.compile(r"\W{0,4}[A-J]\b\W{0,4}")
_SPACES = re.compile(r"\s+")
_WORD = re.compile(r"[^\W\d_]{2,}")
SHORT_WORDS, SHORT_CHARS = 3, 100


def doubts(sentence: str) -> bool:
    """Whether a sentence negates, asks or doubts."""
    return _DOUBT.search(sentence) is not None


def maybe(sentence: str) -> bool:
    """Whether a sentence guesses, in one of several ways; a denial of another option is no guess."""
    return _MAYBE.search(sentence) is not None


def hedges(sentence: str) -> bool:
    """Whether a sentence offers more than one thing, gives a bound or a rough value, negates, asks or doubts."""
    return doubts(sentence) or _VAGUE.search(sentence) is not None


def committed_before(before: str) -> bool:
    """Whether what stands before a value states it: nothing, "=", ":", or a verb with words that change nothing."""
    return _COMMITTED_BEFORE.search(_SPACES.sub(" ", before[-200:])) is not None


def without_reason(sentence: str) -> str:
    """The sentence up to "because": what it states, without why."""
    return _REASON.split(sentence, maxsplit=1)[0]


def denied_after(after: str) -> bool:
    """Whether a value is the subject of a statement that says more of it: "6 is out", but not "6 is the answer"."""
    return _PREDICATE.match(after) is not None


def declared_by(before: str) -> bool:
    """Whether a sentence up to "the answer is" leads up to a declaration: a finished clause or a connective."""
    before = _DETERMINER.sub("", before[-300:])
    return _CLAUSE_END.search(before) is not None and _OPEN_PREFIX.search(before) is None


def taken_back(tail: str, how: str, answer: str = "") -> bool:
    """Whether what a response says after its answer takes it back, hedges it, or adds another one.

    how   "phrase" after "the answer is …", where explanations follow; else what declared the answer (tag, box, json)
    """
    if not tail or tail.isspace():
        return False
    if how == "phrase":
        label = _LABEL.fullmatch(answer) is not None and _LABEL.match(tail.strip()) is None  # "(B). 60 degrees"
        return _AFTER_PHRASE.search(tail) is not None or (not label and _is_another(tail))
    if _AFTER_DECLARED.search(tail) is not None:
        return True
    if how == "box":
        tail = _CLOSING.sub("", tail, count=1) if _CLOSING.match(tail) else tail
        line = _UNIT_MARKUP.sub(" ", tail.split("\n", 1)[0])
        units = bool(line.strip()) and not any(c.isdigit() or c in "\\|;" for c in line)
        return _is_another(tail) and not units
    return _is_another(tail) or _goes_on(tail)


def _is_another(tail: str) -> bool:
    """Whether a tail is short and says nothing: a second answer on its own."""
    tail = _STOPS.sub("", tail, count=1) if _STOPS.match(tail) else tail
    if len(tail) > SHORT_CHARS or "=" in tail or not any(c.isalnum() for c in tail):
        return False
    return len(_WORD.findall(tail)) <= SHORT_WORDS and not _SAID.search(tail) and not _POLITE.match(tail)


def _goes_on(tail: str) -> bool:
    """Whether the line of a closed tag goes on with something else than a sentence: `</answer>, 7`."""
    line = tail.split("\n", 1)[0].strip(" .!*")
    return any(c.isalnum() for c in line) and (line[0] in ",;/|:&+=<>-–—([{\\" or not _SAID.search(line))
