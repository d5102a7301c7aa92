r"""Mathematical text as a reader sees it: where it is in a response, and when two texts are plainly one.

Nothing here parses or evaluates a formula; that is the worker's task (`math_worker`). These are rules on text, linear
in its length: cut out `$…$`, `\(…\)`, `\[…\]`; join boxes that belong to one answer; drop units in `\text{…}`; bring
spacing and synonyms (`\dfrac`, `\left`, `\,`) to one form.
"""

from __future__ import annotations

import re

from vlrl.verify.reading.another_quantity import names_another
from vlrl.verify.reading.clause.box_spans import box_spans, boxed
from vlrl.verify.reading.clause.declaration import standing
from vlrl.verify.reading.committed_answer import committed, is_sentence, sentences_of, without_exclamation
from vlrl.verify.reading.declared import MAX_TEXT_CHARS, Extraction, extract
from vlrl.verify.reading.gold import gold_text
from vlrl.verify.reading.hedging import doubts, without_connective
from vlrl.verify.reading.sentence_number import number_reader
from vlrl.verify.values.moments import read_moment
from vlrl.verify.values.normaliser import clean, undouble
from vlrl.verify.values.quantity import Quantity, read_quantity
from vlrl.verify.values.shown_text import visible_text
from vlrl.verify.values.units import read_unit
from vlrl.verify.words.languages import words

MAX_CHARS = 1000  # ours: longer formulas are not answers
MAX_DEPTH = 40
MAX_PARTS = 30

