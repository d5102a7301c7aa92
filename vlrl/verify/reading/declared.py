r"""What a response declares as its answer: one candidate, or none and the reason. Shared by all verifiers.

Thinking never counts: `<think>…</think>` (also `<thinking>` and `◁think▷`) is cut out, all that precedes a closing tag
without an opening one, and all that follows an opening tag that is never closed.

In what remains, the first of these that is present decides:

1. `<answer>…</answer>`; the tag must be closed
2. `\boxed{…}` (nested braces, also `\fbox`); after several different boxes, a "final answer …" that follows them
3. a JSON object with a key `answer` or `final_answer`, the whole response or at its end, or else a response that is
   JSON as a whole; a code fence is fine
4. "the (final, correct) answer is …", "Answer: …", a last line "A: …" or "#### …"
5. a response of one line, whole
6. the last sentence

Two *different* candidates of one kind, and a tag and a box that differ, are no answer: the one that writes two answers
gets nothing for either. The same answer twice is one candidate. Kinds 4 to 6 are *prose*: a verifier must find its
answer in them by its own, stricter rules. Everything here is linear in the length of the response.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from vlrl.verify.reading.clause import declaration
from vlrl.verify.reading.clause.afterwards import taken_back
from vlrl.verify.reading.clause.box_spans import box_spans, boxed
from vlrl.verify.reading.clause.declaration import DENIED, TEMPLATE, Standing, is_bare, standing
from vlrl.verify.reading.clause.retraction import discards
from vlrl.verify.reading.clause.sentence_end import SENTENCE_END
from vlrl.verify.reading.cues import CONCLUDES, LATIN_ANSWER, OTHER_ANSWER, TAIL_ABROAD
from vlrl.verify.reading.hedging import declared_by, doubts, supposes
from vlrl.verify.reading.json_answer import json_answers, json_text, placed_json_answers
from vlrl.verify.values.shown_text import visible_text, without_markup

How = Literal["tag", "box", "json", "phrase", "line", "sentence", "none"]

MAX_ANSWER_CHARS = 4000  # ours: longer than any gold answer; a longer candidate is text that hides a guess
MAX_TEXT_CHARS = 40_000  # ours: an answer stands at the end; of a longer text only this much is read
MAX_CANDIDATES = 50  # ours: who declares an answer more often than this is guessing

_ASIDE = re.compile(  # blocks in which nobody answers: other names of thinking, comments, examples
    r"<(?P<tag>(?:inner_?)?(?:thoughts?|reason(?:ing)?|scratch_?pad|analysis|reflection|monologue|draft|plan|comment|example|"
    r"template|format|sample)s?)>.*?(?:</(?P=tag)>|\Z)|\[(?P<mark>think(?:ing)?|thoughts?|reason(?:ing)?|scratchpad|comment|"
    r"example)\].*?(?:\[/(?P=mark)\]|\Z)|\\begin\s?\{comment\}.*?(?:\\end\s?\{comment\}|\Z)|<!--.*?(?:-->|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_ANSWER_TAG = re.compile(r"<\s{0,3}(/?)\s{0,3}answer\s{0,3}>", re.IGNORECASE)
_TAG_LIKE = re.compile(r"<\s{0,3}/?\s{0,3}answer\b", re.IGNORECASE)
_BARE_WORDS = 4  # a sentence of so few words without a verb is an answer on a line of its own
_VERB = re.compile(
    r"\b(?:is|are|was|were|there|it|i|so|has|have|had|see|therefore|thus|costs?|shows?)\b", re.IGNORECASE
)
_GROUP = re.compile(r"\{((?:[^{},;]|\{[^{}]*\})*)\}")  # \boxed{{4}} shows 4; \boxed{{1,2}} is meant as a set
_WORD_CUE = (  # at the beginning of a word, which is checked first: most places are none
    r"(?<!\w)(?=[^\W\d_])(?:"
    r"(?:\b(?:final|correct|right|best|most likely|my|the)\s{1,3}){0,4}\banswers?\b(?:\s{1,3}(?:choice|"
    r"option|here|to (?:the|this) question))?"
    r"(?:\*\*)?\s{0,3}"
    r"(?::\s{0,3}(?:\*\*)?|=|\bis\b|\bare\b|\bshould be\b|\bwould be\b|\bwill be\b|\bmust be\b)\s{0,3}:?"
    r"|\b(?:correct|right|best)\s(?:option|choice)\s{0,2}(?::|is\b(?!\s[a-z]))\s{0,3}:?"
    rf"|(?P<abroad>{LATIN_ANSWER}))"
)
_LINE_CUE = r"^(?:\s{0,3}####\s|\s{0,3}(?:A|final)\s?:\s|[#*]{1,6}\s{0,2}(?:final\s)?answer[*]{0,2}:?[*]{0,2}[ ]{0,3}$)"
_CUE_IN_ASCII = re.compile(f"{_WORD_CUE}|{_LINE_CUE}", re.IGNORECASE | re.MULTILINE)
_CUE_ANYWHERE = re.compile(rf"{_WORD_CUE}|{_LINE_CUE}|(?P<other>{OTHER_ANSWER})", re.IGNORECASE | re.MULTILINE)
_LABEL = re.compile(r"\W{0,3}[A-Z][.):]\W{0,3}\s")
_BOLD_OPTION = re.compile(r"\s*\*\*\(?[A-J][.):]\s[^*\n]{1,300}(?=\*\*)")  # "**B. A gray wolf**"
_FINAL = re.compile(r"\bfinal answer\b", re.IGNORECASE)
ESCAPED_LINE = re.compile(r"\\n(?=[A-Z\\0-9$])")  # text that was written as JSON twice
_SPACES = re.compile(r"\s+")
_BOLD_END = re.compile(r"^([^*]*)\*\*(?=[.,;:!]?$)")  # the end of bold type that the cue opened: "is **8**."
_AN_OPTION = re.compile(r"(?:[Oo]ption|[Cc]hoice)?\(?([A-J])\)?")


@dataclass(frozen=True)
class Extraction:
    """The declared answer.

    answer      the one candidate, stripped; None where there is none or more than one
    how         which rule decided; "none" where nothing was found
    note        why there is no answer, in a few words
    candidates  every different candidate of the deciding kind, in order (more than one: no answer)
    """

    answer: str | None
    how: How
    note: str = ""
    candidates: tuple[str, ...] = ()

    @property
    def declared(self) -> bool:
        """Whether the answer stands by itself (tag, box, JSON), so that it must be the answer and nothing else."""
        return self.how in ("tag", "box", "json")


def extract(response: str, question: str = "") -> Extraction:
    """The one answer that the response declares outside its thinking; a later other value of what the question asks for
    takes it back."""
    text = without_markup(visible_text(response))
    if ("<" in text or "[" in text or "comment" in text) and len(text) <= 2 * MAX_TEXT_CHARS:
        text = _ASIDE.sub(" ", text)
    text = text[-MAX_TEXT_CHARS:].strip()
    if not text:
        return Extraction(None, "none", "empty response" if not response.strip() else "nothing outside the thinking")
    tags, tail, closed = _tagged(text)
    if not closed or (not tags and _TAG_LIKE.search(text)):
        return Extraction(None, "none", "an <answer> tag is not closed or not opened")
    spans = box_spans(text)
    boxes = [text[content:end] for _, content, end in spans]
    if tags:
        declared, fault = _standing(text, tags, formula=False)
        return Extraction(None, "tag", fault) if fault else _one("tag", declared, tail, boxes, question)
    if boxes:
        tail = text[spans[-1][2] + 1 :]
        marked = [(start, content, end + 1, text[content:end]) for start, content, end in spans]
        declared, fault = _standing(text, marked, formula=True)
        if fault:
            return Extraction(None, "box", fault)
        found = _one("box", declared, tail, question=question)
        if len(found.candidates) > 1 and (phrase := _final_phrase(tail)) is not None:
            return phrase
        return found
    if "{" in text:
        values = json_answers(text)
        if values is not None:
            return _one("json", values)
        if placed := placed_json_answers(text):
            declared, fault = _standing(text, placed, formula=False)
            return Extraction(None, "json", fault) if fault else _behind_prose(text, placed, declared, question)
    if (whole := json_text(text)) is not None:
        return Extraction(whole, "json", candidates=(text,))
    phrases, tail = _phrases(text)
    if phrases:
        return _one("phrase", phrases, tail, question=question)
    if text[0] == "{" and '"answer"' in text:
        return Extraction(None, "none", "malformed JSON")
    if "\n" not in text and len(text) <= MAX_ANSWER_CHARS and not SENTENCE_END.search(text, _label_end(text)):
        return (
            Extraction(None, "none", TEMPLATE)
            if declaration.is_example(text)
            else Extraction(text, "line", candidates=(text,))
        )
    spoken = sentences(text)
    closing = spoken[-2:]
    bare = [len(piece.split()) <= _BARE_WORDS and not _VERB.search(piece) for piece in closing]
    if len(closing) > 1 and bare[1] and declaration.without_knowledge(closing[0]):
        return Extraction(None, "none", DENIED)
    if len(closing) > 1 and all(bare) and not CONCLUDES.search(closing[1]):
        if closing[0].endswith(("$", "\\[", "\\(")):  # one formula over several lines
            return _one("sentence", closing[1:])
        return Extraction(None, "none", "several short answers", tuple(closing))
    return _one("sentence", spoken[-1:])


def _behind_prose(text: str, placed: list[tuple[int, int, int, str]], declared: list[str], question: str) -> Extraction:
    """The answer of JSON in a text, unless the prose around it declares another one."""
    found = _one("json", declared, text[placed[-1][2] :], question=question)
    before = text[: placed[0][0]]
    other = None if found.answer is None else _another_phrase(before, found.answer)
    return found if other is None else Extraction(None, "json", "more than one answer", (*found.candidates, other))


def _label_end(text: str) -> int:
    """Where the text of an option begins after its letter, "C. 145°"; 0 where there is none."""
    match = _LABEL.match(text)
    return match.end() if match else 0


def _standing(text: str, marked: list[tuple[int, int, int, str]], formula: bool) -> tuple[list[str], str]:
    """(what the declarations that stand declare, why there is none) of (start, …, end, content) of each."""
    start, _, end, content = marked[0]
    if len(marked) == 1 and is_bare(text[:start], text[end:]):
        return [content], ""
    if len(marked) > MAX_CANDIDATES:
        return [content for *_, content in marked], ""
    judged = [standing(text, start, end, content, formula) for start, _, end, content in marked]
    kept: list[str] = []
    dropped: list[tuple[Standing, str]] = []
    for how, (*_, content) in zip(judged, marked, strict=True):
        if how.fault and kept:
            kept.append(content)  # "12, but maybe 6"
        elif how.fault:
            dropped.append((how, content))
        else:
            kept.append(content if how.whole is None else how.whole)
    contradicted = any(how.denied and any(same_answer(content, other) for other in kept) for how, content in dropped)
    if dropped and (contradicted or not kept):
        return [], DENIED if contradicted else dropped[-1][0].fault
    return kept, ""


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text that have any letter or digit in them; of a long text, its last part."""
    pieces = SENTENCE_END.split(text[-4 * MAX_ANSWER_CHARS :])
    return [piece.strip() for piece in pieces if any(c.isalnum() for c in piece)]


