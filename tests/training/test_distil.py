"""Distillation from records: the first step of a live teacher, refusals, a run that comes nearer to its teacher."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from resumed_runs import SHAPE
from small_models import BUDGET, ask, encode, fresh, pixels

from vlrl.config import load_settings
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.distillation import Distillation, DistillationWithValue
from vlrl.data.recipe import load_recipe
from vlrl.data.teacher.teacher_recording import TeacherRecording
from vlrl.data.teacher.teacher_records import SCHEMA, RecordsHead, TeacherRecord, read_records
from vlrl.errors import ConfigError, DataError
from vlrl.model.batch.example import Example
from vlrl.model.prompts.encode import Encoder, input_hash
from vlrl.model.training.forward import PackedForward
from vlrl.model.training.token_statistics import token_statistics
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.training.distil import Recorded, recorded_rows, with_credit
from vlrl.training.fixed_set_settings import DistilSettings
from vlrl.training.run import start_run
from vlrl.training.run_settings import RunSettings
from vlrl.training.teacher.reference_model import ReferenceModel, tokenizer_hash
from vlrl.types import Group, ScoredGroup

PROBLEMS = [ask("3+4=?"), ask(pixels(1), "How many?")]
RESPONSES = [(20, 31, 44), (25, 26)]
HEAD = RecordsHead(tokenizer="t", teacher="big", writer="small", temperature=0.8)


def records(loaded, logprobs=((-1.0, -2.0, -0.5), (-0.25, -1.5))) -> list[TeacherRecord]:
    encoded = encode(loaded, *PROBLEMS)
    return [
        TeacherRecord(problem, one.content_hash, ids, (-1.0,) * len(ids), theirs, (0.5,) * len(ids))
        for problem, one, ids, theirs in zip(PROBLEMS, encoded, RESPONSES, logprobs, strict=True)
    ]


def write(folder, given):
    recording = TeacherRecording(folder)
    recording.add("all", given)
    recording.finish(HEAD)


def test_records_come_back_as_they_were_written(qwen3, tmp_path):
    given = records(qwen3)
    write(tmp_path, given)
    head, found = read_records(tmp_path)
    assert head == HEAD
    assert [replace(one, problem=PROBLEMS[i]) for i, one in enumerate(found)] == given
    assert [one.problem.id for one in found] == [p.id for p in PROBLEMS]


def test_records_that_are_not_whole_are_refused(qwen3, tmp_path):
    with pytest.raises(DataError, match=r"holds no teacher\.json"):
        read_records(tmp_path)
    write(tmp_path, records(qwen3))
    file = tmp_path / "teacher.jsonl"
    lines = file.read_text().splitlines()
    file.write_text(lines[0] + "\n")
    with pytest.raises(DataError, match="2 problems, 1 records"):
        read_records(tmp_path)
    broken = {**json.loads(lines[1]), "teacher_logprobs": [-1.0]}
    file.write_text(lines[0] + "\n" + json.dumps(broken) + "\n")
    with pytest.raises(DataError, match="line 2"):
        read_records(tmp_path)


def test_records_of_a_time_with_other_content_hashes_are_of_another_make(qwen3, tmp_path):
    tensors = [torch.arange(3.0), torch.tensor([True, False])]
    assert (SCHEMA, input_hash((1, 2), tensors)) == (3, "c693ced4413a0064831501e20c91eda2")
    write(tmp_path, records(qwen3))
    card = json.loads((tmp_path / "teacher.json").read_text())
    (tmp_path / "teacher.json").write_text(json.dumps({**card, "schema": 1}))  # hashes by blake2b
    with pytest.raises(DataError, match="is of another make"):
        read_records(tmp_path)


def test_what_is_read_otherwise_than_recorded_is_refused(qwen3):
    given = records(qwen3)
    session = SimpleNamespace(encoder=Encoder(qwen3, BUDGET), loaded=qwen3)
    assert [row.responses for row, _ in recorded_rows(session, given)] == [((20, 31, 44),), ((25, 26),)]
    small = SimpleNamespace(encoder=Encoder(qwen3, BUDGET.model_copy(update={"max_pixels": 512})))
    with pytest.raises(DataError, match="was recorded with content"):
        recorded_rows(small, given)  # the image is another one for the model
    prompted = SimpleNamespace(encoder=Encoder(qwen3, BUDGET, "Answer."))
    with pytest.raises(DataError, match="was recorded with content"):
        recorded_rows(prompted, given)


def test_a_record_that_is_longer_than_the_context_is_refused(qwen3):
    given, encoder = records(qwen3), Encoder(qwen3, BUDGET)
    rows = recorded_rows(SimpleNamespace(encoder=encoder, loaded=qwen3), given)
    longest = max(row.num_tokens for row, _ in rows)
    recorded_rows(SimpleNamespace(encoder=encoder, loaded=replace(qwen3, context=longest)), given)
    with pytest.raises(DataError, match=rf"distil.records, problem \w+[\s\S]*the context holds {longest - 1}\b"):
        recorded_rows(SimpleNamespace(encoder=encoder, loaded=replace(qwen3, context=longest - 1)), given)


def test_a_teacher_of_another_tokenizer_is_refused(model_folders, qwen3, tmp_path):
    other = ReferenceModel(path=str(model_folders["tiny-idefics3"]))
    with pytest.raises(ConfigError, match="another tokenizer"):
        other.load(qwen3, "record.teacher")
    assert tokenizer_hash(fresh(model_folders["tiny-qwen3-vl"])) == tokenizer_hash(qwen3)


@pytest.mark.parametrize("part", [Distillation(weight=0.5), DistillationWithValue(weight=0.5)])
def test_the_first_step_from_records_is_that_of_a_live_teacher(model_folders, part):
    """Both gradients; temperature 0.8, an image in one prompt, credit from statistics against the way of the files."""
    teacher = fresh(model_folders["tiny-qwen3-vl"])
    with torch.no_grad():
        for parameter in teacher.model.parameters():
            parameter *= 0.9
    reading = PackedForward(teacher, 10_000, False)
    found = []
    for live in (True, False):
        loaded = fresh(model_folders["tiny-qwen3-vl"])
        policy = TorchPolicy(loaded, PolicySettings())
        rows = [Example(one, (ids,)) for one, ids in zip(encode(loaded, *PROBLEMS), RESPONSES, strict=True)]
        if live:
            held = policy.statistics(rows, 0.8, part.needs, reading)
            groups = [ScoredGroup.of(Group(p, ()), (), one) for p, one in zip(PROBLEMS, held, strict=True)]
            extra = part.over(groups, CreditContext(0), {})
            examples = [
                replace(row, advantages=(0.0,), token_advantages=more) for row, more in zip(rows, extra, strict=True)
            ]
        else:
            held = policy.statistics(rows, 0.8, {"teacher", "kl_teacher"}, reading)
            values = [one["kl_teacher"] if "kl_teacher" in part.needs else None for one in held]
            three = zip(rows, held, values, strict=True)
            given = [
                Recorded(row.encoded, row.responses, (0.0,), teacher=one["teacher"], divergence=kl)
                for row, one, kl in three
            ]
            own = policy.logprobs(rows, 0.8)
            examples, metrics = with_credit(given, own, 0.5)
            ours, theirs = ([v for one in some for r in one for v in r] for some in (own, [h["teacher"] for h in held]))
            assert metrics["teacher/gap"] == pytest.approx((sum(theirs) - sum(ours)) / len(ours))
        gradients = {}

        def step(share, loaded=loaded, gradients=gradients):
            gradients.update({n: p.grad.clone() for n, p in loaded.model.named_parameters() if p.grad is not None})
            return 0.0

        policy.optimizer.step = step
        policy.update(examples, DistilSettings().loss, 0.8, 1.0)
        found.append(torch.cat([g.flatten() for g in gradients.values()]))
    assert float((found[0] - found[1]).norm()) < 1e-5 * float(found[0].norm())
    assert float(found[0].norm()) > 1e-3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["stages=[record]"], "is missing, and `record`"),
        (["stages=[distil]"], "nothing records before"),
        (["distil.loss=gspo"], "reads no token credit"),
        (["record={teacher: {path: x}, sampling: {temperature: 0}}"], "drawn by chance"),
    ],
)
def test_settings_that_lack_something_are_refused_before_a_model_is_loaded(given, said):
    with pytest.raises(ConfigError, match=said):
        load_settings(RunSettings, "configs/quickstart.yaml", given)


@pytest.mark.slow
def test_a_student_comes_nearer_to_its_teacher_from_records_alone(tmp_path):
    """The teacher was warmed up six times as long as the student; in one pass KL falls at the recorded places."""
    small = [
        *["threads=1", "eval.problems=4", "eval.curve_problems=4", f"model.shape={SHAPE}", "sft.demonstrations=48"],
        *["sft.steps=120", "sft.batch=16", "sft.validate_every=120"],
    ]
    start_run("configs/quickstart.yaml", [*small, "stages=[sft]", f"run_folder={tmp_path / 'teacher'}"])
    folder = tmp_path / "student"
    more = [
        f"record.teacher={{path: {tmp_path / 'teacher' / 'model_sft'}}}",
        *["record.problems=192", "record.sampling.max_tokens=6"],
        "distil={steps: 4, batch: 48, validate_every: 4, policy: {optimizer: {name: muon, lr: 3.0e-3}}}",
        f"run_folder={folder}",
    ]
    start_run("configs/quickstart.yaml", [*small, "stages=[sft, record, distil, eval]", *more, "sft.steps=20"])
    _, found = read_records(folder / "records")
    before = [kl for one in found for kl in one.divergences]
    student, teacher = (
        PackedForward(fresh(path), 16_384, False)
        for path in (folder / "model_distil", tmp_path / "teacher" / "model_sft")
    )
    loaded = fresh(folder / "model_distil")
    encoder = Encoder(loaded, load_recipe("data_recipes/quickstart.yaml").image)
    rows = [row for row, _ in recorded_rows(SimpleNamespace(encoder=encoder, loaded=loaded), found)]
    held = token_statistics(student, rows, 1.0, {"kl_teacher"}, teacher)
    after = [kl for one in held for response in one["kl_teacher"] for kl in response]
    assert sum(after) < 0.97 * sum(before)
    assert (folder / "model_distil" / "model.safetensors").is_file()
    assert {"sft", "distil"} <= set(json.loads((folder / "results.json").read_text()))
    learned_from = json.loads((folder / "run_card.json").read_text())["data_overlap"]["problems"]
    assert learned_from == {"sft": 48, "distil": len({one.problem.id for one in found})}
    with pytest.raises(DataError, match=r"distil\.teacher is abc"):
        start_run(
            "configs/quickstart.yaml",
            [
                *small,
                "stages=[distil]",
                f"model.path={tmp_path / 'teacher' / 'model_sft'}",
                "model.build=null",
                f"distil={{records: {folder / 'records'}, teacher: abc}}",
                f"run_folder={tmp_path / 'other'}",
            ],
        )
