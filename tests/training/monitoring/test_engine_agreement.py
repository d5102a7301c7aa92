"""The probe finds a policy that ignores images, one that reads them unsteadily, and passes one that sees."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_models import BUDGET, as_image, ask, fresh, pixels

from vlrl.errors import EngineError
from vlrl.model.batch.example import Example
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.logprob_mismatch import LogprobGap
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.collector import collect
from vlrl.rollout.engine import Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.training.monitoring.engine_agreement import AgreementSettings, ProbesDue
from vlrl.types import Image

PROBLEMS = [ask("3+4=?"), ask(pixels(1), "How many?"), ask("left", pixels(2, 48, 32), "red?"), ask(pixels(3), "blue")]


def read(loaded):
    """(encode, policy, groups with responses of the model itself)."""
    encode = Encoder(loaded, BUDGET).encode
    found = collect(encode, TransformersEngine(loaded), PROBLEMS, Sampling(max_tokens=8), 2, seed=0)
    return encode, TorchPolicy(loaded, PolicySettings()), found


def probe(settings, encode, policy, groups):
    """With the features of images forgotten in between, and checked, as a run does."""
    found = settings.probe(encode, policy, groups, 1.0, policy.loaded.store.clear)
    if found is not None:
        settings.check_probe(found, 2)
    return found


@pytest.fixture(scope="module")
def seeing(model_folders):
    return read(fresh(model_folders["tiny-qwen3-vl"]))


@pytest.mark.parametrize("image", ["blank", "swapped"])
def test_a_policy_that_sees_passes_and_says_by_how_much(seeing, image):
    found = probe(AgreementSettings(image=image), *seeing)
    assert found.metrics()["probe/groups"] == 3
    assert found.metrics()["probe/image_shift"] > 0.01
    assert found.metrics()["probe/same_image_gap"] == 0.0


@pytest.mark.parametrize("image", ["blank", "swapped"])
def test_a_policy_that_ignores_its_images_stops_the_run(model_folders, image):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    with torch.no_grad():
        for name, parameter in loaded.model.named_parameters():
            if "merger" in name and ("fc2" in name or "linear_fc2" in name):
                parameter.zero_()
    with pytest.raises(
        EngineError,
        match=r"step 3, sees-the-image probe, problem \w+ and 2 more: [\s\S]*does not see its images[\s\S]*projector",
    ):
        probe(AgreementSettings(image=image), *read(loaded))


def test_a_policy_that_reads_one_image_in_two_ways_stops_the_run(seeing):
    """Features that are held under an image's name but aren't its own: only a look at the image itself shows it."""
    encode, policy, groups = seeing
    store = policy.loaded.store
    names = [image.digest for one in groups for image in one.encoded.images]
    policy.logprobs([Example(one.encoded, ((30,),)) for one in groups], 1.0)
    wrong = {name: held.of([one + 0.5 for one in held.tensors]) for name in names if (held := store.get(name))}
    store.clear()
    for name, held in wrong.items():
        store.put(name, held)
    with pytest.raises(EngineError, match=r"encoded again change a token's log-probability by 0\.\d+ nats"):
        probe(AgreementSettings(), encode, policy, groups)
    store.clear()


def test_an_encoder_that_gives_other_pixels_under_one_digest_stops_the_run(seeing):
    encode, policy, groups = seeing

    def drifted(problems):
        return encode([replace(p, prompt=tuple(map(repainted, p.prompt))) for p in problems])

    def repainted(piece):
        return replace(piece, data=as_image(pixels(9)).data) if isinstance(piece, Image) else piece

    with pytest.raises(EngineError, match=r"problem \w+: encoded again its content is \w+, it was"):
        probe(AgreementSettings(), drifted, policy, groups)


def test_without_images_there_is_nothing_to_probe(seeing):
    encode, policy, groups = seeing
    assert probe(AgreementSettings(), encode, policy, groups[:1]) is None
    assert probe(AgreementSettings(image="swapped"), encode, policy, groups[:2]) is None
    assert probe(AgreementSettings(), encode, policy, groups[:2]) is not None


def test_a_probe_is_due_from_its_step_until_one_was_made():
    due = ProbesDue(3)
    assert due.at(0)
    assert due.at(1)
    due.made()
    assert not due.at(2)
    assert due.at(3)
    resumed = ProbesDue(3)
    resumed.load_state_dict(due.state_dict())
    assert resumed.at(4)
    assert not ProbesDue(None).at(0)


def test_a_gap_beyond_its_bound_stops_the_run_but_not_a_stale_one():
    settings = AgreementSettings(max_gap=0.1)
    settings.check_gap({"logprob_gap/text": 0.09, "logprob_gap/stale": 3.0}, 4)
    with pytest.raises(EngineError, match=r"step 5, logprob_gap: engine and trainer differ by 0\.2 \(rendered\) nats"):
        settings.check_gap({"logprob_gap/text": 0.09, "logprob_gap/rendered": 0.2}, 4)
    with pytest.raises(EngineError, match="nan"):
        settings.check_gap({"logprob_gap/text": float("nan")}, 4)
    AgreementSettings().check_gap({"logprob_gap/text": 99.0}, 4)


def test_every_modality_over_the_bound_is_named():
    with pytest.raises(EngineError, match=r"0\.3 \(text\), 0\.2 \(rendered\) nats a token"):
        AgreementSettings(max_gap=0.1).check_gap(
            {"logprob_gap/text": 0.3, "logprob_gap/real": 0.05, "logprob_gap/rendered": 0.2}, 0
        )


def test_gaps_by_origin_by_hand():
    text = Example(None, ((1, 2, 3), (4,)), (0.0, 0.0), origins=((("text", 1), ("stale", 2)), (("text", 1),)))
    photo = Example(None, ((5, 6),), (0.0,), origins=((("real", 2),),))
    gap = LogprobGap()
    gap.add([text, photo], [0.1, 5.0, 7.0, 0.3, 0.5, 0.7])
    gap.add([photo], [0.0, 0.0])
    found = gap.metrics()
    assert found["logprob_gap/text"] == pytest.approx(0.2)
    assert found["logprob_gap/stale"] == pytest.approx(6.0)
    assert found["logprob_gap/real"] == pytest.approx(0.3)
    assert found["logprob_gap/mean"] == pytest.approx((0.1 + 0.3 + 0.5 + 0.7) / 6)
    assert found["logprob_gap/max"] == 0.7
