"""The vLLM engine against the transformers engine and the trainer: same tokens, same numbers, also after a refresh.

One engine an architecture lives through all its tests; a test that changes its weights puts them back.
"""

from __future__ import annotations

import gc
import json
import pickle
import sys
import weakref
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import yaml
from small_models import BUDGET, VLLM_SHAPE, as_image, ask, build_spread, encode, fresh, pixels, prompts
from small_runs import charts_are_not_drawn, nobody_waits_for_the_disk, tokenizer_from_few_texts  # noqa: F401

from vlrl.errors import ConfigError, EngineError, EngineFailedError
from vlrl.model.batch.example import Example, read_rollouts
from vlrl.model.load import LoadedModel
from vlrl.model.optimization.lora import LoraSettings
from vlrl.model.prompts.encode import Encoder
from vlrl.model.prompts.observation_text import Observation
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.colocated import STATM, ColocatedEngine
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.engine_registry import require_engine
from vlrl.rollout.ray.ray_settings import RayPoolSettings
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.rollout.vllm import vllm_library
from vlrl.rollout.vllm.vllm_engine import VllmEngine
from vlrl.rollout.vllm.vllm_settings import VllmEngineSettings, needed_bytes
from vlrl.training.run import start_run
from vlrl.types import Text

SMALL = VllmEngineSettings(max_num_seqs=32, max_num_batched_tokens=512, cache_gib=0.03)
ARCHITECTURES = ("tiny-qwen3-vl", "tiny-qwen2.5-vl")
needs_vllm = [pytest.mark.vllm, pytest.mark.slow]
one_architecture = pytest.mark.parametrize(  # for engines that start again, which takes seconds and asks no model
    "here", [pytest.param(ARCHITECTURES[0], marks=needs_vllm)], indirect=True
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: build_spread(name, tmp_path_factory.mktemp(name), shape=VLLM_SHAPE) for name in ARCHITECTURES}


@pytest.fixture(scope="module", params=[pytest.param(name, marks=needs_vllm) for name in ARCHITECTURES])
def here(request, folders, library):
    """The model, its encoded prompts and the engine."""
    library("vllm")
    loaded = fresh(folders[request.param])
    engine = VllmEngine(loaded, SMALL)
    yield SimpleNamespace(
        folder=folders[request.param],
        loaded=loaded,
        engine=engine,
        encoded=encode(loaded, *[ask(*pieces) for pieces in prompts()]),
    )
    engine.close()


def requests(encoded, k, seed=0, **sampling):
    settings = Sampling(**{"max_tokens": 10, **sampling})
    return [Request(one, k, settings, seed + i) for i, one in enumerate(encoded)]


def furthest(found, expected):
    """Largest difference of a log-probability; the tokens must be the same."""
    pairs = [(a, b) for x, y in zip(found, expected, strict=True) for a, b in zip(x, y, strict=True)]
    assert [a.token_ids for a, _ in pairs] == [b.token_ids for _, b in pairs]
    assert [(a.text, a.finish_reason) for a, _ in pairs] == [(b.text, b.finish_reason) for _, b in pairs]
    return max(abs(p - q) for a, b in pairs for p, q in zip(a.sampler_logprobs, b.sampler_logprobs, strict=True))


