r"""Whether a box or an answer tag declares what it holds: the clause and the formula around it are read as one whole.

Four things make it no answer: the clause denies, doubts or guesses it ("The answer is not \boxed{12}"), bounds or
changes it ("twice \boxed{12}"), supposes it ("If the base were 6, …"), or shows it as a template ("e.g. \boxed{12}").
A denial governs what follows it up to the end of its clause, and never past a value of its own: "It isn't 10: the area
is \boxed{12}", "not 24 but \boxed{12}" declare 12. A formula around a box is read with the content in the box's place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vlrl.verify.reading.clause.around_box import WRAPPER, in_mathematics, whole_formula
from vlrl.verify.reading.clause.sentence_end import SENTENCE_END
from vlrl.verify.words.languages import in_each_language, words

REACH = 400  # characters before a declaration that are read, and
BEHIND = 160  # behind it

_NOT = re.compile(words("not"))
_DENIES = re.compile(words("not", "wrong", "trap", "perhaps", "others"))
_NO_DENIAL = re.compile(  # "not only", "it is not hard to see", "correcting this mistake", "trial and error"
    r"\bnot\s(?:only|just|merely|surpris|hard|difficult)|n['’]t\s(?:just|only|hard|difficult)"
    r"|^\W*(?:do\s?n['’]t|do not|never)\s(?!answer|write|say|put|choose|pick|give|use|trust|accept|believe|take|"
    r"report|enter)\w+"
    r"|\bnothing but\b|\b(?:correct|fix|avoid|remov|resolv|without|despite|no)\w{0,3}\s(?:(?:the|this|that|my|any|"
    r"these|"
    r"such)\s)?(?:\w+\s)?"
    r"(?:mistake|error|trap|pitfall)s?\b|\band error\b|\bimpossible (?:case|root|value)",
)
_GOVERNS = re.compile(words("that", "thinks"), re.IGNORECASE)  # what takes a statement: "I don't think the answer is"
_STATEMENT = re.compile(  # a subject with its verb right before the value
    r"\b(?:the|our|its|their|we|i|it|this|these|he|she|they|der|die|das|la|le|el|o|a)\s(?:[^\W\d_]+\s){0,6}?"
    r"(?:is|are|was|equals?|be|get|gets|have|find|obtain|conclude|ist|sind|beträgt|est|vaut|es|é)\b[^.]{0,12}$",
    re.IGNORECASE,
)
_BUT = re.compile(rf"(?<!anything )(?<!nothing )\bbut\b|{words('but')}")
_NEXT_CLAUSE = re.compile(  # a contrast or a conclusion begins a clause of its own
    rf"{_BUT.pattern}|{words('so')}|\b(?:so|then|giving|yielding|leaving|means|because|since|also)\b",
)
_PAUSE = re.compile(r"[,，、،]\s?|\s[—–-]\s|\b(?:and|und|et|y|и)\s|\s\(")
_FINITE = re.compile(
    r"=|['’]s\b|\b(?:has|have|gets?|gives?|yields?|obtain|find|becomes?|must|can|makes?|choose|pick|select|"
    rf"conclude)\b|{words('is')}"
)
_SUBORDINATE = re.compile(rf"\W{{0,3}}(?:{words('that', 'or', apart=True)}|or\b|nor\b)", re.IGNORECASE)
_CHANGES = re.compile(rf"{words('changes', 'bound', 'or')}\s*$")  # right before a value
_CHANGES_BEHIND = re.compile(rf"\s*{words('changes_behind')}", re.IGNORECASE)  # right behind it
_TEMPLATE = re.compile(words("example"))
_FRONTED = re.compile(  # at the head of a sentence: it holds for the whole of it
    rf"\W{{0,4}}(?:{words('for_example')}|(?:{words('example')})(?:\s(?:{words('answer', 'thing')}))?\W{{0,3}}[:：])"
)
_IN_FORMAT = re.compile(  # the answer, in the format that was asked for
    r"\b(?:in|to|as|with|following|using|per)\s(?:the|a|an|this|that|its|your)?\s?(?:\w+\s){0,3}formats?\b"
    r"|\b(?:this|the|our|in this|above|that)\s(?:\w+\s)?examples?\b|\bexample\s[0-9]+\b|(?:按|以)[^，。]{0,8}格式"
    r"|\b(?:im|dans l|en el|no)\s?['’]?\s?format\w*\b",
)
_TELLS_TO_WRITE = re.compile(  # an order, or how one would write it
    r"(?:^|[,;:.]|\b(?:please|then|just|and|should|must|can|to|would|could|may|['’]d|like))\s{0,2}"
    r"(?:write|put|enter|type|give|provide|return|output|submit|respond|reply|insert|fill in|(?<=[a-z'’]\s)answer)"
    r"(?:\s(?:it|this|that|down|in|as|like|with|by|something|the answer|an answer))*\s*$"
    r"|\byour\s(?:\w+\s)?(?:answer|response|output|result)s?\b[^.,;:]{0,20}$"
    r"|(?:^|[，,])\s?请?(?:写|填|输入|输出)(?:成|作|为|入)?\s*$",
    re.IGNORECASE,
)
_UNREAL = re.compile(
    rf"{in_each_language('if', '.{3,200}', 'would')}|{in_each_language('if_verb', '.{3,200}', 'would')}"
    rf"|{in_each_language('would', '.{3,200}', 'if', abroad=True)}|{in_each_language('if', '.{2,200}', 'then_would')}"
    rf"|{words('unreal')}",
    re.DOTALL,
)
_SUPPOSED_AT_ONCE = re.compile(  # "Assume \boxed{6}", "If x is \boxed{6}, then"
    rf"\W{{0,4}}(?:{words('supposing')}|{words('if')})\s?(?!.*\b(?:gives?|yields?|leads?|makes?|means?)\b)[^,;:，、；：]{{0,40}}",
)
_MAY_BE = re.compile(rf"{words('may_be')}\W{{0,4}}(?:{words('filler', apart=True)}\W{{0,4}})*$")  # right before a value
_GUESSING = re.compile(  # said of oneself, and of what comes after "but", too
    r"\b(?:i['’](?:m|d be)|i (?:am|was|would be))\s(?:\w+\s){0,2}?(?:guessing|unsure|uncertain)\b",
)
_DENIED_BEHIND = re.compile(words("not", "wrong", "trap", "perhaps", "example"))
_SAID_BY_OTHERS = re.compile(  # "is what a careless reader would say", but not "is what the sign says"
    r"\s?(?:is|was)\swhat\s(?:it|there|this|that)\swould\b|"
    r"\s?(?:is|was|would be)\s(?:what|how|the \w+ (?:that )?)\s?(?!(?:i|we|you|it|this)\b)(?:[^\W\d_]+\s){1,6}?"
    r"(?:would|might|may|thinks?|thought|believes?|believed|guess(?:es|ed)?|claim(?:s|ed)?)\b",
    re.IGNORECASE,
)
_ANOTHER_VALUE = re.compile(
    r"(?:not|nicht|pas|no|não|не|n['’]t(?:\sbe)?|不是)\W{1,4}(?:the\s|option\s)?[$\\(*]{0,3}(?:-?[0-9]|[A-J]\b)"
)
_BEHIND_END = re.compile(
    r"[.;:。；：!！\n]|[,，、]\s?(?!which\b|was\b)|\s\(|\b(?:because|since|as(?! an?\s(?:sample|example|template|"
    r"placeholder)\b)|so|and|but|while|when|where(?! "
    r"[^,.]{1,20} "
    r"is)|if)\b",
    re.IGNORECASE,
)
_SIGNS = re.compile(r"(?:[\s$*}\])`_\"”’]|\\[\])])+")
_BRACKETED = re.compile(r"[(（]([^()（）]{1,80})[)）]")
_ENDED = re.compile(r"[.。!！]")
_GOES_ON = re.compile(r"\W*(?:not|no|nor|or|and|but)\b", re.IGNORECASE)
_CAN_NOT = re.compile(words("unable"), re.IGNORECASE)  # who can't answer and writes a box for all that
_WITHOUT_SIGHT = re.compile(
    rf"{words('unable')}\s?[,;]\s?(?:so|but)\b", re.IGNORECASE
)  # "I can't see the image, so I'll put"
_ENDS_OPEN = re.compile(
    r"(?::|：|\b(?:is|are|be|not|n['’]t|equals?|than|of|to|as|ist|nicht|est|pas|es|é|не|это)|[是为為于於])\W{0,3}$",
    re.IGNORECASE,
)
_LISTED = re.compile(r"\s*(?:[-*•#]|[0-9]+[.)])\s")
_STOPPED = re.compile(r"(?<!\be\.g)(?<!\bz\.B)(?<!\bi\.e)[.!?。！？]['\"”’)*\]$\\]{0,4}$")
_WORDS = re.compile(r"[^\W\d_]{2,}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True)
class Standing:
    """How a declaration stands.

    fault   why it is no answer; "" where it is one
    whole   the formula around a box with the content in its place; None where the content is the whole of it
    denied  the clause denies it
    """

    fault: str = ""
    whole: str | None = None
    denied: bool = False


SOUND = Standing()


def standing(text: str, start: int, end: int, content: str, formula: bool) -> Standing:
    r"""How the declaration `text[start:end]`, a whole `\boxed{…}` (`formula`) or `<answer>…</answer>`, stands."""
    before, after = text[max(0, start - REACH) : start], text[end : end + BEHIND]
    if is_bare(before, after):
        return SOUND
    whole = whole_formula(before, after, content, in_mathematics(text, start)) if formula else None
    sentence, open_line = _sentence(before)
    if sentence and (fault := _spoiled_before(sentence, _clause_behind(after))):
        return Standing(fault, denied=fault == DENIED)
    if (fault := _spoiled_behind(after)) or (not open_line and (fault := _without_knowledge(before, sentence))):
        return Standing(fault, denied=fault == DENIED)
    return Standing(whole=whole) if whole is not None else SOUND


def is_bare(before: str, after: str) -> bool:
    """Whether nothing but markup stands around a declaration."""
    return not before.strip(" \n$*\\[(") and not after.strip(" \n$*\\]).")


def is_example(sentence: str) -> bool:
    """Whether a sentence says at its head that it only shows how an answer may look: "Format: Answer: 12"."""
    return _FRONTED.match(sentence.lower()) is not None


def without_knowledge(before: str) -> bool:
    """Whether a bare answer follows a sentence that says one can't answer: "I don't know. 12"."""
    return _without_knowledge(before, "") != ""


