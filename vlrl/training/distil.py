"""On-policy distillation from recorded responses and teacher log-probabilities (Lightning OPD, second half)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vlrl.credit.tokens.distillation import teacher_credit
from vlrl.credit.tokens.token_parts import add
from vlrl.data.teacher.teacher_records import TeacherRecord, read_records
from vlrl.errors import DataError
from vlrl.model.batch.example import Example
from vlrl.model.training.policy import Policy
from vlrl.training.response_rows import check_fits
from vlrl.training.session.model_runtime import ModelRuntime
from vlrl.training.session.open_session import Session
from vlrl.training.sft import Phase, train_on
from vlrl.training.teacher.record_teacher import FOLDER
from vlrl.training.teacher.reference_model import tokenizer_hash
from vlrl.training.teacher.teacher_provenance import check_teacher
from vlrl.types import PerToken


def run_distil(session: Session) -> Policy:
    """Learn from the records that the settings name; leaves the best validated weights in the model.

    Raises DataError for records of another tokenizer or teacher, and where prompt or pixels are read differently here.
    """
    settings = session.settings.distil
    folder = Path(settings.records) if settings.records else session.context.run.path / FOLDER
    head, records = read_records(folder)
    if head.tokenizer != tokenizer_hash(session.runtime.loaded):
        raise DataError(str(folder), "was written with another tokenizer", "record with the model that is distilled")
    check_teacher(head, folder, settings.teacher, session.runtime.taught_by)
    session.overlap.note(session.context.run, "distil", 0, [one.problem for one in records])
    from_writer = settings.reference == "writer"
    examples = [
        Recorded(
            row.encoded,
            row.responses,
            advantages=(0.0,),
            old_logprobs=(one.writer_logprobs,) if from_writer else None,
            teacher=(one.teacher_logprobs,),
            divergence=(one.divergences,) if settings.value else None,
        )
        for row, one in recorded_rows(session.runtime, records)
    ]

    def ready(policy: Policy, chosen: Sequence[Example]) -> tuple[list[Example], dict[str, float]]:
        own = policy.logprobs(chosen, head.temperature)
        return with_credit(chosen, own, settings.weight)

    phase = Phase(settings, examples, head.temperature, ready)
    return train_on(session, [phase], settings.loss, "distil")


@dataclass(frozen=True)
class Recorded(Example):
    """An example with a teacher's log-probabilities and the writer's KL to it, per response (T_j,)."""

    teacher: PerToken = ()
    divergence: PerToken | None = None


def recorded_rows(model: ModelRuntime, records: Sequence[TeacherRecord]) -> list[tuple[Example, TeacherRecord]]:
    """Every record's row as the policy reads it.

    Raises DataError where that isn't what the teacher read, or is longer than the context.
    """
    found = []
    encoded = model.encoder.encode([one.problem for one in records])
    for one, record in zip(encoded, records, strict=True):
        if one.content_hash != record.content_hash:
            raise DataError(
                f"problem {record.problem.id}",
                f"was recorded with content {record.content_hash}, here it is read as {one.content_hash}",
                "use the recipe's image budget, the processor and the system prompt of the recording",
            )
        found.append((Example(one, (record.token_ids,)), record))
    rows, problems = [row for row, _ in found], [record.problem for record in records]
    remedy = "record with a lower record.sampling.max_tokens"
    check_fits(rows, problems, model.loaded.context, "distil.records", remedy)
    return found


def with_credit(
    chosen: Sequence[Example], own: Sequence[PerToken], weight: float
) -> tuple[list[Example], dict[str, float]]:
    """Recorded examples with token credit, from the policy's own log-probabilities of them.

    teacher/gap is the mean of log π_T − log π_S over the tokens.
    """
    found: list[Example] = []
    gaps: list[float] = []
    for one, student in zip(chosen, own, strict=True):
        assert isinstance(one, Recorded)
        credit = teacher_credit(one.teacher, student, weight)
        if one.divergence is not None:
            credit = add(credit, tuple(tuple(weight * kl for kl in response) for response in one.divergence))
        found.append(replace(one, token_advantages=credit))
        gaps += [gap for response in teacher_credit(one.teacher, student, 1.0) for gap in response]
    return found, {"teacher/gap": sum(gaps) / len(gaps)}
