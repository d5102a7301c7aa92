"""Whether later sentences take an answer back: discard it, call it wrong, or state another value of what was asked."""

from __future__ import annotations

import re

from vlrl.verify.reading.clause.sentence_end import SENTENCE_END
from vlrl.verify.values.quantity import Quantity, read_quantity

MAX_SENTENCES = 40  # of what follows an answer
MAX_STATEMENT = 300  # characters

_IT = (
    r"(?:(?:this|that|it|which|(?:(?:the|my|this|that|our)\s)?(?:(?:above|previous|last|first|earlier|given|boxed|"
    r"final)\s)*"
    r"(?:answer|result|value|solution|response|number|box|calculation|above)(?:\s(?:above|before|in the box))?)"
    r"|das|dies(?:e antwort)?|es|die antwort|c['’]|ce(?:la|ci)?|ça|la réponse|(?:eso|esto|la respuesta)|(?:isso|"
    r"isto|a resposta)|"
    r"это|(?:этот\s)?ответ)"
)
_IT_JOINED = (
    r"(?:这|這|那|此|上面|上述|以上)(?:个|個|是|的)?(?:答案|结果|結果)?|(?:これ|それ|この答え|上の答え)[はが]|"
    r"(?:이것|그것|이|그|위)(?:\s?답)?(?:은|는|이|가)?|"
    r"(?:هذا|هذه)"
)
_BAD = (
    r"(?:wrong|incorrect|false|untrue|mistaken|invalid|a mistake|an error|a lie|a typo|nonsense|impossible|too "
    r"(?:large|small|big|high|low)|"
    r"(?:only |just |merely |pure )*(?:an? )?(?:\w+ )?(?:guess|estimate|example|placeholder|template|sample|joke|"
    r"trick|test|illustration)|unreliable|"
    r"falsch|nicht richtig|ein fehler|geraten|faux|fausse|incorrecte?|une erreur|pas (?:correct|juste|vrai)e?|"
    r"incorrect[oa]|fals[oa]|errad[oa]|errón\w+|un error|um erro|неверно|неправильно|неверный|неправильный|ошибка|"
    r"ошибочно)"
)
_BAD_JOINED = (
    r"(?:不[对對]|不正[确確]|[错錯](?:误|誤|了|的)?|有误|間違|誤り|まちがい|正しくない|正しくあり|틀렸|틀린|틀립|"
    r"잘못|오답|맞지 않|옳지 않|خطأ|خاطئ|غير صحيح)"
)
_GOOD = (
    r"(?:right|correct|true|accurate|possible|the (?:right |correct )?answer|richtig|korrekt|juste|vrai|"
    r"correct[oa]|верно|правильно)"
)
_OPENING = (
    r"^\W{0,4}(?:(?:but|and|so|no|sorry|however|hmm+|oh|wait|stop|aber|nein|halt|warte|moment|entschuldigung|mais|non|"
    r"attende?[zs]|pardon|pero|espera|perdón|mas|espere|não|perdão|но|нет|стоп|подожди(?:те)?),?\s){0,2}"
)
_ERRED = (  # one has made a mistake
    r"\b(?:me (?:equivoqué|he equivocado|enganei)|(?:eu )?errei|je me (?:suis )?tromp\w+|(?:mich|habe mich) (?:geirrt|"
    r"vertan|verrechnet|verzählt)|(?:я )?ошиб(?:ся|лась|лись))\b|[算数看写]错了|(?:計算|数え)?間違えました|実は違|"
    r"いや、?違|실수(?:했|였)|잘못\s?(?:계산|세|봤|보았)|أخطأت"
)
_CALLED_WRONG = re.compile(
    rf"{_OPENING}{_IT}\s?(?:['’]s|is|was|"
    rf"are|seems?|looks?|must be|may be|"
    rf"might be|could be|ist|war|est|était|es|era|é|está|estava|—|–|-)?\s?(?:(?:simply|clearly|only|just|obviously|"
    rf"probably|actually)\s)?{_BAD}\b"
    rf"|{_OPENING}{_IT}\s?(?:(?:is|was|can|could|does|did|must|should|"
    rf"may)(?:\s?n['’]t|\snot|not)|['’]s\snot|isn['’]t|can['’]t)\s"
    rf"(?:\w+\s){{0,2}}(?:{_GOOD}|work|make sense|look right|seem right|add up)\b"
    rf"|{_OPENING}(?:das|es|c['’]|ce n['’]|это|eso|isso)\s?(?:ist|est|es|é)?\s?(?:nicht|pas|не|no es|não é)\s{_GOOD}"
    rf"|{_OPENING}(?:das|es|die antwort) (?:stimmt|passt) nicht\b|{_ERRED}"
    rf"|^\W{{0,4}}(?:wrong|incorrect|false|falsch|faux|incorrecto|errado|неверно|неправильно)[.!]*\W*$"
    rf"|^\W{{0,4}}(?:{_IT_JOINED})?.{{0,6}}{_BAD_JOINED}",
    re.IGNORECASE,
)
_DISCARDED = re.compile(
    r"\b(?:disregard|forget|ignore|cancel|strike|scrap|scratch|discard|drop|withdraw|retract|revoke|delete|erase|"
    r"undo|skip|recant|"
    r"(?:do not|don['’]t|never) (?:trust|use|count|believe|accept|take)|take back|vergiss|ignoriere|vergessen sie|"
    r"oubliez?|ignorez|"
    r"olvida|ignora|ignore|esqueça|забудь(?:те)?|игнорируй(?:те)?)\s"
    r"(?:(?:all|everything)\s(?:of\s)?)?(?:that|this|it|the above|everything|(?:(?:the|my|that|this|"
    r"your)\s)(?:\w+\s){0,2}"
    r"(?:answer|result|value|box|response|solution|number)|das|es|ça|cela|ceci|la réponse|eso|esto|isso|это|всё)\b"
    r"|\bnever ?mind\b|\bnot so fast\b|(?:忽略|无视|忘了|忘掉|作废|撤回|收回).{0,8}|(?:無視|忘れて|取り消).{0,8}|"
    r"(?:무시|취소|잊).{0,6}|تجاهل",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"\b(?:re-?comput\w*|re-?calculat\w*|re-?check\w*|re-?evaluat\w*|re-?consider\w*|re-?do(?:ing)?|re-?examin\w*|"
    r"re-?count\w*|re-?think\w*|"
    r"up?on (?:review|reflection|closer|further|checking)|on (?:reflection|closer)|looking (?:again|closer)|"
    r"correct(?:ion|ing|ed)|"
    r"nachgerechnet|noch einmal|nochmal|recalcul\w+|vérifi\w+|revisando|пересчита\w+|ещё раз|еще раз)\b|重新|再算|再次|"
    r"再计算|計算し直|もう一度|다시|مرة أخرى",
    re.IGNORECASE,
)
_LAST_VALUE = re.compile(
    r"(-?[0-9][0-9.,]*(?:\s?/\s?[0-9]+)?)\s?(?:\\?%|°|\\circ|[^\W\d_]{1,12}[²³]?|\\text\{[^{}]*\})?[\s.!$*})\]]*$"
)
_STATES = re.compile(
    r"(?P<subject>[^\d=:.]{0,80}?)(?:\s(?:is|was|equals|becomes|comes to|should be|must be|would be|ist|beträgt|"
    r"est|es|é|равна?о?)\s|['’]s\s|\s?=|\s?[:：]|是|为|為|は|이|은|는)"
)
_SUBJECT_WORD = re.compile(r"[^\W\d_]+")
_FREE = frozenset(
    re.findall(
        r"\S+",
        "the a an so thus therefore hence then and but real actual correct right true new final proper exact its it "
        "that this our my total now "
        "however rechecking recomputing recalculating of der die das la le el o a de du des del da do los les also "
        "somit daher donc",
    )
)
_ANSWERS = frozenset(
    re.findall(r"\S+", "answer result solution total réponse antwort respuesta resposta ответ 答案 ergebnis")
)
_AGAIN_STEMS = (
    "re", "closer", "further", "checking", "correcti", "correcte", "nachg", "noch", "looking",
)  # fmt: skip
_REAL = frozenset(("real", "actual", "correct", "true", "right"))
_COMMAND = re.compile(r"\\[A-Za-z]+\s?[0-9]*")  # \frac12 has no 12
_GIVES = re.compile(r"[=:]|\b(?:is|be|get|gives?)\b|['’]s\b|是|为|得")
_KEYS = frozenset(
    re.findall(
        r"\S+",
        "wrong incorrect false untrue mistaken invalid mistake error lie typo nonsense impossible too guess estimate "
        "example "
        "placeholder template sample joke trick test illustration unreliable t not falsch nicht fehler geraten faux "
        "fausse incorrecte "
        "erreur pas no não incorrecto incorrecta incorreto incorreta falso falsa errado errada erróneo errónea errôneo "
        "erro неверно "
        "неправильно неверный неправильный ошибка ошибочно не disregard forget ignore cancel strike scrap scratch "
        "discard drop "
        "withdraw retract revoke delete erase undo skip recant never back nevermind so vergiss vergessen ignoriere "
        "oublie oubliez "
        "ignorez olvida equivoqué equivocado enganei errei trompé trompée trompe geirrt vertan verrechnet verzählt "
        "ошибся ошиблась "
        "ошиблись stimmt passt ignora esqueça забудь забудьте игнорируй игнорируйте",
    )
)
_KEYS_JOINED = re.compile(
    "[错錯误誤撤違]|실수|أخطأ|不[对對正]|作废|収|收回|忽略|无视|忘|無視|取り消|間違|まちがい|正しくな|正しくあ|"
    "틀[렸린립]|잘못|"
    "오답|않|무시|취소|잊|خطأ|خاطئ|غير|تجاهل"
)
_NUMBER = re.compile(r"-?[0-9][0-9,]*(?:\.[0-9]+)?")


