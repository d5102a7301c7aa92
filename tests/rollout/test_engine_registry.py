"""What an engine must declare, and what is said of one that does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vlrl.errors import ConfigError
from vlrl.registry import load_plugin
from vlrl.rollout.engine_registry import EngineSettings, engines, opened, require_engine

WHOLE = """
from vlrl.rollout.engine_registry import EngineCapabilities, EngineMemory, EngineSettings, engines

@engines.register("mine")
class Mine({base}):
    max_num_seqs: int = 4
    max_num_batched_tokens: int = 64

    def check(self, config, device, context, dtype):
        pass

    def memory(self, load):
        return EngineMemory({{}}, {{}}, {{}})

    def open(self, loaded):
        return object()
"""


@pytest.fixture(autouse=True)
def nothing_stays_registered() -> Iterator[None]:
    with engines.temporarily():
        yield


def load(tmp_path, text):
    file = tmp_path / "engine.py"
    file.write_text(text)
    load_plugin(file)


@pytest.mark.parametrize(
    ("taken", "lacking"),
    [
        ("    def memory(self, load):\n        return EngineMemory({}, {}, {})\n", "memory"),
        ("max_num_seqs: int = 4", ""),
    ],
)
def test_a_plugins_engine_without_a_part_of_the_contract_is_refused_by_name(tmp_path, taken, lacking):
    whole = WHOLE.format(base="EngineSettings")
    assert taken in whole
    with pytest.raises(ConfigError, match=rf"engine 'mine': Mine has no {lacking or 'max_num_seqs'}[\s\S]*engines\.md"):
        load(tmp_path, whole.replace(taken, "pass" if not lacking else ""))
    assert "mine" not in engines


def test_a_class_that_is_no_engine_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"engine 'mine': is no subclass of vlrl\..*EngineSettings"):
        load(tmp_path, WHOLE.format(base="object"))


def test_what_opens_must_have_every_method_of_the_protocol(tmp_path):
    load(tmp_path, WHOLE.format(base="EngineSettings"))
    made = engines.build("mine")
    require_engine(made)
    with pytest.raises(ConfigError, match=r"engine 'mine': its object has no generate, load_weights, sleep, wake, cl"):
        opened(made, None)


def test_a_plugins_engine_is_refused_inside_of_a_pool(tmp_path):
    load(tmp_path, WHOLE.format(base="EngineSettings"))
    with pytest.raises(ConfigError, match=r"engine\.engine: Mine is defined in a plugin file[\s\S]*installed package"):
        engines.build({"name": "ray", "engine": "mine"})


def test_every_registered_engine_declares_itself():
    for name in engines:
        made = engines.build(name)
        assert isinstance(made, EngineSettings)
        assert engines.name_of(made) == name
        assert made.capabilities.library is None or made.capabilities.remedy
    assert engines.build({"name": "ray", "engine": "vllm"}).capabilities.early_exit is False
    assert engines.build("ray").capabilities.early_exit is True


def test_an_inner_engines_library_is_asked_for_at_its_place(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "vllm" else name)
    with pytest.raises(ConfigError, match=r"engine\.engine: 'vllm' is not installed"):
        require_engine(engines.build({"name": "ray", "engine": "vllm"}))
