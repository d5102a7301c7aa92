"""MMMU and MMMU-Pro: options by letter, open answers as number or text; official mode draws where it finds nothing."""

from __future__ import annotations

import random

from vlrl.data.benchmarks.benchmark_definition import Answer, BenchmarkDefinition, Row, RowDraft, benchmarks, verdict
from vlrl.data.benchmarks.row_cells import as_list, cell, given_options, texts, values
from vlrl.data.rows.placeholders import LETTERS
from vlrl.types import Problem, Verdict
from vlrl.verify.official import mmmu
from vlrl.verify.official.mathvista import IntegerRule

MMMU_DOMAINS = {
    "Art and Design": ("Art", "Art_Theory", "Design", "Music"),
    "Business": ("Accounting", "Economics", "Finance", "Manage", "Marketing"),
    "Science": ("Biology", "Chemistry", "Geography", "Math", "Physics"),
    "Health and Medicine": (
        "Basic_Medical_Science",
        "Clinical_Medicine",
        "Diagnostics_and_Laboratory_Medicine",
        "Pharmacy",
        "Public_Health",
    ),
    "Humanities and Social Science": ("History", "Literature", "Sociology", "Psychology"),
    "Tech and Engineering": (
        "Agriculture",
        "Architecture_and_Engineering",
        "Computer_Science",
        "Electronics",
        "Energy_and_Power",
        "Materials",
        "Mechanical_Engineering",
    ),
}
_DOMAIN_OF = {subject: domain for domain, subjects in MMMU_DOMAINS.items() for subject in subjects}


@benchmarks.register("mmmu")
class Mmmu(BenchmarkDefinition):
    """MMMU."""

    def draft(self, row: Row, place: str) -> RowDraft:
        """A row of its own schema."""
        options = given_options(row, place)
        kind = row.get("question_type")
        closed = bool(options) if kind is None else kind == "multiple-choice"
        answers = texts(as_list(cell(row, place, "answer"))) or [str(row["answer"])]
        subject = str(row.get("subject") or _subject(row))
        groups = {"domain": values(_DOMAIN_OF.get(subject)), "subject": values(subject)}
        if kind:
            groups["question_type"] = (str(kind),)
        question = str(row.get("question") or "")
        if closed:
            listed = "".join(f"({LETTERS[i]}) {option}\n" for i, option in enumerate(options))
            text = f"{question}\n\n{listed}\nAnswer with the option's letter from the given choices directly."
        else:
            text = f"{question}\n\nAnswer the question using a single word or phrase."
        metadata = {"choices": options if closed else None, "accepted": answers[1:] or None}
        return RowDraft(text.strip(), answers[0], "mmmu", metadata, groups)

    def official(self, problem: Problem, answer: Answer, draws: random.Random, integer_rule: IntegerRule) -> Verdict:
        """As its script does."""
        golds = [problem.answer, *problem.metadata.get("accepted", ())]
        text = answer.said
        if not problem.metadata.get("choices"):
            candidates = mmmu.parse_open(text)
            return verdict(mmmu.open_is_right(candidates, golds), "; ".join(map(str, candidates)))
        options = mmmu.letters(problem.metadata["choices"])
        letter = mmmu.parse_choice(text, options)
        if letter is not None:
            return verdict(letter in golds, letter)
        letter = mmmu.draw_choice(options, draws)
        return verdict(letter in golds, letter, "drawn at random")


@benchmarks.register("mmmu-pro")
class MmmuPro(Mmmu):
    """MMMU-Pro: the same rows, another script."""

    def official(self, problem: Problem, answer: Answer, draws: random.Random, integer_rule: IntegerRule) -> Verdict:
        """The published script draws unseeded where it finds no letter; luck that nobody can repeat is not counted."""
        letter = mmmu.parse_pro_choice(answer.said, mmmu.letters(problem.metadata["choices"]))
        if letter is None:
            return Verdict.wrong("no letter; the published script draws one, unseeded")
        return verdict(letter == problem.answer, letter)


def _subject(row: Row) -> str:
    """The subject inside an id such as `validation_Art_Theory_12`."""
    parts = str(row.get("id") or "").split("_")
    return "_".join(parts[1:-1]) if len(parts) > 2 else ""
