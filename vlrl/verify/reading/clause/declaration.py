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

REACH = 400  # characters before a declaration that are read, and
BEHIND = 160  # behind it

_NOT = (
    r"\b(?:not|never|nothing|nobody|no one|hardly|scarcely|anything but|keineswegs|keinesfalls|cannot|isnt|arent|"
    r"no way|by no means|in no case|nowhere near|far from|neither|nor|nicht|"
    r"kein\w{0,2}|"
    r"nie(?:mals)?|pas|jamais|no (?:es|son|sea|puede|vale)|nunca|não|nao|не|нет|нельзя|ليست?|لا|لن)\b|n['’]t\b"
    r"|不(?!等式|[难難妨变變同定])|[没沒未]|并非|아니|아닙|아닐|않|ない|ません|ではあり|غير"
)
_WRONG = (
    r"\b(?:wrong|incorrect|false|untrue|mistakes?|mistaken(?:ly)?|errors?|erroneous|traps?|pitfalls?|misconceptions?|"
    r"rejects?|rejected|rul(?:e|es|ed|ing) out|doubts?|doubted|doubtful|unlikely|impossible|differs? from|"
    r"different from|"
    r"disagree\w*|guess(?:es|ed|ing)?|(?:refuse|decline|hesitate)[sd]? to|refut\w+|disprov\w+|decoys?|distractors?|"
    r"bogus|fake|nonsense|tempt\w+|"
    r"falsch\w{0,2}|inkorrekt|unmöglich|fehler|rate|faux|fausse|erreur|incorrecte?s?|incorrect[oa]|errón\w+|errad[oa]|"
    r"erro|error|imposible|impossível|неверн\w+|неправильн\w+|ошиб\w+|невозможн\w+)\b"
    r"|错误|錯誤|[错錯]的|猜|間違|誤り|不正解|틀린|틀렸|오답|잘못|خطأ|خاطئ|مستحيل"
)
_PERHAPS = (
    r"\b(?:maybe|perhaps|possibly|probably|presumably|supposedly|vielleicht|vermutlich|möglicherweise|peut-être|"
    r"probablement|quizás?|tal vez|probablemente|talvez|provavelmente|может быть|возможно|вероятно|наверное)\b"
    r"|也许|或许|可能(?!性)|大概|たぶん|おそらく|かもしれ|아마|ربما"
)
_OTHERS_SAY = (
    r"\b(?:some|many|most|people|others|students|they|one|you)\s(?:\w+\s){0,2}"
    r"(?:say|says|said|think|thinks|thought|answer|answers|answered|claim|claims|claimed|believe|believes|guess|"
    r"expect)\b"
)
_DENIES = re.compile(
    rf"{_NOT}|{_WRONG}|{_PERHAPS}|{_OTHERS_SAY}",
)
_NO_DENIAL = re.compile(  # "not only", "it is not hard to see", "correcting this mistake", "trial and error"
    r"\bnot\s(?:only|just|merely|surpris|hard|difficult)|n['’]t\s(?:just|only|hard|difficult)"
    r"|^\W*(?:do\s?n['’]t|do not|never)\s(?!answer|write|say|put|choose|pick|give|use|trust|accept|believe|take|"
    r"report|enter)\w+"
    r"|\bnothing but\b|\b(?:correct|fix|avoid|remov|resolv|without|despite|no)\w{0,3}\s(?:(?:the|this|that|my|any|"
    r"these|"
    r"such)\s)?(?:\w+\s)?"
    r"(?:mistake|error|trap|pitfall)s?\b|\band error\b|\bimpossible (?:case|root|value)",
)
_GOVERNS = re.compile(  # what takes a statement as its object: "I don't think the answer is"
    r"\b(?:that|think|thinks|believe|say|says|claim|agree|know|sure|certain|true|correct|right|convinced|mean|possible|"
    r"dass|que|glaube|crois|pense|creo|acho|что|думаю|считаю)\b",
    re.IGNORECASE,
)
_STATEMENT = re.compile(  # a subject with its verb right before the value
    r"\b(?:the|our|its|their|we|i|it|this|these|he|she|they|der|die|das|la|le|el|o|a)\s(?:[^\W\d_]+\s){0,6}?"
    r"(?:is|are|was|equals?|be|get|gets|have|find|obtain|conclude|ist|sind|beträgt|est|vaut|es|é)\b[^.]{0,12}$",
    re.IGNORECASE,
)
_NEXT_CLAUSE = re.compile(  # a contrast or a conclusion begins a clause of its own
    r"\b(?:(?<!anything )(?<!nothing )but|so|hence|thus|therefore|then|giving|yielding|leaving|means|because|since|"
    r"sondern|mais|sino|pero|mas|"
    r"daher|"
    r"somit|also|donc|por (?:lo )?tanto|portanto|logo|поэтому|значит|следовательно)\b|,\sа\s|而是|所以|因此|故|于是|"
    r"ではなく|じゃなくて|よって|したがって|아니라|따라서|그러므로|بل\s|لذلك",
)
_PAUSE = re.compile(r"[,，、،]\s?|\s[—–-]\s|\band\s|\bund\s|\bet\s|\by\s|\bи\s|\s\(")
_FINITE = re.compile(
    r"=|\b(?:is|are|was|were|['’]s|equals?|has|have|gets?|gives?|yields?|obtain|find|becomes?|must|can|makes?|choose|"
    r"pick|select|conclude|ist|sind|beträgt|ergibt|est|vaut|donne|es|son|é|são|это)\b|\bравн|составля|получа|"
    r"[是为為得等はが은는이가هو]",
)
_SUBORDINATE = re.compile(r"\W{0,3}(?:that|dass|daß|que|qu['’]|что|or|nor|oder|ou)\b", re.IGNORECASE)
_CHANGES = re.compile(  # right before a value
    r"(?:\b(?:minus|negative|plus|times|twice|thrice|half(?: of)?|(?:third|quarter|fraction|part|multiple|factor|"
    r"root|square|"
    r"cube|inverse|reciprocal|opposite|double|triple|digit|percent|most|all|none|one|some) of|double|triple|over|"
    r"under|above|"
    r"below|than|least|most|to within|up to|exceeds?|or|nor|beyond|between(?:\s\S+\sand)?|except|all but|"
    r"unter|über|zwischen(?:\s\S+\sund)?|(?:ober|unter)halb von|por (?:encima|debajo) de|entre(?:\s\S+\s[yet]+)?|"
    r"(?:au|en)[- ]dess(?:us|ous) de|(?:acima|abaixo) d[eoa]|выше|ниже|свыше|"
    r"oder|ou|или|либо|doppelte? von|hälfte von|mindestens|höchstens|(?:größer|kleiner|weniger|mehr) als|"
    r"(?:moitié|double|triple|plus|moins) de|au (?:plus|moins)|(?:inférieure?|supérieure?) à|(?:mitad|doble|más|"
    r"menos) de|"
    r"(?:mayor|menor) que|(?:al|por lo) menos|como máximo|(?:metade|dobro) de|(?:maior|menor) (?:do )?que|pelo "
    r"menos|no máximo|"
    r"(?:не\s)?(?:больше|меньше|более|менее)|вдвое|половина|половину|минус)|"
    r"小于|大于|少于|多于|不到|不足|超过|至少|至多|最多|最少|负|負|或者?|还是|または|もしくは|또는|혹은|최소|최대|"
    r"적어도|أقل من|أكبر من|أكثر من|ضعف|نصف|أو"
    r")\s*$",
)
_CHANGES_BEHIND = re.compile(  # right behind it
    r"\s*(?:的\s?(?:[一两二三]\s?倍|[0-9]+\s?倍|一半)|[倍]|以上|以下|以内|左右|の\s?(?:[0-9一二三]\s?倍|半分)|より|"
    r"未満|"
    r"의\s?(?:[두세]\s?배|절반)|보다|이상|이하|미만|(?:squared|cubed|halved|doubled|times|plus|minus)\b)",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    r"\b(?:formats?|templates?|placeholders?|samples?|examples?|illustrat\w+|e\.\s?g|for instance|such as|kind of "
    r"answer|"
    r"z\.\s?b|beispiel\w*|vorlage|par exemple|exemple|por ejemplo|ejemplo|formato|por exemplo|exemplo|например|"
    r"пример\w*|"
    r"шаблон\w*|формат\w*)\b|例如|比如|示例|例子|格式|模板|例えば|形式|예를 들|예시|형식|مثال|صيغة",
)
_IN_FORMAT = re.compile(  # the answer, in the format that was asked for
    r"\b(?:in|to|as|with|following|using|per)\s(?:the|a|an|this|that|its|your)?\s?(?:\w+\s){0,3}formats?\b"
    r"|\b(?:this|the|our|in this|above|that)\s(?:\w+\s)?examples?\b|\bexample\s[0-9]+\b|(?:按|以)[^，。]{0,8}格式"
    r"|\b(?:im|dans l|en el|no)\s?['’]?\s?format\w*\b",
)
_FRONTED = re.compile(  # at the head of a sentence: it holds for the whole of it
    r"\W{0,4}(?:for (?:example|instance|illustration)|e\.\s?g\b|as an example|say\b|z\.\s?b|zum beispiel|par exemple|"
    r"por ejemplo|por exemplo|например|例如|比如|例えば|예를 들|مثلا)",
)
_TELLS_TO_WRITE = re.compile(  # an order, or how one would write it
    r"(?:^|[,;:.]|\b(?:please|then|just|and|should|must|can|to|would|could|may|['’]d|like))\s{0,2}"
    r"(?:write|put|enter|type|give|provide|return|output|submit|respond|reply|insert|fill in|(?<=[a-z'’]\s)answer)"
    r"(?:\s(?:it|this|that|down|in|as|like|with|by|something|the answer|an answer))*\s*$"
    r"|\byour\s(?:\w+\s)?(?:answer|response|output|result)s?\b[^.,;:]{0,20}$"
    r"|(?:^|[，,])\s?请?(?:写|填|输入|输出)(?:成|作|为|入)?\s*$",
    re.IGNORECASE,
)
_WOULD_DE = r"(?:wären?|würden?|hätten?|ergäben?|betrügen?|gäben?|kämen?|bliebe|müssten?|könnten?)"
_WOULD_ROMANCE = (
    r"(?:\w*[^\Wt]r(?:ait|aient)|(?:se|da|tend|te|hab|have|vald|vale|queda|fica|obtend|obte|pod|pode|i)r[íi]a[nm]?)"
)
_UNREAL = re.compile(
    r"\b(?:if|were|had|suppose|assuming|unless)\b.{3,200}\b(?:would|['’]d|could|might)\b|\bwould have (?:been|given)\b"
    rf"|\b(?:wenn|falls|wären?|hätten?)\b.{{3,200}}\b{_WOULD_DE}\b|\b{_WOULD_DE}\b.{{3,200}}\b(?:wenn|falls)\b"
    rf"|\bsi\b.{{3,200}}\b{_WOULD_ROMANCE}\b|\b{_WOULD_ROMANCE}\b.{{3,100}}\bsi\b|\bse\b.{{3,200}}\b{_WOULD_ROMANCE}\b"
    r"|\bесли\sбы\b|(?:如果|要是|假如|若).{2,200}(?:就会|就是|会是|才)|(?:もし|仮に).{2,200}(?:なら|たら|れば)|"
    r"만약.{2,200}(?:라면|다면)",
    re.DOTALL,
)
_GUESSING = re.compile(  # said of oneself, and of what comes after "but", too
    r"\b(?:i['’](?:m|d be)|i (?:am|was|would be))\s(?:\w+\s){0,2}?(?:guessing|unsure|uncertain)\b",
)
_DENIED_BEHIND = re.compile(
    rf"{_NOT}|{_WRONG}|{_PERHAPS}|{_TEMPLATE.pattern}",
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
_CAN_NOT = re.compile(  # who can't answer and writes a box for all that
    r"\b(?:I|we)\s(?:(?:do|can|could|am|are|was)\s?(?:not|n['’]t)|cannot|can['’]t|['’]m (?:not|un\w+)|am "
    r"un\w+)\s?(?:\w+\s){0,3}"
    r"(?:know|solve|tell|determine|answer|able|sure|(?:see|view|access|find|read|open)\s(?:\w+\s){0,2}(?:images?|"
    r"pictures?|figures?|photos?|diagrams?|charts?|graphs?|tables?|anything|it|question|answer|solution|what|"
    r"how))\b|^\W*(?:unknown|no idea|no answer)\b|"
    r"\bthere (?:is|are) no (?:\w+\s){1,4}in (?:the|this) (?:image|picture|photo|scene)|"
    r"\b(?:weiß|kann)\b.{0,20}\bnicht\b|\bje ne (?:sais|peux|vois)\b|\bno (?:sé|puedo)\b|\bnão (?:sei|posso|consigo)\b|"
    r"\bне (?:знаю|могу|вижу)\b|我不(?:知道|确定|会)|无法(?:确定|回答|看)|わかりません|分かりません|모르겠|لا أعرف",
    re.IGNORECASE,
)
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
    if _GUESSING.search(sentence):
        return DENIED
    if _FRONTED.match(sentence):
        return TEMPLATE
    sentence = _NO_DENIAL.sub("", sentence)
    clause = _last_clause(sentence.rstrip(" :：*-—–"))
    if _CHANGES.search(clause[-60:]) and sentence.rstrip(" *")[-1:] not in (":", "："):
        return CHANGED
    if _TELLS_TO_WRITE.search(clause):
        return TEMPLATE if not re.search(_NOT, clause, re.IGNORECASE) else DENIED
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
        if sentence[match.end() :].strip() or match[0].strip(", ") in (
            "but",
            "sondern",
            "mais",
            "sino",
            "mas",
            "pero",
            "а",
            "而是",
            "ではなく",
            "아니라",
        ):
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