def test_greedy_answers_to_text_one_and_several_images_equal_the_transformers_engine_before_and_after_a_refresh(here):
    asked = requests(here.encoded, 1, temperature=0.0)
    before = here.engine.generate(asked)
    assert furthest(before, TransformersEngine(here.loaded).generate(asked)) < 1e-4
    assert [g[0].content_hash for g in before] == [one.content_hash for one in here.encoded]
    other = fresh(here.folder)
    with torch.no_grad():
        for parameter in other.model.parameters():
            parameter.mul_(1 + 0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    here.engine.load_weights(other.model.named_parameters(), 5)
    after = here.engine.generate(asked)
    assert furthest(after, TransformersEngine(other).generate(asked)) < 1e-4
    assert {s.policy_version for g in after for r in g for s in r.segments} == {5}
    moved = [a[0].token_ids != b[0].token_ids for a, b in zip(before, after, strict=True)]
    assert sum(moved) >= 4  # the weights of text and of images alike
    here.engine.load_weights(here.loaded.model.named_parameters(), 6)
    assert furthest(here.engine.generate(asked), before) == 0


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.8), (2.5, 1.0)])
def test_logprobs_of_sampled_tokens_are_the_trainers_before_top_p(here, temperature, top_p):
    found = here.engine.generate(requests(here.encoded, 4, temperature=temperature, top_p=top_p))
    rows = [Example(one, tuple(r.token_ids for r in g)) for one, g in zip(here.encoded, found, strict=True)]
    scored = TorchPolicy(here.loaded, PolicySettings()).logprobs(rows, temperature)
    for rollouts, of_group in zip(found, scored, strict=True):
        for rollout, expected in zip(rollouts, of_group, strict=True):
            assert rollout.sampler_logprobs == pytest.approx(expected, abs=1e-4)


def test_policy_tokens_of_episodes_with_tool_images_have_the_trainers_logprobs(here):
    """Two episodes of one prompt, a tool's image in the first after one turn, in the other after two."""
    encoder, problem = Encoder(here.loaded, BUDGET), ask(pixels(1), "red?")
    (encoded,) = encoder([problem])
    rollouts = None
    for turn in range(3):
        request = Request(encoded, 2, Sampling(max_tokens=100), 3, resume_from=rollouts, new_tokens=4)
        (rollouts,) = here.engine.generate([request])
        for j, rollout in enumerate(rollouts):
            assert rollout.content_hash == encoded.hash_again(request.observed(j))
        if turn < 2:
            said = [(as_image(pixels(5 + turn)),) if turn == j else (Text("3"),) for j in range(2)]
            segments = encoder.observe([Observation((pieces,), "tests", ended=False) for pieces in said])
            rollouts = tuple(
                replace(one, segments=(*one.segments, segment), finish_reason="unfinished")
                for one, segment in zip(rollouts, segments, strict=True)
            )
    (mine,) = TorchPolicy(here.loaded, PolicySettings()).logprobs([read_rollouts(encoded, rollouts)], 1.0)
    assert [len(rollout.images) for rollout in rollouts] == [1, 1]
    for rollout, values in zip(rollouts, mine, strict=True):
        assert rollout.sampler_logprobs == pytest.approx(values, abs=1e-4)


@one_architecture
def test_a_response_goes_on_within_a_call_once_it_is_longer_while_others_wait(here):
    """Greedy, an image behind the first turn; second responses come back when nothing else is written."""
    encoder, problems = Encoder(here.loaded, BUDGET), [ask(pixels(1), "red?"), ask("3+4=?")]
    encoded, greedy = encoder(problems), Sampling(max_tokens=100, temperature=0.0)
    asked = [Request(one, 2, greedy, n, new_tokens=4) for n, one in enumerate(encoded)]

    def behind(rollout):
        pieces = (Text("3"),) if rollout.num_observations else (as_image(pixels(9)),)
        (segment,) = encoder.observe([Observation((pieces,), "tests", ended=False)])
        return replace(rollout, segments=(*rollout.segments, segment), finish_reason="unfinished")

    class Turns:
        def __init__(self):
            self.ready, self.held, self.order = [], [], []

        def ended(self, request, index, rollout):
            self.order.append((request, index))
            if rollout.num_observations < 2:
                (self.held if index else self.ready).append((request, index, behind(rollout)))

        def longer(self, wait):
            found, self.ready = self.ready or (self.held if wait else []), []
            self.held = [one for one in self.held if one not in found]
            return found

    turns = Turns()
    together = here.engine.generate_turns(asked, turns)
    assert [turns.order.count((r, i)) for r in range(2) for i in range(2)] == [3] * 4
    assert max(n for n, one in enumerate(turns.order) if one[1] == 0) < turns.order.index((0, 1), 4)
    rollouts = here.engine.generate(asked)
    for _ in range(2):
        longer = [tuple(map(behind, of_request)) for of_request in rollouts]
        rollouts = here.engine.generate([replace(a, resume_from=b) for a, b in zip(asked, longer, strict=True)])
    assert furthest(together, rollouts) < 1e-4
    assert [[r.content_hash for r in some] for some in together] == [
        [r.content_hash for r in some] for some in rollouts
    ]