def taken_back_by(tail: str, answer: str, question: str) -> bool:
    """Whether a text that follows an answer takes it back in words, or states another value of what was asked."""
    discarding, digits = _may_discard(tail), any(c.isdigit() for c in tail)
    if not discarding and not digits:
        return False
    pieces = _sentences(tail)
    if discarding and any(_CALLED_WRONG.search(piece) or _DISCARDED.search(piece) for piece in pieces):
        return True
    return digits and _states_another(pieces, tail, answer, question)


def discards(tail: str) -> bool:
    """Whether a text that follows an answer takes it back in words, in any of its sentences."""
    return taken_back_by(tail, "", "")


def _may_discard(tail: str) -> bool:
    """Whether a text has any word by which one takes something back."""
    return not _KEYS.isdisjoint(_SUBJECT_WORD.findall(tail.casefold())) or (
        not tail.isascii() and _KEYS_JOINED.search(tail) is not None
    )


def _states_another(pieces: list[str], tail: str, answer: str, question: str) -> bool:
    """Whether sentences that follow the number `answer` state another number of what the question asks for."""
    ending = [place for place, piece in enumerate(pieces) if any(c.isdigit() for c in piece[-30:])]
    if not ending or (value := read_quantity(answer.strip(" $.*"), question)) is None:
        return False
    words, readings = set(_SUBJECT_WORD.findall(tail.casefold())), _readings(value)
    recomputes = not tail.isascii() or any(word.startswith(_AGAIN_STEMS) for word in words)
    first = next((p for p, piece in enumerate(pieces) if recomputes and _AGAIN.search(piece)), len(pieces))
    repeated: bool | None = None
    for place in ending:
        piece = pieces[place]
        last = _LAST_VALUE.search(piece[-60:])
        stated = read_quantity(last[1].rstrip(".,")) if last is not None else None
        if stated is None or stated.value in readings:
            continue
        again = place >= first
        if again and _GIVES.search(piece):
            repeated = _repeats(tail, value) if repeated is None else repeated
            if not repeated:
                return True
        if _is_asked(piece, question, last=place == len(pieces) - 1, again=again):
            return True
    return False


