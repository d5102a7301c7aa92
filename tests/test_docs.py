"""What the documents say can be done: their code runs, their recipes load, their links lead somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from PIL import Image as PillowImage

from vlrl.config import build_settings
from vlrl.data.benchmarks.benchmark_definition import benchmarks
from vlrl.data.benchmarks.benchmark_rows import read_benchmark
from vlrl.data.evaluation_sets import is_evaluation_set
from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.mixture import Mixture
from vlrl.data.recipe import load_recipe
from vlrl.evaluation.official import has_published_rule
from vlrl.experiments.ablation.ablation_arms import check_arms
from vlrl.experiments.ablation.ablation_settings import AblationSettings
from vlrl.experiments.pipeline.pipeline import PipelineSettings, check_link
from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.loss_registry import losses
from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.collector import collect
from vlrl.rollout.engine import Sampling
from vlrl.rollout.engine_registry import engines, opened
from vlrl.rollout.environments.environment import environments
from vlrl.scenes.domain import domains
from vlrl.types import Problem, Rollout, Segment, Text
from vlrl.verify.judge import judge, verifiers

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture(autouse=True)
def registries_as_they_were(temporarily) -> None:
    for registry in (domains, verifiers, losses):
        temporarily(registry)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_inside_the_checkout_lead_somewhere(page: Path):
    text = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))  # what is code is no link
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize(("line", "verifier"), [(0, "number"), (1, "text"), (2, "choice")])
def test_rows_of_own_data_become_problems_whose_answers_are_right(line: int, verifier: str, tmp_path: Path):
    row = json.loads(blocks("docs/own_data.md", "json")[0].splitlines()[line])
    for i, name in enumerate(row["images"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        PillowImage.new("RGB", (40, 40), (40 * i, 90, 200)).save(tmp_path / name)
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n")
    source = f"{{name: mine, kind: file, path: train.jsonl, modality: real, verifier: {verifier}, held_out: 0}}"
    (tmp_path / "recipe.yaml").write_text(f"sources: [{source}]\n")
    problem = Mixture(load_recipe(tmp_path / "recipe.yaml"), seed=0).draw(1)[0]
    assert len(problem.images) == len(row["images"])
    assert judge(problem, f"<answer>{row['answer']}</answer>").correct


def test_the_recipe_of_own_data_mixes_files_with_generated_problems(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    rows = []
    for i in range(40):
        PillowImage.new("RGB", (60, 60), (i, 2 * i, 3 * i)).save(tmp_path / "mine" / f"{i}.png")
        rows.append(json.dumps({"question": "How many?", "answer": str(i), "images": [f"{i}.png"]}))
    (tmp_path / "mine" / "train.jsonl").write_text("\n".join(rows) + "\n")
    (tmp_path / "recipe.yaml").write_text(blocks("docs/own_data.md", "yaml")[0])
    drawn = Mixture(load_recipe(tmp_path / "recipe.yaml"), seed=1).draw(20)
    counted = {name: sum(p.source == name for p in drawn) for name in ("cells", "sums", "drawn_sums")}
    assert counted == {"cells": 12, "sums": 4, "drawn_sums": 4}


def test_the_domain_of_own_domain_draws_problems(tmp_path: Path):
    (tmp_path / "stripes.py").write_text(blocks("docs/own_domain.md", "python")[0])
    (tmp_path / "recipe.yaml").write_text(blocks("docs/own_domain.md", "yaml")[0])
    problems = Mixture(load_recipe(tmp_path / "recipe.yaml"), seed=2).draw(20)
    assert len({p.images[0].digest for p in problems}) == 20
    assert len({p.answer for p in problems}) >= 3
    assert all(judge(p, f"<answer>{p.answer}</answer>").correct for p in problems)


def test_the_verifier_of_contributing_judges():
    code = next(block for block in blocks("CONTRIBUTING.md", "python") if "@verifier" in block)
    exec(code, {})
    problem = Problem((Text("Name an even number."),), "2", "even", "text", "evens")
    assert judge(problem, "<answer>4</answer>").correct
    assert not judge(problem, "<answer>3</answer>").correct
    assert not judge(problem, "").correct


def test_the_engine_of_the_page_on_engines_declares_what_it_must_and_writes(temporarily, qwen3):
    temporarily(engines)
    (code,) = blocks("docs/engines.md", "python")
    exec(code, {"__name__": "vlrl_docs"})
    made = engines.build("mine")
    assert made.capabilities.early_exit is False
    engine = opened(made, qwen3)
    engine.load_weights(qwen3.model.named_parameters(), 3)
    problem = Problem((Text("3+4=?"),), "7", "number", "text", "tests")
    (group,) = collect(Encoder(qwen3, ImageBudget()).encode, engine, [problem], Sampling(max_tokens=4), 2, 0)
    assert [(r.token_ids, r.finish_reason) for r in group.rollouts] == [((qwen3.stop_ids[0],), "stop")] * 2
    assert {s.policy_version for r in group.rollouts for s in r.segments} == {3}


def test_the_environment_of_contributing_asks_with_its_hint_and_judges_the_problem_itself(temporarily):
    temporarily(environments)
    code = next(block for block in blocks("CONTRIBUTING.md", "python") if "@environments" in block)
    exec(code, {"__name__": "vlrl_docs"})
    asked: list[Problem] = []

    def encode(problems):
        asked.extend(problems)
        return [SimpleNamespace(problem_id=problem.id, content_hash=problem.id) for problem in problems]

    class Answers:
        def generate(self, requests):
            segment = Segment((1,), (0.0,), 0)
            return [
                tuple(
                    Rollout((segment,), f"<answer>{n}</answer>", "stop", request.encoded.content_hash) for n in (7, 8)
                )
                for request in requests
            ]

    problem = Problem((Text("3+4=?"),), "7", "number", "text", "tests")
    hinted = environments.build({"name": "hinted", "hint": " Count twice."})
    groups = hinted.roll_out(encode, Answers(), [problem], Sampling(), 2, 0)
    assert [one.question for one in asked] == ["3+4=? Count twice."]
    assert [group.problem for group in groups] == [problem]
    assert [[verdict.correct for verdict in verdicts] for verdicts in hinted.verdicts(groups)] == [[True, False]]


NAMED = re.compile(r"`((?:vlrl|tests|scripts|configs|data_recipes|examples|docs)/[A-Za-z0-9_./-]+)`")
OWN_FILES = {"data_recipes/mine.yaml"}  # that a reader makes


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_are_there(page: Path):
    named = set(NAMED.findall(page.read_text(encoding="utf-8"))) - OWN_FILES
    assert not [name for name in named if not (ROOT / name).exists()]


IN_CODE = re.compile(r"(?<![\w/])(?:[a-z][a-z0-9_]*/)+[a-z0-9_]+\.(?:py|yaml|md)\b")  # absolute paths are of a sandbox
ELSEWHERE = {
    "evaluation/build_query.py",
    "evaluation/evaluate.py",
    "pro/evaluate.py",
    "run_gpt3/utilities.py",
}  # of benchmarks' repositories


def test_files_that_code_names_are_there():
    """Docstrings and comments point to files by their path from the checkout, from vlrl/ or from an area of it."""
    wrong = []
    for file in sorted((ROOT / "vlrl").rglob("*.py")):
        area = ROOT.joinpath(*file.relative_to(ROOT).parts[:2])
        for name in set(IN_CODE.findall(file.read_text(encoding="utf-8"))) - ELSEWHERE:
            if not any((folder / name).exists() for folder in (ROOT, ROOT / "vlrl", area)):
                wrong.append(f"{file.relative_to(ROOT)}: {name}")
    assert not wrong, "\n".join(wrong)


def test_the_benchmark_of_the_page_on_verifiers_reads_a_row(temporarily):
    temporarily(benchmarks)
    code = next(block for block in blocks("docs/verifiers.md", "python") if "@benchmarks" in block)
    exec(code, {"__name__": "vlrl_docs"})
    (row,) = read_benchmark("zoo", [("line 1", {"question": "What does it say?", "gold": "moo", "animal": "cow"})])
    assert (row.problem.answer, row.groups) == ("moo", {"animal": ("cow",)})
    assert has_published_rule("zoo")
    assert is_evaluation_set("data/ZooBench/test.parquet", None)


def test_the_loss_of_contributing_has_the_gradient_it_states():
    code = next(block for block in blocks("CONTRIBUTING.md", "python") if "@losses" in block)
    exec(code, {"__name__": "vlrl_docs"})
    logprobs = torch.tensor([-1.0, -2.0, -0.5], requires_grad=True)
    given = LossInputs(
        logprobs=logprobs,
        old_logprobs=logprobs.detach(),
        response=torch.tensor([0, 0, 1]),
        advantages=torch.tensor([1.0, -0.5]),
        weights=torch.tensor([1.0, 0.0, 2.0]),
        update_responses=2.0,
        update_tokens=2.0,
    )
    losses.build("reinforce")(given).backward()
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == [-0.5, 0.0, 0.5]  # −A · weight / 2 for every token of its response


def test_the_chain_and_the_ablations_of_the_page_on_experiments_are_settings_that_hold(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    chain, *ablations = (yaml.safe_load(block) for block in blocks("docs/experiments.md", "yaml"))
    for link in build_settings(PipelineSettings, chain, "chain").pipeline:
        check_link(link, link.set)
    for ablation in ablations:
        check_arms(build_settings(AblationSettings, ablation, "ablation"))


@pytest.mark.parametrize(
    ("kind", "page", "decorator"),
    [
        ("verifier", "CONTRIBUTING.md", "@verifier"),
        ("loss", "CONTRIBUTING.md", "@losses"),
        ("environment", "CONTRIBUTING.md", "@environments"),
        ("benchmark", "docs/verifiers.md", "@benchmarks"),
        ("engine", "docs/engines.md", "@engines"),
    ],
)
def test_the_lines_that_contributing_counts_are_those_of_the_pages(kind, page, decorator):
    (code,) = [block for block in blocks(page, "python") if decorator in block]
    told = re.search(rf"^\| {kind} \| 1 \| (\d+)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert told is not None
    assert int(told[1]) == sum(bool(line.strip()) for line in code.splitlines())


def test_the_lines_that_contributing_counts_of_a_family_are_those_of_the_example():
    told = re.search(
        r"^\| family \| 1 \| (\d+), .*`(examples/\w+\.py)`", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
    )
    assert told is not None
    assert int(told[1]) == sum(bool(line.strip()) for line in (ROOT / told[2]).read_text().splitlines())