def test_requests_of_several_temperatures_share_a_call(here):
    one = here.encoded[1]
    mixed = [Request(one, 3, Sampling(temperature=t, max_tokens=8), 4) for t in (0.5, 0.0, 1.5, 1.0)]
    alone = [here.engine.generate([request])[0] for request in mixed]
    for a, b in zip(here.engine.generate(mixed), alone, strict=True):
        for x, y in zip(a, b, strict=True):
            assert x.token_ids == y.token_ids
            assert x.sampler_logprobs == pytest.approx(y.sampler_logprobs, abs=1e-5)


def test_k_samples_differ_come_again_and_depend_on_the_seed(here):
    first, again, other = (here.engine.generate(requests(here.encoded[:2], 6, seed=s)) for s in (0, 0, 9))
    assert first == again
    for a, b in zip(first, other, strict=True):
        tokens = {r.token_ids for r in a}
        assert len(tokens) > 4
        assert not tokens & {r.token_ids for r in b}


def test_k_samples_read_their_prompt_once(here):
    long = encode(here.loaded, ask(pixels(5, 64, 48), "red green blue left right " * 3))
    blocks = long[0].num_tokens // SMALL.block_tokens
    assert blocks >= 1
    before = here.engine.prompt_tokens_reused
    here.engine.generate(requests(long, 5))
    assert here.engine.prompt_tokens_reused - before == 4 * blocks * SMALL.block_tokens


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_placeholders_are_never_sampled_even_where_they_are_most_likely(here, temperature):
    loud = fresh(here.folder)
    ids = list(here.loaded.placeholder_ids)
    (text,) = encode(here.loaded, ask("red"))
    with torch.no_grad():
        head = loud.model.lm_head.weight  # tied: the embedding too
        plain = loud.model.model(input_ids=torch.tensor([text.token_ids])).last_hidden_state[0, -1]
        head[ids] = 10 * plain
        logits = loud.model(input_ids=torch.tensor([text.token_ids])).logits[0, -1]
    assert int(logits.argmax()) in ids
    here.engine.load_weights(loud.model.named_parameters(), 1)
    try:
        (found,) = here.engine.generate(requests([text], 20, temperature=temperature))
    finally:
        here.engine.load_weights(here.loaded.model.named_parameters(), 2)
    assert not {t for r in found for t in r.token_ids} & set(ids)


def test_a_prompt_whose_placeholders_do_not_fit_its_images_is_refused(here):
    one, text = here.encoded[1], here.encoded[0]
    with pytest.raises(EngineError, match="placeholder tokens"):
        here.engine.generate(requests([replace(one, images=one.images * 2)], 1))
    with pytest.raises(EngineError, match="placeholder tokens"):
        here.engine.generate(requests([replace(text, images=one.images)], 1))


def test_weights_that_do_not_fit_are_refused_and_change_nothing(here):
    asked = requests(here.encoded[:2], 1, temperature=0.0)
    before = here.engine.generate(asked)
    weights = list(here.loaded.model.named_parameters())
    for given, said in (
        ([("model.nothing", torch.zeros(1)), *weights], "no parameter 'model.nothing'"),
        ([(weights[0][0], torch.zeros(2)), *weights[1:]], "shape"),
        (weights[1:], "1 parameters are missing"),
    ):
        with pytest.raises(EngineError, match=said):
            here.engine.load_weights(given, 99)
    assert here.engine.generate(asked) == before


def test_the_trainer_keeps_its_threads_and_its_random_numbers(folders, here):
    assert torch.is_grad_enabled()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)


