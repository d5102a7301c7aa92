"""Responses of the present model with a teacher's log-probabilities, as files (Lightning OPD, first half)."""

from __future__ import annotations

from vlrl.curation.asking import model_hash
from vlrl.data.teacher_records import RecordsHead, TeacherRecord, write_records
from vlrl.model.forward import PackedForward
from vlrl.model.packing import Row
from vlrl.model.token_statistics import token_statistics
from vlrl.rollout.collector import collect
from vlrl.seeding import derive_seed
from vlrl.stages.reference_model import tokenizer_hash
from vlrl.stages.session import Session

FOLDER = "records"


def run_record(session: Session) -> None:
    """Write records/ into the run folder. The teacher reads the very tokens and pixels that the engine read.

    Raises ConfigError for a teacher of another tokenizer.
    """
    settings = session.settings.record
    assert settings is not None, "the settings refuse the stage without it"
    teacher = settings.teacher.load(session.loaded, "record.teacher")
    own, reading = (PackedForward(m, settings.micro_batch_tokens, False) for m in (session.loaded, teacher))
    records: list[TeacherRecord] = []
    session.progress.start("record", settings.problems)
    for start in range(0, settings.problems, settings.batch):
        problems = session.mixture.draw(min(settings.batch, settings.problems - start))
        seed = derive_seed(session.settings.seed, "record", start)
        encode, sampling = session.encoder.encode, settings.sampling
        found = collect(encode, session.engine, problems, sampling, settings.rollouts, seed)
        written = [[r for r in one.group.rollouts if r.num_tokens] for one in found]
        kept = [(one, some) for one, some in zip(found, written, strict=True) if some]
        rows = [Row(one.encoded, tuple(r.token_ids for r in some)) for one, some in kept]
        statistics = token_statistics(own, rows, sampling.temperature, ("teacher", "kl_teacher"), reading)
        for (one, some), held in zip(kept, statistics, strict=True):
            three = zip(some, held["teacher"], held["kl_teacher"], strict=True)
            records += [
                TeacherRecord(one.group.problem, one.encoded.content_hash, r.token_ids, r.logprobs, theirs, divergence)
                for r, theirs, divergence in three
            ]
        session.progress.step("record", start + len(problems), {"records": float(len(records))})
    head = RecordsHead(
        tokenizer_hash(session.loaded), model_hash(teacher), model_hash(session.loaded), settings.sampling.temperature
    )
    write_records(session.run.path / FOLDER, head, records)
    session.run.note(records={"count": len(records), "teacher": head.teacher, "writer": head.writer})