_SEGMENT = re.compile(
    r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|(?<!\\)\$(?!\s*$)((?:\\\$|[^$])+?)(?<!\\)\$|\\\((.+?)\\\)", re.DOTALL
)
_AND = r"(?:\s|,|;|\.?\\quad|\\qquad|\\text\{\s{0,3}(?:and|or)\s{0,3}\}|\band\b|\bor\b|\\\(|\\\)|\\\[|\\\]|\$|\\[ ,;])"
_ONLY_AND = re.compile(_AND + "{0,20}")
_ASSIGNED = re.compile(
    r"(?<![A-Za-z0-9_^}\\])([A-Za-z](?:_\{?[A-Za-z0-9]\}?)?)\s?&?\s?=\s?(?P<value>[^=<>,;&]{1,80}?)"
    r"(?=\s*(?:[,;&$]|\\\\|\\[\])]|\\quad|\s(?:and|y|et|und)\s|\.?\s*$))"
)
_BEFORE_BOX = re.compile(r"(?<![A-Za-z0-9_^}\\])([A-Za-z](?:_\{?[A-Za-z0-9]{1,3}\}?)?)\s?=$")
_UNIT_TAIL = re.compile(
    r"(?:\\[ ,;]|\s|~)*\\(?:text|mbox|textbf|textit|textrm|mathrm|operatorname)\s?\{([^{}]{1,40})\}"
    r"((?:\s?\^\s?(?:\{\s?-?[0-9]\s?\}|[0-9]))?)\s*$"
)
_LOOSE_SPACE = re.compile(r"(?<![A-Za-z0-9])\s+|\s+(?![A-Za-z0-9])")
_TEXT = re.compile(r"\\(?:text|mathrm|textbf|mathbf|textit|mbox|operatorname)\s?\{([^{}]*)\}")
_SET = re.compile(r"\{[^{}\\$=|:<>]+\}")
_NOT_EQUAL = re.compile(r"!=|≠|\\neq?(?![A-Za-z])")  # a relation here, no denial
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s?\{[a-z*]{1,12}\}")
_LABEL = re.compile(r"^[A-Za-z][A-Za-z ]{2,60}:\s+(?=\S)")
_WORD = re.compile(r"(?<![\\\w])[^\W\d_]{3,}")
_ABROAD = re.compile(r"[\u0400-\u04ff\u0600-\u06ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_WORD_APART = re.compile(r"(?:^|\s)[A-Za-z]{3,}(?:\s|$)")
_MATH_WORDS = frozenset(
    re.findall(r"\w+", "sin cos tan cot sec csc log exp sqrt max min mod gcd lcm and inf pct arg deg det dim lim"),
)
_MORE_WORDS = re.compile(r"\b(?:is|are|was|be|equals?)\b\s+[^\s]*[0-9]|=\s*[-0-9]")  # a value after the last formula
_POINT = r"\$?\s?[a-zA-Z]\s?(?:\\neq?(?![a-z])|≠)\s?-?(?:[0-9./]+|\\d?frac\s?\{[0-9]+\}\s?\{[0-9]+\}|[a-z](?![a-z]))\s?"
_EXCLUDED = re.compile(
    r"(?<=[\w)}$*])(?:\s|\\[,; ]|\\q?quad|~|,)*(?:\\text\s?\{\s?,?\s?\(?)?\(?(?:(?:for|where|if|when|with|"
    r"provided(?: that)?|assuming)(?: all)?\s?|(?<=\())\}?(?:\s|\\[,; ])*"
    rf"{_POINT}(?:(?:,|and|\\text\s?\{{\s?and\s?\}})\s?(?:{_POINT}|-?[0-9]+))*(?:\\text\s?\{{\)?\}})?(?P<end>\$?)\)?"
    rf"|(?<=[\w)}}$*]),(?:\s|\\[,; ])*{_POINT}\)?(?=\W*$)"  # "x + 1, x ≠ 1"
)
_BOLD_END = re.compile(
    r"(?:\*\*([^*\n]{1,200})\*\*|(?<=\s)("
    r"[(\[]-?[0-9][^()\[\]A-Za-z]{1,40}[)\]]|[a-z]\s?=\s?[^,\s]{1,20}(?:,\s?[a-z]\s?=\s?[^,\s]{1,20})+?))[\s.]*$"
)
_FORMULA_SIGN = re.compile(r"[=:+^√π²³/(]|[-−]\s?[a-z0-9]|\\[a-z]|^[a-zA-Z]$")
_LEADS_TO = re.compile(
    rf"(?:{words('is', 'so')}|\b(?:to|be|at|are|get|have|so|gives?|find|obtain)|(?<![!<>≠~])[:=：])[\s,:]{{0,3}}$",
    re.IGNORECASE,
)
_BAD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def declared_mathematics(response: str, question: str = "") -> Extraction:
    """As `extract`, with two rules more: several boxes in one list are one answer, and prose is cut to its formula.

    `candidates` of the result are the parts of the answer: `\\boxed{1} and \\boxed{2}` gives ("1", "2").
    """
    found = extract(response, question)
    if found.answer is None:
        if found.how == "box" and found.note == "more than one answer":
            parts = one_list_of_boxes(visible_text(response)[-MAX_TEXT_CHARS:])
            unnamed = {part.rpartition(" = ")[2] for part in parts}
            if set(found.candidates) in (set(parts), unnamed):  # and no later "the answer is …" says something else
                return Extraction(", ".join(parts), "box", candidates=tuple(parts))
        return found if found.declared else _in_prose(response, found, question)
    if found.how == "json" and found.answer.startswith("{") and '"' in found.answer:
        return Extraction(None, found.how, "a JSON object without an answer")
    if _SET.fullmatch(bare := found.answer.rstrip(".")):
        return Extraction(found.answer, found.how, candidates=(f"\\{bare[:-1]}\\}}",))
    if found.declared:
        if found.how == "tag" and is_sentence(found.answer):
            prose = _in_prose(response, found, question)
            if prose.answer is not None:
                return prose
        return Extraction(found.answer, found.how, candidates=tuple(formula_parts(found.answer)))
    if doubts(_NOT_EQUAL.sub("=", found.answer), question) or names_another(found.answer, question):
        return _in_prose(response, found, question)
    if (bold := _bold_formula(found.answer)) is not None:
        return Extraction(bold, found.how, candidates=(bold,))
    segments = _standing_formulas(found.answer)
    if segments is None:
        return Extraction(None, found.how, "the formula is denied, bounded or an example")
    if segments and not _MORE_WORDS.search(found.answer[_last_end(found.answer) :]):
        return Extraction(found.answer, found.how, candidates=tuple(segments))
    if found.how != "phrase" and without_exclamation(found.answer) != found.answer:
        return _in_prose(response, found, question)  # "It's 8!"
    bare = _LABEL.sub("", without_connective(found.answer))
    if read_quantity(bare, question) is not None or read_moment(bare) is not None:
        return Extraction(found.answer, found.how, candidates=(bare,))
    stated = is_sentence(bare)  # "It is 10."
    words = [w for w in _WORD.findall(_ENVIRONMENT.sub("", _TEXT.sub("", bare))) if w.lower() not in _MATH_WORDS]
    if segments or stated or len(words) > 1 or _ABROAD.search(bare) or (words and any(c.isdigit() for c in bare)):
        prose = _in_prose(response, found, question)
        if prose.answer is not None:
            return prose
        if segments:
            return Extraction(found.answer, found.how, candidates=tuple(segments))
    if (
        len(words) > 1
        or _ABROAD.search(bare)
        or (words and _WORD_APART.search(bare) and any(c.isdigit() for c in bare))
    ):
        return Extraction(None, found.how, "no formula")
    return Extraction(found.answer, found.how, candidates=(bare,))


def _bold_formula(text: str) -> str | None:
    """The formula in bold type with which a sentence ends: 3:2 of "The ratio is **3:2**."; None where it has none,
    or where it is a number, which prose is read for."""
    match = _BOLD_END.search(text)
    if match is None or "**" in text[: match.start()] or not text[: match.start()].strip():
        return None
    formula = (match[1] or match[2]).strip(" .:$")
    if not _FORMULA_SIGN.search(formula) or read_quantity(formula) is not None or _ABROAD.search(formula):
        return None
    if any(word.lower() not in _MATH_WORDS for word in _WORD.findall(formula)) or re.match(r"\(?[A-J][).:]\s", formula):
        return None
    before = text[: match.start()].rstrip()
    if not _LEADS_TO.search(before) or standing(text, match.start(), match.end(), formula, formula=False).fault:
        return None
    return formula


def _standing_formulas(text: str) -> list[str] | None:
    """The last formulas of a text; None where its words take the last one back: "at least $5$"."""
    segments = formulas(text)
    if not segments:
        return []
    *_, last = _SEGMENT.finditer(text)
    return None if standing(text, last.start(), last.end(), last[0], formula=False).fault else segments


def _in_prose(response: str, found: Extraction, question: str) -> Extraction:
    """The number that the response's prose commits to, as the one part of its answer."""
    number = committed(response, number_reader(question, rough=False)).value
    if number is None:
        return Extraction(None, found.how, found.note or "no formula", found.candidates)
    text = written(number)
    return Extraction(text, found.how, candidates=(text,))


def written(number: Quantity) -> str:
    """A quantity as LaTeX."""
    unit = f"\\text{{ {number.unit.name}}}" if number.unit is not None else "\\%" if number.percent else ""
    return f"{number.value}{unit}"


def _last_end(text: str) -> int:
    return max((match.end() for match in _SEGMENT.finditer(text)), default=0)


def named_values(response: str, gold: str) -> str:
    """The values that the end of a response gives to the names of a gold `x=3, y=-1`, each once, over several lines or
    in one sentence; "" where the gold names less than two, or the response doesn't give them all."""
    names = [match[1] for match in _ASSIGNED.finditer(gold)]
    if len(names) < 2 or len(set(names)) < len(names):
        return ""
    found: dict[str, str] = {}
    for sentence in reversed(sentences_of(response)):
        text = _ENVIRONMENT.sub(" ", sentence)
        here = [(match[1], match["value"].strip()) for match in _ASSIGNED.finditer(text)]
        rest = _ASSIGNED.sub(" ", text)
        if not here or doubts(rest) or any(c.isdigit() for c in rest) or not {name for name, _ in here} <= set(names):
            break
        if len(dict(here)) < len(here) or not found.keys().isdisjoint(dict(here)):
            break
        found |= dict(here)
    return ", ".join(f"{name} = {found[name]}" for name in names) if len(found) == len(names) else ""


def gold_parts(gold: str) -> list[str]:
    """The parts of a gold answer, which may be wrapped in a box, in dollar signs or in a sentence."""
    if "####" in gold:
        gold = gold_text(gold)
    if "$" not in gold and "\\" not in gold:
        return [gold_text(gold).strip()]
    boxes = boxed(gold)
    if boxes:
        distinct = list(dict.fromkeys(box.strip() for box in boxes))
        return distinct if len(distinct) == 1 or one_list_of_boxes(gold) else distinct[-1:]
    return formulas(gold) or formula_parts(gold)


def one_list_of_boxes(text: str) -> list[str]:
    r"""The boxes of a text that has nothing but commas, "and" or "or" between them; [] if anything else stands there.

    One name before each is the name of all, `x = \boxed{1} or x = \boxed{-2}`; different ones name each its own.
    """
    spans = box_spans(text)
    named = [_BEFORE_BOX.search(text[:start].rstrip("$ \\([")) for start, _, _ in spans]
    names = [match[1] if match is not None else "" for match in named]
    for (_, _, end), (start, _, _), name in zip(spans[:-1], spans[1:], names[1:], strict=True):
        between = text[end + 1 : start]
        if not _ONLY_AND.fullmatch(_BEFORE_BOX.sub("", between.rstrip("$ \\([")) if name else between):
            return []
    if not 0 < len(spans) <= MAX_PARTS or len(set(names)) not in (1, len(spans)) or ("" in names and any(names[1:])):
        return []
    alone = len(set(names)) == 1
    contents = [text[content:end].strip() for _, content, end in spans]
    return contents if alone else [f"{name} = {content}" for name, content in zip(names, contents, strict=True)]


def formulas(text: str) -> list[str]:
    """The last formulas of a text that stand in one list: `$1$, $2$ and $3$` gives three; [] if there is no formula."""
    found = list(_SEGMENT.finditer(text))
    run: list[str] = []
    after: int | None = None
    for match in reversed(found):
        if after is not None and not _ONLY_AND.fullmatch(text[match.end() : after]):
            break
        tail = text[match.end() : match.end() + 12].split()
        percent = "\\%" if tail and tail[0].strip(".,") in ("%", "percent", "pct", "\\%") else ""
        run.insert(0, next(g for g in match.groups() if g is not None).strip() + percent)
        after = match.start()
        if len(run) > MAX_PARTS:
            return []
    return run


def formula_parts(text: str) -> list[str]:
    """A declared answer as its parts: what stands in `$…$` where the whole is a list of these, else the text itself."""
    text = text.strip()
    if "$" not in text and "\\(" not in text and "\\[" not in text:
        return [text]
    parts = formulas(text)
    if parts and _ONLY_AND.fullmatch(_SEGMENT.sub(" ", text).strip(" .%")):
        return parts
    return [text.strip("$").strip()] if text.count("$") <= 2 else [text.replace("$", " ").strip()]


def without_excluded_points(text: str) -> str:
    """The text without the points at which a simplified formula doesn't hold: "x + 1, where x ≠ 1" is x + 1."""
    return _EXCLUDED.sub("", text)


def split_unit(text: str) -> tuple[str, str]:
    r"""(formula, unit) where a `\text{…}` ends the formula; the unit is "" where there is none."""
    match = _UNIT_TAIL.search(text)
    if (
        match is None
        or not text[: match.start()].strip()
        or read_unit(match[1].replace("~", " ").strip() + match[2]) is None
    ):
        return text, ""
    if re.search(r"\b(?:and|or)\b", match[1]) or text[: match.start()].rstrip().endswith(
        (",", "=", "+", "-", "^", "_")
    ):
        return text, ""
    return text[: match.start()].strip(), match[1].strip() + re.sub(r"[^0-9-]", "", match[2])


def plain_form(text: str) -> str:
    """One spelling for what is plainly the same formula; equal forms are equal formulas."""
    return _LOOSE_SPACE.sub("", clean(undouble(text).replace("$", "")))


def too_complex(text: str) -> str | None:
    """Why a formula is refused before it is parsed: its length, its nesting, a control character; None if it is not."""
    if len(text) > MAX_CHARS:
        return f"the formula has {len(text)} characters"
    if "phantom" in text:
        return "something that takes room and shows nothing"
    if _BAD.search(text):
        return "a control character"
    depth = deepest = 0
    for char in text:
        if char in "{([":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "})]":
            depth -= 1
    return f"nested {deepest} deep" if deepest > MAX_DEPTH else None