@one_architecture
def test_a_failed_engine_is_replaced_and_the_call_is_redone(here, monkeypatch):
    """Whatever it fails with: the kinds of errors are tried below, where no engine has to start."""
    asked = requests(here.encoded[:2], 2)
    before, count = here.engine.generate(asked), here.engine.restarted

    def fail():
        raise AssertionError("the engine broke")

    monkeypatch.setattr(here.engine._engine, "step", fail)
    assert here.engine.generate(asked) == before
    assert here.engine.restarted == count + 1
    monkeypatch.setattr(here.engine._engine, "step", fail)
    monkeypatch.setattr(here.engine, "_settings", SMALL.model_copy(update={"restarts": 0}))
    with pytest.raises(EngineFailedError, match="the engine broke"):
        here.engine.generate(asked)
    assert here.engine.pop_metrics()["colocated/restarts"] == count + 1


def test_a_permission_to_leave_early_is_refused_and_slots_are_counted(here):
    asked = requests(here.encoded[:2], 2)
    with pytest.raises(EngineError, match=r"request 0, early_exit_below: 0.8: vLLM leaves no response early"):
        here.engine.generate([replace(request, early_exit_below=0.8) for request in asked])
    here.engine.pop_metrics()
    here.engine.generate(asked)
    assert 0 < here.engine.pop_metrics()["rollout/slot_utilisation"] <= 1


@one_architecture
def test_an_engine_that_restarts_instead_of_sleeping_is_gone_meanwhile_and_writes_the_same_again(here, monkeypatch):
    asked = requests(here.encoded[:2], 2)
    before = here.engine.generate(asked)
    monkeypatch.setattr(here.engine, "_settings", SMALL.model_copy(update={"sleep": "restart"}))
    here.engine.sleep()
    assert here.engine._engine is None
    torch.distributed.all_reduce(torch.ones(1))  # the trainer's process group, by which DeepSpeed and FSDP work
    with pytest.raises(EngineError, match="the engine sleeps"):
        here.engine.generate(asked)
    here.engine.wake()
    assert here.engine.generate(asked) == before


@pytest.mark.skipif(not STATM.is_file(), reason="/proc tells memory on Linux only")
@one_architecture
def test_a_restarting_engine_leaves_no_more_memory_behind_than_there_was(here, monkeypatch):
    """Its keys and values alone take 512 MiB while it is awake; the first round pays for what is loaded but once."""
    settings = SMALL.model_copy(update={"sleep": "restart", "cache_gib": 0.5})
    monkeypatch.setattr(here.engine, "_settings", settings)
    colocated = ColocatedEngine(here.engine, torch.device("cpu"))
    for _ in range(3):
        colocated.to_rollout(here.loaded.model.named_parameters, 1)
        here.engine.generate(requests(here.encoded[:2], 2))
        colocated.to_training()
        found = colocated.pop_metrics()
    print({key: round(value, 3) for key, value in found.items()})
    assert found["colocated/memory_rollout_gib"] - found["colocated/memory_training_gib"] > 0.4
    assert found["colocated/memory_after_gib"] <= found["colocated/memory_training_gib"] + 0.05


@pytest.mark.vllm
@pytest.mark.slow
def test_a_whole_run_with_two_phases_on_one_device(tmp_path, library, monkeypatch):
    library("vllm")
    domains = ("arithmetic", "clock")
    recipe = {"sources": [{"name": name, "kind": "domain", "domain": name} for name in domains]}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    config = {
        "name": "vllm",
        "run_folder": str(tmp_path / "run"),
        "data": str(tmp_path / "recipe.yaml"),
        "stages": ["sft", "rl", "eval"],
        "model": {"build": "tiny-qwen3-vl", "device": "cpu", "context": 512},
        "engine": {"name": "vllm", "max_num_seqs": 32, "max_num_batched_tokens": 512, "cache_gib": 0.06},
        "sft": {"demonstrations": 8, "steps": 1, "batch": 4},
        "rl": {"steps": 3, "problems_per_step": 4, "rollouts_per_problem": 2, "sampling": {"max_tokens": 8}},
        "eval": {"problems": 2, "curve_problems": 2, "sampling": {"max_tokens": 8}},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    folder = start_run(tmp_path / "config.yaml", [])
    steps = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in steps if line["phase"] == "rl"]
    assert len(steps) == 3
    for line in steps:
        assert line["colocated/to_rollout_seconds"] > 0
        assert line["colocated/to_training_seconds"] >= 0
        assert line["colocated/restarts"] == 0
    assert (folder / "model" / "config.json").is_file()


