"""Engine, trainer and a plain forward pass agree on episodes with images behind the prompt; and so do gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from episode_cases import COUNTS, TURN, episodes, roomy
from small_models import fresh

from vlrl.losses.kimi import KimiLoss
from vlrl.model.batch.example import read_rollouts
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.model.training.update_metrics import UpdateMetrics


@pytest.fixture(scope="module")
def played(loaded_models):
    """By architecture; written once."""
    return {name: episodes(loaded) for name, loaded in loaded_models.items()}


def examples_of(groups):
    return [read_rollouts(group.encoded, group.rollouts) for group in groups]


def plain(loaded, group, rollout):
    """(T,) by transformers alone: one sequence, all images of prompt and episode, its own rule of positions."""
    family = loaded.config.model_type
    example = read_rollouts(group.encoded, [rollout])
    ids = torch.tensor([[*group.encoded.token_ids, *rollout.token_ids]])
    types = [
        *group.encoded.token_types,
        *(t for s in rollout.segments for t in s.token_types or (0,) * len(s.token_ids)),
    ]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if example.images and family != "idefics3":
        inputs["pixel_values"] = torch.cat([image.patches for image in example.images])
        inputs["image_grid_thw"] = torch.tensor([image.grid for image in example.images])
    elif example.images:
        inputs["pixel_values"] = torch.cat([image.patches for image in example.images])[None]
        masks = [
            i.pixels.mask if i.pixels.mask is not None else torch.ones_like(i.patches[:, 0]).bool()
            for i in example.images
        ]
        inputs["pixel_attention_mask"] = torch.cat(masks)[None]
    if loaded.model.config.model_type.startswith("qwen"):
        inputs["mm_token_type_ids"] = torch.tensor([types])
    with torch.no_grad():
        logits = loaded.model(**inputs).logits[0, group.encoded.num_tokens - 1 : -1]
    logits[:, list(loaded.placeholder_ids)] = float("-inf")
    return logits.log_softmax(-1).gather(1, torch.tensor([rollout.token_ids]).T)[:, 0].tolist()


def test_every_policy_token_has_one_logprob_with_zero_to_four_images(loaded, architecture, played):
    groups = played[architecture]
    trainer = TorchPolicy(roomy(loaded), PolicySettings()).logprobs(examples_of(groups), 1.0)
    for group, by_trainer in zip(groups, trainer, strict=True):
        for rollout, mine, count in zip(group.rollouts, by_trainer, COUNTS, strict=True):
            assert [len(s.images) for s in rollout.segments if s.author == "observation"] == [1] * count + [0] * (
                4 - count
            )
            assert 5 <= rollout.num_policy_tokens <= 5 * TURN
            written = [s.author == "policy" for s in rollout.segments for _ in s.token_ids]
            assert rollout.sampler_logprobs == pytest.approx(mine, abs=1e-5)
            assert all(value == 0.0 for value, wrote in zip(mine, written, strict=True) if not wrote)
            by_transformers = plain(loaded, group, rollout)
            for value, other, wrote in zip(mine, by_transformers, written, strict=True):
                assert not wrote or value == pytest.approx(other, abs=1e-5)


def test_text_that_spells_a_control_token_stays_text(loaded, architecture, played):
    rollout = played[architecture][0].rollouts[1]
    segment = rollout.segments[1]
    end = loaded.stop_ids[0]
    assert segment.token_ids.count(end) == 2, "the end of the policy's turn, and that of the tool's"
    assert "<|im_end|> 3" in segment.text


def test_the_engine_says_which_images_of_the_episode_it_read(architecture, played):
    group = played[architecture][0]
    hashes = [rollout.content_hash for rollout in group.rollouts]
    assert hashes[0] == group.encoded.content_hash
    assert len(set(hashes)) == len(COUNTS)
    assert hashes[2] == group.encoded.hash_again(group.rollouts[2].encoded_images)


def test_the_cut_into_micro_batches_and_slots_changes_no_number(loaded, architecture, played):
    again = episodes(loaded, max_num_seqs=3, max_num_batched_tokens=200, drop_share=0.0)
    for one, other in zip(played[architecture], again, strict=True):
        for a, b in zip(one.rollouts, other.rollouts, strict=True):
            assert a.token_ids == b.token_ids
            assert a.sampler_logprobs == pytest.approx(b.sampler_logprobs, abs=1e-5)


def gradients(folder, groups, budget, packed=False):
    """Of a kimi update on all episodes, by parameter name; and the update's metrics."""
    loaded = roomy(fresh(folder))
    policy = TorchPolicy(loaded, PolicySettings(micro_batch_tokens=budget, pack_sequences=packed))
    examples = []
    for example, group in zip(examples_of(groups), groups, strict=True):
        weights = tuple(tuple(float(w) for w in response) for response in example.written)
        sampled = tuple(r.sampler_logprobs for r in group.rollouts)
        old = tuple(tuple(v - 0.1 for v in values) for values in sampled)
        examples.append(replace(example, advantages=(0.5, -0.25, 1.0, -0.75), token_weights=weights, old_logprobs=old))
    sums = UpdateMetrics()
    for run, _ in policy._learning.micro_batches(examples, KimiLoss(tau=0.1), 1.0, examples, sums):
        run().backward()
    return {name: p.grad for name, p in loaded.model.named_parameters() if p.grad is not None}, sums


def close(first, second):
    """To 1e-5 of a parameter's largest entry. Smaller entries are sums of terms as large as that one, which cancel: an
    entry's own size says nothing of how its sum was rounded. Where nothing but rounding is left, as of a key's bias,
    which no softmax sees, 1e-7 of the model's largest.
    """
    assert first.keys() == second.keys()
    most = max(float(grad.abs().max()) for grad in first.values())
    for name, grad in first.items():
        assert torch.isfinite(grad).all(), name
        apart = float((grad - second[name]).abs().max())
        assert apart <= max(1e-5 * float(grad.abs().max()), 1e-7 * most), name


def test_packed_episodes_have_the_gradients_of_separate_rows(architecture, model_folders, played):
    """A budget of one token parts every episode from the others; each row then repeats its prompt."""
    groups = played[architecture]
    apart, _ = gradients(model_folders[architecture], groups, 1)
    for packed in (False, True):
        together, sums = gradients(model_folders[architecture], groups, 100_000, packed)
        close(together, apart)
        assert sums.tokens == sum(r.num_policy_tokens for group in groups for r in group.rollouts)


def test_the_head_learns_nothing_from_the_tokens_of_an_environment(model_folders, played):
    """With every policy token's weight at 0 nothing has a gradient, whatever the environment wrote."""
    group = played["tiny-qwen3-vl"][0]
    loaded = roomy(fresh(model_folders["tiny-qwen3-vl"]))
    policy = TorchPolicy(loaded, PolicySettings())
    example = examples_of([group])[0]
    wrong = tuple(tuple(float(not wrote) for wrote in response) for response in example.written)
    example = replace(example, advantages=(1.0,) * 4, token_weights=wrong)
    for run, _ in policy._learning.micro_batches([example], KimiLoss(tau=0.1), 1.0, [example], UpdateMetrics()):
        run().backward()
    for name, parameter in loaded.model.named_parameters():
        assert parameter.grad is None or not parameter.grad.any(), name