def same_answer(a: str, b: str) -> bool:
    """Whether two candidates are one and the same text, spaces, dollar signs and a final full stop aside."""
    return _bare(a) == _bare(b)


def _bare(text: str) -> str:
    text = _SPACES.sub("", text).strip("$").rstrip(".")
    return text if (option := _AN_OPTION.fullmatch(text)) is None else option[1]


def _tagged(text: str) -> tuple[list[tuple[int, int, int, str]], str, bool]:
    """(start, start of the content, end, content) of the closed answer tags, the text after the last one, and whether
    every tag is closed."""
    if "nswer" not in text and "NSWER" not in text:
        return [], "", True
    found: list[tuple[int, int, int, str]] = []
    start: tuple[int, int] | None = None
    end = len(text)
    for match in _ANSWER_TAG.finditer(text):
        if len(found) > MAX_CANDIDATES:
            break
        if match.group(1):
            if start is not None:
                end = match.end()
                found.append((*start, end, text[start[1] : match.start()]))
            start = None
        elif start is not None:
            return [], "", False  # one opens inside another
        else:
            start = match.span()
    return found, text[end:], start is None


def _one(how: How, found: list[str], tail: str = "", boxes: list[str] | None = None, question: str = "") -> Extraction:
    """The one candidate of this kind, unwrapped; `tail` is what the response says after it."""
    distinct: dict[str, str] = {}
    for candidate in found[: MAX_CANDIDATES + 1] if len(found) > 1 else ():
        text, key = candidate.strip(), _bare(candidate)
        distinct[key] = min(distinct.get(key, text), text, key=len)  # "Answer: option B" and "Answer: B"
    candidates = tuple(distinct.values() if distinct else [candidate.strip() for candidate in found])
    if len(found) > MAX_CANDIDATES:
        return Extraction(None, how, "more than one answer", candidates)
    if how == "tag" and len(candidates) == 1 and _box_differs(candidates[0], boxes or []):
        return Extraction(None, how, "the tag and a box differ", candidates)
    if candidates and tail and taken_back(tail, how, candidates[-1], question):
        return Extraction(None, how, "the answer is taken back or hedged after it is given", candidates)
    if len(candidates) > 1:
        return Extraction(None, how, "more than one answer", candidates)
    if not candidates or not candidates[0]:
        return Extraction(None, how, "empty answer", candidates)
    if how != "phrase" and (other := _another_phrase(tail, candidates[0])) is not None:
        return Extraction(None, how, "more than one answer", (*candidates, other))
    answer = candidates[0]
    if how == "box" and (group := _GROUP.fullmatch(answer)) is not None:
        answer = group[1].strip()
    if how in ("tag", "box") and "box" in answer and len(inner := boxed(answer)) == 1:
        answer = inner[0].strip() if how == "tag" else _unboxed(answer)
    if how == "tag":
        if answer.startswith("{") and (unpacked := json_answers(answer)) is not None:
            return _one("json", unpacked)
        if (cue := _cue(answer).match(answer)) is not None:
            answer = answer[cue.end() :].strip()
    if len(answer) > MAX_ANSWER_CHARS:
        return Extraction(None, how, f"the answer is {len(answer)} characters long")
    return Extraction(answer, how, candidates=candidates) if answer else Extraction(None, how, "empty answer")