def test_without_vllm_the_engine_is_refused_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"'vllm' is not installed[\s\S]*scripts/setup vllm"):
        require_engine(VllmEngineSettings())


@pytest.mark.parametrize("ranks", [1, 3])
def test_an_engine_over_two_ranks_is_refused_where_their_number_is_no_multiple(ranks):
    said = r"engine.tensor_parallel_size: is 2: [\s\S]*there (is 1|are 3)[\s\S]*torchrun[\s\S]*gpus_per_actor: 1"
    with pytest.raises(ConfigError, match=said):
        VllmEngineSettings(tensor_parallel_size=2).check_ranks(ranks)
    VllmEngineSettings(tensor_parallel_size=2).check_ranks(4)
    with pytest.raises(ConfigError, match=said.replace("|are 3", "")):
        RayPoolSettings(engine={"name": "vllm", "tensor_parallel_size": 2}).check_ranks(4)


def a_model(name="qwen3_vl", device="cpu", head_dim=32, context=64):
    text = SimpleNamespace(head_dim=head_dim, num_hidden_layers=28, num_key_value_heads=8, num_attention_heads=16)
    text.hidden_size = 512
    config = SimpleNamespace(model_type=name, get_text_config=lambda: text)
    weights = [torch.zeros(2**20, dtype=torch.bfloat16)]  # 2 MiB
    model = SimpleNamespace(config=config, dtype=torch.bfloat16, parameters=lambda: weights)
    return LoadedModel(model, None, (), (), context, torch.device(device))


@pytest.mark.parametrize(
    ("loaded", "settings", "said"),
    [
        (a_model("smolvlm"), {}, "does not take the images of smolvlm"),
        (a_model(), {"sleep": "release"}, "'release' needs CUDA"),
        (a_model(head_dim=16), {}, "heads of 16"),
        # 28 layers × 8 heads × 32 numbers × 2 bytes, keys and values: 28 KiB a token; 33 blocks of 32 tokens: 28.9 MiB
        (
            a_model(context=1024),
            {"cache_gib": 0.028},
            r"engine.cache_gib: [\s\S]*of 1,024 tokens[\s\S]*cache_gib: 0.029 ",
        ),
        (a_model(context=40_000), {}, r"engine.cache_gib: leaves 1 GiB [\s\S]*40,000 tokens takes 1.07 GiB"),
        (a_model(device="cuda", context=4096), {"memory_share": 0.25}, r"engine.memory_share: leaves 0.0605 GiB"),
    ],
)
def test_a_model_or_a_device_that_does_not_fit_is_refused_before_anything_starts(monkeypatch, loaded, settings, said):
    monkeypatch.setattr("vlrl.rollout.vllm.vllm_engine.require_engine", lambda settings: None)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (0, 2**28))
    with pytest.raises(ConfigError, match=said):
        VllmEngineSettings(**settings).open(loaded)


@pytest.mark.vllm
@pytest.mark.slow
def test_the_smallest_cache_that_is_taken_holds_a_response_of_the_whole_context(folders, library):
    library("vllm")
    loaded = replace(fresh(folders["tiny-qwen3-vl"]), stop_ids=())
    needed = needed_bytes(loaded.config, loaded.context, loaded.model.dtype, SMALL.block_tokens)
    with pytest.raises(ConfigError, match=r"engine.cache_gib"):
        VllmEngine(loaded, SMALL.model_copy(update={"cache_gib": (needed - 1) / 2**30}))
    engine = VllmEngine(loaded, SMALL.model_copy(update={"cache_gib": needed / 2**30}))
    try:
        (one,) = encode(loaded, ask("red"))
        room = loaded.context - one.num_tokens
        (found,) = engine.generate([Request(one, 2, Sampling(max_tokens=room), 0)])
    finally:
        engine.close()
    assert [r.num_tokens for r in found] == [room, room]