DENIED = "the answer is denied or doubted where it is given"
CHANGED = "the answer is bounded or changed where it is given"
SUPPOSED = "the answer is only supposed"
TEMPLATE = "an example of an answer, and none"


def _sentence(before: str) -> tuple[str, bool]:
    """(the words of the sentence up to a declaration, whether the line before belongs to it)."""
    opened = before
    while (wrapper := WRAPPER.search(opened[-60:])) is not None:
        opened = opened[: len(opened) - len(wrapper[0])]
    gap = before[len(opened) :]
    if not opened or _STOPPED.search(opened[-6:]):
        return "", False
    near = [match.end() for match in SENTENCE_END.finditer(opened[-120:] + "A")]
    ends = [max(0, len(opened) - 120) + end for end in near] or [match.end() for match in SENTENCE_END.finditer(opened)]
    sentence = opened[ends[-1] :] if ends else opened
    apart = "\n\n" in gap or _LISTED.match(sentence) or len(_WORDS.findall(sentence)) > 12
    if "\n" in gap and apart and not _ENDS_OPEN.search(sentence):
        return "", False  # a line of its own
    return sentence, True


def _spoiled_before(sentence: str, behind: str) -> str:
    """Why what a sentence says up to a declaration makes it no answer, with what its clause says behind; "" where it
    doesn't."""
    sentence = sentence.lower()  # the patterns are twice as fast where they needn't ignore case
    if _UNREAL.search(f"{sentence} {behind}"):
        return SUPPOSED
    if _SUPPOSED_AT_ONCE.fullmatch(sentence):
        return SUPPOSED
    if _GUESSING.search(sentence) or _MAY_BE.search(sentence) or _WITHOUT_SIGHT.search(sentence):
        return DENIED
    if _FRONTED.match(sentence):
        return TEMPLATE
    sentence = _NO_DENIAL.sub("", sentence)
    clause = _last_clause(sentence.rstrip(" :：*-—–"))
    if _CHANGES.search(clause[-60:]) and sentence.rstrip(" *")[-1:] not in (":", "："):
        return CHANGED
    if _TELLS_TO_WRITE.search(clause):
        return DENIED if _NOT.search(clause) else TEMPLATE
    plain = _IN_FORMAT.sub("", clause)
    shown = [match.end() for match in _TEMPLATE.finditer(plain)][:1]
    if shown and (re.match(r"\s(?:of|for)\b", plain[shown[-1] :]) or not _STATEMENT.search(plain, shown[-1])):
        return TEMPLATE
    for match in reversed(list(_DENIES.finditer(clause))):
        between = clause[match.end() :]
        if any(c.isnumeric() for c in between) or re.search(r"\\(?:frac|sqrt|pi)", between):
            continue  # "It isn't 10"
        own = _STATEMENT.search(between)
        if own is not None and between[: own.start()].strip() and not _GOVERNS.search(between[: own.start()]):
            continue  # "as n is not prime the answer is"
        if not _stands_alone(clause, match):
            continue
        return DENIED
    return ""