def _unboxed(text: str) -> str:
    r"""The text with the content of its one box in the box's place: `8 \boxed{7}` is "8 7" and not 7."""
    start, content, end = box_spans(text)[0]
    return f"{text[:start]}{text[content:end]}{text[end + 1 :]}".strip()


def _box_differs(tagged: str, boxes: list[str]) -> bool:
    """Whether a box anywhere in the response holds something else than the answer tag."""
    inner = boxed(tagged) if "box" in tagged else []
    answer = inner[0].strip() if len(inner) == 1 else tagged
    return any(not same_answer(answer, box) and box not in tagged for box in boxes)


def _phrases(text: str) -> tuple[list[str], str]:
    """What follows each "the answer is", and the text after the last one."""
    found: list[str] = []
    end = len(text)
    cue = _cue(text)
    for count, match in enumerate(cue.finditer(text)):
        if count > 2 * MAX_CANDIDATES:
            return ["too", "often"], ""  # the one that declares an answer a hundred times has none
        before = _sentence_before(text, match.start())
        if doubts(before) if match["abroad"] or match.lastgroup == "other" else not declared_by(before):
            continue  # "I don't think the answer is 6"
        if before and declaration.is_example(before):
            continue  # "Format: Answer: 12"
        answer, stop = _to_sentence_end(text, match.end())
        if answer and not any(c.isdigit() for c in answer) and found and discards(text[match.start() : stop]):
            continue  # "My answer is wrong", which is said of the one before
        if answer and not cue.search(answer) and not supposes(before, answer):  # "Final answer: the answer is 6" is one
            found.append(answer)
            end = stop
    return found, text[end:]