def test_the_settings_travel_to_another_process():
    settings = VllmEngineSettings(max_num_seqs=7, sleep="restart")
    assert pickle.loads(pickle.dumps(settings)) == settings


class Fragile:
    """An engine of vLLM's that does nothing, or fails at it."""

    def __init__(self, fails: BaseException | None = None) -> None:
        self._fails = fails

    def wake_up(self):
        if self._fails is not None:
            raise self._fails

    def sleep(self, level):
        """Nothing to free."""

    def has_unfinished_requests(self):
        return False


@pytest.fixture
def fragile(monkeypatch):
    """Opens a VllmEngine whose first start, refresh or wake-up fails with an error, without vLLM; and the count of its
    starts and ends.
    """
    counts = SimpleNamespace(started=0, stopped=0)
    exceptions = SimpleNamespace(EngineDeadError=ArithmeticError, EngineGenerateError=BufferError)
    for name in ("vllm", "vllm.v1", "vllm.v1.engine"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace())
    monkeypatch.setitem(sys.modules, "vllm.v1.engine.exceptions", exceptions)
    monkeypatch.setattr("vlrl.rollout.vllm.vllm_engine.require_engine", lambda settings: None)
    monkeypatch.setattr("vlrl.rollout.vllm.vllm_engine.PromptReader", lambda *_: None)
    monkeypatch.setattr(vllm_library, "describe_model", lambda loaded, folder: None)
    monkeypatch.setattr(vllm_library, "stop", lambda engine: setattr(counts, "stopped", counts.stopped + 1))

    def opened(folder, restarts=1, starts=None, refreshes=None, wakes=None):
        failures = {"start": starts, "refresh": refreshes, "wake": wakes}

        def start(*_, **__):
            counts.started += 1
            if (error := failures.pop("start", None)) is not None:
                raise error
            return Fragile(failures.pop("wake", None))

        def load(engine, weights):
            if (error := failures.pop("refresh", None)) is not None:
                raise error

        monkeypatch.setattr(vllm_library, "start", start)
        monkeypatch.setattr(vllm_library, "load_weights", load)
        loaded = fresh(folder)
        settings = SMALL.model_copy(update={"restarts": restarts})
        engine = VllmEngine(loaded, settings)
        return engine, list(loaded.model.named_parameters())

    return opened, counts


@pytest.mark.parametrize("error", [RuntimeError, ValueError, AssertionError, ArithmeticError])
@pytest.mark.parametrize("restarts", [0, 1])
def test_an_engine_that_fails_at_its_start_a_refresh_or_waking_up_is_replaced(folders, fragile, error, restarts):
    opened, counts = fragile
    folder = folders["tiny-qwen3-vl"]
    engine, weights = opened(folder, restarts, starts=error("no start"))
    if restarts == 0:
        with pytest.raises(EngineFailedError, match=f"{error.__name__}: no start"):
            engine.load_weights(weights, 1)
        return
    engine.load_weights(weights, 1)
    assert (engine.restarted, counts.started, counts.stopped) == (1, 2, 0)
    engine, weights = opened(folder, refreshes=error("no refresh"))
    engine.load_weights(weights, 1)  # starts with them
    engine.load_weights(weights, 2)
    assert (engine.restarted, counts.started, counts.stopped) == (1, 4, 1)
    engine, weights = opened(folder, wakes=error("no waking up"))
    engine.load_weights(weights, 1)
    engine._settings = engine._settings.model_copy(update={"sleep": "release"})
    engine.sleep()
    engine.wake()
    engine.load_weights(weights, 2)
    assert (engine.restarted, counts.started, counts.stopped) == (1, 6, 2)


