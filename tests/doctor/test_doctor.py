"""`vlrl doctor` finds planted traps of a host and of a config, and works where torch can't be imported."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from vlrl.doctor import devices, machine, media, of_config, packages, surroundings
from vlrl.doctor.examine import line_of
from vlrl.doctor.finding import problem
from vlrl.errors import DataError
from vlrl.training.run_settings import RunSettings


def levels(found):
    return {one.name: one.level for one in found}


def with_versions(monkeypatch, versions, requires):
    """Installed packages as a host may have them."""

    def version(name):
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(packages.metadata, "version", version)
    monkeypatch.setattr(packages.metadata, "requires", lambda name: requires.get(name, []))


def test_a_package_that_is_missing_or_too_old_is_a_problem_with_the_command_that_mends_it(monkeypatch):
    requires = {"vlrl": ["torch>=2.9", "transformers<6,>=5.18", "rich>=13", 'ray>=2.50; extra == "ray"']}
    with_versions(monkeypatch, {"vlrl": "0.1", "torch": "2.8.0", "rich": "15.0"}, requires)
    found = {one.name: one for one in packages.check_requirements()}
    assert levels(found.values()) == {"torch": "problem", "transformers": "problem"}
    assert "is 2.8.0; vlrl needs torch>=2.9" in found["torch"].said
    assert found["transformers"].remedy.startswith("pip install 'transformers")
    with_versions(monkeypatch, {"vlrl": "0.1", "torch": "2.13.0+cpu", "rich": "15", "transformers": "5.18"}, requires)
    assert levels(packages.check_requirements()) == {"requirements": "ok"}


def test_pairs_that_do_not_go_together_are_named(monkeypatch):
    requires = {"torchvision": ["torch==2.9.0"], "vllm": ["torch==2.11.0", "transformers>=5"], "peft": ["torch>=1.13"]}
    versions = {"torch": "2.13.0", "transformers": "5.18", "torchvision": "0.24", "vllm": "0.33", "peft": "0.21"}
    with_versions(monkeypatch, versions, requires)
    found = {one.name: one for one in packages.check_pairs()}
    assert levels(found.values()) == {"torchvision": "problem", "vllm": "note", "peft": "ok"}
    assert "asks for torch==2.11.0, there is 2.13.0" in found["vllm"].said
    assert "pip uninstall torchvision" in found["torchvision"].remedy


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """`modules(torch="raise …")`: importable modules of that code for this process and those that it starts."""

    def make(**codes: str) -> Path:
        for name, code in codes.items():
            (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
        return tmp_path

    return make


def test_a_library_that_cannot_be_loaded_is_named_with_its_reason(modules):
    modules(
        broken_operator="raise RuntimeError('operator torchvision::nms does not exist')",
        wrong_cpu="import os, signal; os.kill(os.getpid(), signal.SIGILL)",
        hangs="import time; time.sleep(60)",
        fine="",
    )
    found = list(packages.check_imports(("broken_operator", "wrong_cpu", "fine", "not_there"), 20))
    assert [one.level for one in found] == ["problem", "note", "ok"]
    assert "torchvision::nms" in found[0].said
    assert "pip uninstall torchvision" in found[0].remedy
    assert "ended by signal 4" in found[1].said
    assert "took more than" in (packages.import_failure("hangs", 0.2) or "")


def test_the_doctor_works_where_torch_cannot_be_imported(modules, tmp_path):
    place = modules(torch="raise OSError('libcudart.so.12: cannot open shared object file')")
    code = (
        "import sys\n"
        "from vlrl.doctor import examine, packages\n"
        "examine.check_imports = lambda: packages.check_imports(('torch',))\n"
        "from vlrl.cli import main\n"
        "sys.argv = ['vlrl', 'doctor', '--json']\n"
        "main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.environ["PYTHONPATH"] + os.pathsep + str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    found = {one["name"]: one for one in said["findings"]}
    assert said["problems"] == sum(one["level"] == "problem" for one in said["findings"]) >= 1
    assert "libcudart.so.12" in found["import torch"]["said"]
    assert found["import torch"]["remedy"]
    assert {"instructions", "threads", "images", "fonts", "open files", "run folder"} <= found.keys()


def test_instructions_that_are_missing_or_forbidden_are_noted(tmp_path, monkeypatch):
    for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu avx2 avx512f\n")
    assert machine.check_instructions(tmp_path / "cpuinfo").level == "ok"
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert "unset ATEN_CPU_CAPABILITY" in machine.check_instructions(tmp_path / "cpuinfo").remedy


def test_threads_are_compared_with_what_the_control_group_grants(tmp_path, monkeypatch):
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert machine.allowed_cores(tmp_path) == 0.5
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    found = machine.check_threads(None, 2.0)
    assert (found.level, found.remedy) == ("note", "threads: 2 in the config, or OMP_NUM_THREADS")
    assert machine.check_threads(2, 2.0).level == "ok"
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert machine.check_threads(None, 2.0).level == "problem"


def test_little_memory_is_a_problem(tmp_path):
    (tmp_path / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable: {8 * 2**20} kB\n")
    assert machine.check_memory(tmp_path, tmp_path / "meminfo").level == "ok"
    (tmp_path / "memory.max").write_text(str(2**30))
    (tmp_path / "memory.current").write_text(str(2**29))
    assert machine.check_memory(tmp_path, tmp_path / "meminfo").level == "problem"


def test_folders_that_cannot_be_made_or_written_are_problems(tmp_path):
    (tmp_path / "file").write_text("")
    found = levels(
        machine.check_folders({"here": tmp_path / "new" / "runs", "under a file": tmp_path / "file" / "runs"}, 0.0)
    )
    assert found == {"here": "ok", "under a file": "problem"}
    assert not (tmp_path / "new").exists()
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
    assert levels(machine.check_folders({"proc": Path("/proc/vlrl")}, 0.0)) == {"proc": "problem"}


@pytest.mark.parametrize(
    ("torch", "driver", "level"),
    [
        ({"built": None, "devices": [], "error": None}, None, "ok"),
        ({"built": None, "devices": [], "error": None}, "550.54", "note"),
        ({"built": "12.9", "devices": [], "error": None}, "470.82", "problem"),
        ({"built": "12.9", "devices": [], "error": "no kernel image is available"}, "550.54", "problem"),
        ({"built": "12.9", "devices": [["H200", 2**37, "9.0"]], "error": None}, "550.54", "ok"),
    ],
)
def test_torch_is_held_against_the_driver(torch, driver, level):
    *_, found = devices.check_cuda({"cpu": "AVX2", "threads": 2, **torch}, driver)
    assert found.level == level
    assert found.remedy or level == "ok"


def test_a_driver_is_read_from_its_version_file(tmp_path):
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar 5\n")
    assert devices.driver_version(tmp_path / "version") == "550.54.15"
    assert devices.driver_version(tmp_path / "none") is None


def test_image_formats_that_pillow_lacks_are_named(monkeypatch):
    from PIL import features

    monkeypatch.setattr(features, "check", lambda name: name not in ("avif", "raqm"))
    found = {one.name: one for one in media.check_images()}
    assert levels(found.values()) == {"images": "note", "shaping": "note"}
    assert "AVIF" in found["images"].said
    monkeypatch.setattr(features, "check", lambda name: name != "jpg")
    assert levels(media.check_images())["images"] == "problem"


def test_environment_variables_that_name_nothing_are_problems(monkeypatch, tmp_path):
    monkeypatch.setenv("VLRL_DATA", str(tmp_path))
    monkeypatch.setenv("VLRL_TRAIN", str(tmp_path / "none.jsonl"))
    assert levels(surroundings.check_data()) == {"VLRL_DATA": "ok", "VLRL_TRAIN": "problem"}
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert surroundings.check_hub().level == "note"


def test_a_tracker_that_nobody_is_logged_in_to_is_a_problem_only_where_it_is_asked_for(monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(surroundings, "find_spec", lambda name: True)
    assert levels(surroundings.check_trackers("wandb")) == {"wandb": "problem"}
    assert levels(surroundings.check_trackers("none")) == {"wandb": "note"}
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password x\n")
    assert levels(surroundings.check_trackers("wandb")) == {"wandb": "ok"}


@pytest.fixture
def config(tmp_path):
    sums = {"name": "sums", "kind": "domain", "domain": "arithmetic"}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"sources": [sums]}))
    values = {"name": "x", "data": str(tmp_path / "recipe.yaml"), "model": {"build": "tiny-qwen3-vl"}, "stages": ["rl"]}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "run.yaml"


def test_a_mistake_in_a_config_is_a_finding_with_its_place(config):
    assert levels(of_config.check_config(config, [], False)) == {"settings": "ok", "recipe": "ok", "golds": "ok"}
    *_, found = of_config.check_config(config, ["rl.stpes=3"], False)
    assert (found.level, found.remedy) == ("problem", "did you mean 'steps'?")
    *_, found = of_config.check_config(config, ["data=none.yaml"], False)
    assert found.level == "problem"
    assert "relative one starts at" in found.remedy


def test_a_model_folder_is_opened_as_a_run_opens_it(config, model_folders, tmp_path):
    whole = tmp_path / "whole"
    shutil.copytree(model_folders["tiny-qwen3-vl"], whole)
    given = ["model.build=null", f"model.path={whole}"]
    found = {one.name: one for one in of_config.check_config(config, given, False)}
    assert levels(found.values()) == {"settings": "ok", "recipe": "ok", "model": "ok", "golds": "ok"}
    assert "Qwen3VL" in found["model"].said
    values = json.loads((whole / "config.json").read_text())
    values["text_config"]["num_hidden_layers"] += 1
    (whole / "config.json").write_text(json.dumps(values))
    *_, found = of_config.check_config(config, given, False)
    assert (found.name, found.level) == ("model.path", "problem")
    assert "missing from the files" in found.said


def test_a_missing_torchvision_is_a_note_that_says_what_goes_without_it(monkeypatch):
    monkeypatch.setattr(media, "find_spec", lambda name: None)
    assert media.check_processors().level == "note"
    monkeypatch.setattr(media, "find_spec", lambda name: True)
    assert media.check_processors().level == "ok"


def test_golds_that_cannot_be_earned_are_named(config, monkeypatch):
    rows = [{"question": f"{i}?", "answer": "3" if i % 2 else "a green one"} for i in range(40)]
    (config.parent / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    own = {"name": "own", "kind": "file", "path": "rows.jsonl", "modality": "text", "verifier": "number"}
    (config.parent / "recipe.yaml").write_text(yaml.safe_dump({"sources": [own]}))
    *_, found = of_config.check_config(config, [], False)
    assert found.level == "problem"
    assert found.remedy


def test_one_tiny_step_is_made_of_any_run(config):
    for stages in (["sft", "rl", "eval"], ["sft"], ["eval"]):
        given = [f"stages=[{', '.join(stages)}]"]
        settings = of_config.tiny(RunSettings(name="x", data="d", model={"build": "tiny-qwen3-vl"}, stages=stages))
        from vlrl.config import load_settings

        assert len(load_settings(RunSettings, config, [*given, *settings]).stages) == 1


@pytest.mark.slow
def test_a_step_that_fails_is_a_problem_with_the_message_of_the_run(config):
    settings = RunSettings(name="x", data=str(config.parent / "recipe.yaml"), model={"build": "tiny-qwen3-vl"})
    *_, found = of_config._one_step(config, ["model.context=16"], settings, "transformers", ())
    assert found.level == "problem"
    assert "16" in found.said
    assert found.remedy


def test_a_finding_is_printed_with_its_remedy_on_a_line_of_its_own():
    error = DataError("rows.jsonl, line 3", "[/b] is no number", "write one")
    said = line_of(problem(error.place, error.problem, error.remedy))
    assert said == "problem  rows.jsonl, line 3: [/b] is no number\n           → write one"