def _stands_alone(clause: str, denial: re.Match[str]) -> bool:
    """Whether a denial is of the answer and not of a value that stands before it: "24 is wrong"."""
    subject = clause[: denial.start()]
    return not re.search(
        r"(?:[0-9]|\b[a-j])[)$*°%]{0,3}\s(?:is|are|was|were|would be|ist|est|es|é)\s(?:\w+\s)?$", subject
    )


def _last_clause(sentence: str) -> str:
    """The last clause of a sentence, which a declaration belongs to."""
    start = 0
    for match in re.finditer(r"[:;：；]\s*(?=\S)", sentence):
        start = match.end()
    for match in _NEXT_CLAUSE.finditer(sentence, start):
        if sentence[match.end() :].strip() or _BUT.fullmatch(match[0]):
            start = max(start, match.end())
    for match in _PAUSE.finditer(sentence, start):
        piece = sentence[match.end() :]
        if _FINITE.search(piece) and not _SUBORDINATE.match(piece) and not re.match(r"[^,]{0,30}[,，]\s?$", piece):
            start = match.end()
    return sentence[start:]


def _clause_behind(after: str) -> str:
    """What the clause says after a declaration, with what stands in brackets right behind it: "(a guess)"."""
    opening = _SIGNS.match(after)
    rest = after[opening.end() :] if opening is not None else after
    if opening is not None and "\n" in opening[0] and not rest[:1].islower():
        return ""  # a line of its own
    if (aside := _BRACKETED.match(rest)) is not None:
        rest = aside[1]
    if _ENDED.match(rest):
        return ""
    end = _BEHIND_END.search(f" {rest}", 1 + (rest[:1] in ",，、:："))
    return rest[: end.start() - 1] if end is not None else rest