@pytest.mark.parametrize("error", [EngineError("a place", "a refusal"), KeyboardInterrupt()])
def test_a_refusal_or_an_interruption_is_no_failure_of_the_engine(folders, fragile, error):
    opened, counts = fragile
    engine, weights = opened(folders["tiny-qwen3-vl"], starts=error)
    with pytest.raises(type(error)):
        engine.load_weights(weights, 1)
    assert (engine.restarted, counts.started) == (0, 1)


@one_architecture
def test_a_start_that_fails_midway_is_made_again(here, monkeypatch):
    here.engine.wake()
    asked = requests(here.encoded[:2], 2)
    before, count = here.engine.generate(asked), here.engine.restarted
    here.engine._end()
    failures, named = [RuntimeError("a bad start")], here.engine._named

    class Broken(list):
        def __iter__(self):
            raise failures.pop()

    monkeypatch.setattr(here.engine, "_named", lambda: Broken(named()) if failures else named())
    here.engine.load_weights(here.loaded.model.named_parameters(), 7)
    assert here.engine.restarted == count + 1
    assert [[r.token_ids for r in g] for g in here.engine.generate(asked)] == [[r.token_ids for r in g] for g in before]


def adapted(loaded):
    """A policy with adapters that change every answer, and a call of its weights that tells which copies live on."""
    policy = TorchPolicy(loaded, PolicySettings(lora=LoraSettings(rank=2)))
    with torch.no_grad():
        for name, parameter in loaded.model.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.3, generator=torch.Generator().manual_seed(2))
    copies = []

    def weights():
        own = {parameter.data_ptr() for parameter in loaded.model.parameters()}
        for name, tensor in policy.weights():
            if tensor.data_ptr() not in own:
                copies.append(weakref.ref(tensor))
            yield name, tensor

    return policy, weights, lambda: sum(ref() is not None for ref in copies), copies


def test_no_copy_of_weights_with_adapters_added_in_is_kept_and_a_new_engine_gets_them_anew(
    folders, fragile, monkeypatch, library
):
    library("peft")
    opened, _ = fragile
    engine, _ = opened(folders["tiny-qwen3-vl"])
    policy, weights, alive, copies = adapted(engine._loaded)
    handed = []
    monkeypatch.setattr(vllm_library, "start", lambda _, __, given, **___: handed.append(sums(given)) or Fragile())
    engine.load_weights(weights(), 1)
    gc.collect()
    assert copies
    assert alive() == 0
    engine._settings = engine._settings.model_copy(update={"sleep": "restart"})
    engine.sleep()
    engine.wake()
    engine._ready()
    assert handed[0] == handed[1]
    assert {name: handed[0][name] for name in dict(policy.weights())} == sums(policy.weights())


def sums(weights):
    return {name: float(tensor.detach().double().sum()) for name, tensor in weights}


@pytest.mark.vllm
@pytest.mark.slow
def test_vllm_keeps_no_copy_of_weights_with_adapters_added_in_either(folders, library):
    library("vllm")
    library("peft")
    loaded = fresh(folders["tiny-qwen3-vl"])
    engine = VllmEngine(loaded, SMALL.model_copy(update={"sleep": "restart"}))
    asked = requests(encode(loaded, ask("red"), ask(pixels(1), "How many?")), 1, temperature=0.0)
    try:
        policy, weights, alive, copies = adapted(loaded)
        engine.load_weights(weights(), 1)  # starts with them
        started = engine.generate(asked)
        engine.load_weights(weights(), 2)  # takes them in place
        gc.collect()
        assert copies
        assert alive() == 0
        refreshed = engine.generate(asked)
        engine.sleep()
        engine.wake()
        again = engine.generate(asked)
    finally:
        engine.close()
    assert furthest(refreshed, started) < 1e-4
    assert furthest(again, refreshed) < 1e-4
    assert furthest(again, TransformersEngine(loaded).generate(asked)) < 1e-3
    policy.close()
