"""Responses of the present model with a teacher's log-probabilities, as files (Lightning OPD, first half).

A batch of problems is a piece on disk before the next one begins, and depends on no other: a recording that is killed
goes on with the pieces that it finished, and its files are those of one that was not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from vlrl.curation.model_answers import model_hash
from vlrl.data.teacher.teacher_recording import TeacherRecording
from vlrl.data.teacher.teacher_records import RecordsHead, TeacherRecord
from vlrl.model.batch.example import Example
from vlrl.model.load import LoadedModel
from vlrl.model.training.forward import PackedForward
from vlrl.model.training.token_statistics import token_statistics
from vlrl.rollout.collector import collect
from vlrl.seeding import derive_seed
from vlrl.training.fixed_set_settings import RecordSettings
from vlrl.training.session.open_session import Session
from vlrl.training.teacher.reference_model import tokenizer_hash
from vlrl.types import Problem, content_digest

FOLDER = "records"


def run_record(session: Session) -> None:
    """Write records/ into the run folder. The teacher reads the very tokens and pixels that the engine read.

    Raises ConfigError for a teacher of another tokenizer.
    """
    settings = session.settings.record
    assert settings is not None, "the settings refuse the stage without it"
    teacher = settings.teacher.load(session.runtime.loaded, "record.teacher")
    head = RecordsHead(
        tokenizer_hash(session.runtime.loaded),
        model_hash(teacher),
        model_hash(session.runtime.loaded),
        settings.sampling.temperature,
    )
    recording = TeacherRecording(session.context.run.path / FOLDER)
    taken = 0
    session.context.progress.start("record", settings.problems)
    for start, problems in _batches(session, settings):
        seed = derive_seed(session.settings.seed, "record", start)
        name = _name_of(session, settings, head, problems, seed)
        if recording.takes(name):
            taken += len(problems)
            continue
        if taken == start > 0:
            session.context.say(f"record goes on after {start} problems that were recorded before")
        recording.add(name, _recorded(session, settings, teacher, problems, seed))
        session.context.progress.step("record", start + len(problems), {"records": float(recording.count)})
    recording.finish(head)
    session.context.note(records={"count": recording.count, "teacher": head.teacher, "writer": head.writer})


def pass_over_recorded(session: Session) -> None:
    """Draw what a finished recording drew, so that the stages after it get the same problems as without a break."""
    assert session.settings.record is not None
    for _ in _batches(session, session.settings.record):
        pass


def _batches(session: Session, settings: RecordSettings) -> Iterator[tuple[int, list[Problem]]]:
    """(number of the first, problems), by the mixture's order."""
    for start in range(0, settings.problems, settings.batch):
        yield start, session.mixture.draw(min(settings.batch, settings.problems - start))


def _name_of(
    session: Session, settings: RecordSettings, head: RecordsHead, problems: Sequence[Problem], seed: int
) -> str:
    """A digest of all that the records of these problems depend on."""
    said = {
        **asdict(head),
        "sampling": settings.sampling.model_dump(mode="json"),
        "rollouts": settings.rollouts,
        "system": session.settings.system_prompt,
        "image": session.recipe.image.model_dump(mode="json"),
        "seed": seed,
        "problems": [problem.id for problem in problems],
    }
    return content_digest(json.dumps(said, sort_keys=True))


def _recorded(
    session: Session, settings: RecordSettings, teacher: LoadedModel, problems: Sequence[Problem], seed: int
) -> list[TeacherRecord]:
    """One piece: responses to these problems, read by model and teacher. Responses without a token are left out."""
    session.runtime.forget_features()
    if teacher.store is not None:
        teacher.store.clear()
    own, reading = (PackedForward(m, settings.micro_batch_tokens, False) for m in (session.runtime.loaded, teacher))
    sampling = settings.sampling
    found = collect(session.runtime.encoder.encode, session.runtime.engine, problems, sampling, settings.rollouts, seed)
    written = [[r for r in one.rollouts if r.num_tokens] for one in found]
    kept = [(one, some) for one, some in zip(found, written, strict=True) if some]
    rows = [Example(one.encoded, tuple(r.token_ids for r in some)) for one, some in kept]
    statistics = token_statistics(own, rows, sampling.temperature, ("teacher", "kl_teacher"), reading)
    return [
        TeacherRecord(one.problem, one.encoded.content_hash, r.token_ids, r.sampler_logprobs, theirs, divergence)
        for (one, some), held in zip(kept, statistics, strict=True)
        for r, theirs, divergence in zip(some, held["teacher"], held["kl_teacher"], strict=True)
    ]