def _cue(text: str) -> re.Pattern[str]:
    """What declares an answer in this text; of text in ASCII alone the half of it that can."""
    return _CUE_IN_ASCII if text.isascii() else _CUE_ANYWHERE


def _sentence_before(text: str, position: int) -> str:
    """What the sentence says before this position; at most 300 characters of it."""
    window = ESCAPED_LINE.sub("\n", text[max(0, position - 300) : position])
    ends = [match.end() for match in SENTENCE_END.finditer(window + "A")]
    return window[ends[-1] :] if ends else window


def _another_phrase(tail: str, declared: str) -> str | None:
    """A "the answer is …" after a declared answer that says something else than it does."""
    if "nswer" not in tail and "NSWER" not in tail:
        return None
    for said in _phrases(tail)[0]:
        rest = _bare(said).casefold().replace(_bare(declared).casefold(), "", 1)
        repeats = len(rest) < len(_bare(said)) and not any(c.isdigit() for c in rest)
        if not repeats or re.search(r"\b(?:or|not)\b", said, re.IGNORECASE):
            return said
    return None


def _final_phrase(tail: str) -> Extraction | None:
    """Of a text after its last box: the one "final answer", which outranks boxes of intermediate results."""
    cue = _FINAL.search(tail)
    return _one("phrase", *_phrases(tail[cue.start() :])) if cue else None


def _to_sentence_end(text: str, start: int) -> tuple[str, int]:
    """From `start` to the end of the sentence or line, and where that is; the answer may start on the next line."""
    window = text[start : start + 2 * MAX_ANSWER_CHARS]
    lead = len(window) - len(window.lstrip())
    option = _BOLD_OPTION.match(window)
    end = SENTENCE_END.search(window, option.end() if option is not None else lead)
    stop = end.start() if end else len(window)
    said = _BOLD_END.sub(r"\1", window[lead:stop].strip().strip("*").strip())
    return said if said.isascii() else TAIL_ABROAD.sub("", said).rstrip("。"), start + stop
