"""MathVista: five kinds of questions, with a hint on the form of the answer; scored by its published script."""

from __future__ import annotations

import random

from vlrl.data.benchmarks.benchmark_definition import Answer, BenchmarkDefinition, Row, RowDraft, benchmarks, verdict
from vlrl.data.benchmarks.row_cells import cell, texts, values
from vlrl.data.rows.placeholders import LETTERS
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import judge
from vlrl.verify.official import mathvista
from vlrl.verify.official.mathvista import IntegerRule

_INTEGER_HINT = "requiring an integer answer and provide the final value, e.g., 1, 2, 3, at the end."
_FLOAT_HINTS = {
    1: "requiring a floating-point number with one decimal place and provide the final value, e.g., 1.2, 1.3, 1.4, "
    "at the end.",
    2: "requiring a floating-point number with two decimal places and provide the final value, e.g., 1.23, 1.34, 1.45, "
    "at the end.",
}
_LIST_HINT = (
    "requiring a Python list as an answer and provide the final list, e.g., [1, 2, 3], [1.2, 1.3, 1.4], at the end."
)
_CHOICE_HINT = "and provide the correct option letter, e.g., A, B, C, D, at the end."


def mathvista_query(row: Row) -> str:
    """The official prompt of a row: hint, question with its unit, choices (evaluation/build_query.py)."""
    choices, unit = row.get("choices"), row.get("unit")
    if row.get("question_type") == "multi_choice":
        hint = _CHOICE_HINT
    elif row.get("answer_type") == "integer":
        hint = _INTEGER_HINT
    elif row.get("answer_type") == "float":
        hint = _FLOAT_HINTS.get(int(row.get("precision") or 1), _FLOAT_HINTS[1])
    else:
        hint = _LIST_HINT
    lines = [
        f"Hint: Please answer the question {hint}",
        f"Question: {row['question']}" + (f" (Unit: {unit})" if unit else ""),
    ]
    if choices:
        lines.append("Choices:")
        lines += [f"({LETTERS[i]}) {choice}" for i, choice in enumerate(choices)]
    return "\n".join(lines).strip()


@benchmarks.register("mathvista")
class MathVista(BenchmarkDefinition):
    """MathVista."""

    def draft(self, row: Row, place: str) -> RowDraft:
        """A row of its own schema."""
        meta = row.get("metadata") or {}
        answer_type = str(cell(row, place, "answer_type"))
        precision = row.get("precision")
        groups: dict[str, tuple[str, ...]] = {"question_type": values(cell(row, place, "question_type"))}
        groups["answer_type"] = (answer_type,)
        for name in ("language", "source", "category", "task", "context", "grade"):
            groups[name] = values(meta.get(name, row.get(name)))
        groups["skills"] = values(meta.get("skills", row.get("skills")))
        metadata = {
            "question_type": row["question_type"],
            "answer_type": answer_type,
            "choices": texts(row.get("choices")),
            "precision": None if precision is None else int(precision),
            "unit": row.get("unit") or None,
        }
        text = row.get("query") or mathvista_query(row)
        return RowDraft(str(text), str(cell(row, place, "answer")), "mathvista", metadata, groups)

    def official(self, problem: Problem, answer: Answer, draws: random.Random, integer_rule: IntegerRule) -> Verdict:
        """As its script does."""
        metadata = problem.metadata
        kinds = metadata.get("choices"), str(metadata["question_type"]), str(metadata["answer_type"])
        note = ""
        extraction = answer.extraction
        if not answer.use_extraction:
            extraction = mathvista.quick_extraction(answer.text, *kinds)
            if extraction is None:  # the published script asks a language model; the reward's reader stands in for it
                extraction, note = judge(problem, answer.text).answer or "", "extracted by rule"
        prediction = mathvista.prediction(extraction, *kinds, metadata.get("precision"), integer_rule)
        return verdict(prediction is not None and prediction == problem.answer, prediction, note)
