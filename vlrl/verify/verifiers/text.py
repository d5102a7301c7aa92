"""The verifier `text`: words, compared in one normal form, with partial credit where it is asked for."""

from __future__ import annotations

import re

from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.reading.committed_answer import Reader, committed, is_sentence, without_exclamation
from vlrl.verify.reading.declared import extract
from vlrl.verify.reading.gold import golds_of
from vlrl.verify.reading.sentence_text import words_in_sentence
from vlrl.verify.values.edit_distance import edit_similarity
from vlrl.verify.values.normaliser import normalise

_ARTICLE = re.compile(r"^(?:an?|the)\s")


@verifier("text")
def text(problem: Problem, response: str) -> Verdict:
    r"""The declared answer is the gold; case, spaces, quotes, `**`, `\text{}`, "the" in front and a final stop aside.

    Prose may state it as a whole sentence: "The capital is Paris." Rejects everything else: the gold as a part of a
    longer answer, "red or blue", no answer, two answers.

    metadata:
    accepted  further golds
    anls      a threshold in (0, 1], usually 0.5: the score is 1 − (edit distance / longer length) where that reaches
              the threshold, else 0 (average normalised Levenshtein similarity); `correct` still asks for equality
    """
    extraction = extract(response, problem.question)
    if extraction.answer is None:
        return Verdict.wrong(extraction.note)
    answer = normalise(without_exclamation(extraction.answer))
    golds = [normalise(gold) for gold in golds_of(problem)]
    if answer and (answer in golds or answer.removeprefix("the ") in golds):
        return Verdict.right(extraction.answer)
    if not extraction.declared or (extraction.how == "tag" and is_sentence(extraction.answer)):
        said = committed(response, text_reader(problem.question)).value or ()
        bare = {_ARTICLE.sub("", gold) for gold in golds}
        if any(_ARTICLE.sub("", words) in bare for words in (*said, answer if extraction.how == "line" else "")):
            return Verdict.right(extraction.answer)
    threshold = problem.metadata.get("anls")
    if threshold is not None and answer:
        score = max(edit_similarity(answer, gold) for gold in golds)
        if score >= float(threshold):
            return Verdict(score, False, extraction.answer, "similar text")
    return Verdict.wrong("another text", extraction.answer)


def text_reader(question: str) -> Reader[tuple[str, ...]]:
    """How prose that states words is read: as a whole, and without words of the question."""
    return Reader(lambda _: None, lambda sentence: words_in_sentence(sentence, question), question=question)