def _sentences(tail: str) -> list[str]:
    text = tail.lstrip(" .!。$*)]}`,;:")
    pieces = [piece.strip() for piece in SENTENCE_END.split(text[-8000:])[:MAX_SENTENCES]]
    return [piece for piece in pieces if piece and len(piece) <= MAX_STATEMENT]


def _readings(value: Quantity) -> tuple[object, ...]:
    """The values that a number may be written as: as it is, as a share, in base units."""
    factor = value.unit.factor if value.unit else 1
    return value.value, value.value * 100, value.value / 100, value.value * factor, value.other


def _repeats(tail: str, value: Quantity) -> bool:
    """Whether a text has the value among its numbers."""
    found = (read_quantity(number) for number in _NUMBER.findall(_COMMAND.sub(" ", tail)))
    return any(number is not None and number.value == value.value for number in found)


def _is_asked(sentence: str, question: str, last: bool, again: bool) -> bool:
    """Whether a sentence of the form "so the area is 14", "Area = … = 14" speaks of what the question asks for."""
    match = _STATES.match(sentence)
    if match is None:
        return False
    words = [word.casefold() for word in _SUBJECT_WORD.findall(match["subject"])]
    letter = (re.search(r"(?<![^\W\d_])([A-Za-z])[\s$*]*$", match["subject"]) or ["", ""])[1]
    named = [letter.casefold()] if letter else [word for word in words if word not in _FREE]
    if not named:
        return again or bool(_REAL & set(words))
    if len(named) == 1 and (named[0] in _ANSWERS or (named[0] in ("value", "number", "one") and _REAL & set(words))):
        return True
    asked = {word.casefold() for word in _SUBJECT_WORD.findall(question)}
    if letter and "=" in sentence:
        initials = {word[0] for word in asked if len(word) > 3}
        return last and (letter in _SUBJECT_WORD.findall(question) or (letter.isupper() and named[0] in initials))
    return all(word in asked for word in named) and any(len(word) > 1 or not word.isascii() for word in named)