def _spoiled_behind(after: str) -> str:
    """Why what the clause says after a declaration makes it no answer."""
    clause = _clause_behind(after)
    if re.match(r"\s?[?？؟]", clause):
        return DENIED
    if _SAID_BY_OTHERS.match(clause):
        return DENIED
    if _CHANGES_BEHIND.match(clause):
        return CHANGED
    if not _WORDS.search(clause[:40]):
        return ""
    if _GOES_ON.match(clause) or "\\boxed" in clause:
        return ""  # what follows it is judged with all that follows
    clause = _NO_DENIAL.sub("", _IN_FORMAT.sub("", _ANOTHER_VALUE.sub("", clause).lower()))
    found = _DENIED_BEHIND.search(clause)
    return "" if found is None else TEMPLATE if _TEMPLATE.search(clause) else DENIED


def _without_knowledge(before: str, sentence: str) -> str:
    """Why a declaration without words of its own is none where the sentence before it says that one can't answer."""
    if _WORDS.search(sentence):
        return ""
    spoken = [piece for piece in SENTENCE_END.split(before.rstrip(" \n$*\\[(")) if _WORDS.search(piece)]
    last = spoken[-1] if spoken else ""
    return DENIED if _CAN_NOT.search(last) and not any(c.isdigit() for c in last) else ""
