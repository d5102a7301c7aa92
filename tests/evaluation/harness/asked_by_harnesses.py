"""Run by test_harnesses.py in a process of its own, with the harnesses' folder on the path: prints what was said."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import torch
from harness_tasks import write_lm_tasks, write_lmms_tasks
from small_models import SHAPE, build_spread
from transformers import AutoModelForImageTextToText

from vlrl.cli import app
from vlrl.evaluation.harness.harness_settings import HarnessTasks, check_tasks, task_manager
from vlrl.evaluation.harness.open_model import open_answering
from vlrl.evaluation.harness.run_tasks import HarnessRun


def plain(value):
    return value.item() if hasattr(value, "item") else str(value)


def samples(said, task):
    return [one["resps"] for one in said["samples"][task]]


class WithoutEmpty:
    """A processor that isn't given empty lists: transformers refuses that of sounds."""

    def __init__(self, processor):
        self.processor = processor

    def __getattr__(self, name):
        return getattr(self.processor, name)

    def __call__(self, **given):
        return self.processor(**{key: value for key, value in given.items() if value})


def their_model_with_images(folder, answering):
    """lmms-eval's generic wrapper; of two of its own models' classes it takes one that can't generate, so it is given
    transformers' model. An untrained model would write image placeholders, which our engines never do.
    """
    from lmms_eval.models.chat.huggingface import Huggingface

    theirs = Huggingface(str(folder), device="cpu", device_map="cpu")
    theirs._model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    theirs._model.generation_config.suppress_tokens = list(answering.loaded.placeholder_ids)
    theirs.processor = WithoutEmpty(theirs.processor)
    return theirs


def compare(folder, here):
    """Responses and figures of ours, and of the harness's own wrapper on the same folder."""
    from lm_eval import simple_evaluate as ask_text
    from lm_eval.models.hf_vlms import HFMultimodalLM
    from lmms_eval.evaluator import simple_evaluate as ask_images

    answering = open_answering("the test", path=str(folder))
    found = {}
    for kind, write in (("lmms", write_lmms_tasks), ("lm", write_lm_tasks)):
        (here / kind).mkdir()
        names = write(here / kind)
        tasks = HarnessTasks(**{kind: names}, folders=(str(here / kind),), chat_template=False)
        check_tasks(tasks)
        torch.manual_seed(77)  # theirs leave their own seed behind
        before = torch.get_rng_state()
        ours = HarnessRun(tasks, answering).results(here / "log.txt")
        found[f"random state of {kind}"] = bool((before == torch.get_rng_state()).all())
        given = {"tasks": names, "task_manager": task_manager(kind, names, tasks.folders), "bootstrap_iters": 0}
        if kind == "lmms":
            said = ask_images(model=their_model_with_images(folder, answering), batch_size=1, **given)
        else:
            said = ask_text(
                HFMultimodalLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=2), **given
            )
        for one in ours:
            figures = {k.removesuffix(",none"): v for k, v in said["results"][one.task].items() if k.endswith(",none")}
            theirs = {name: figures[name] for name in one.figures}
            resps = ([s["resps"] for s in one.samples], samples(said, one.task))
            found[one.task] = {"figures": (dict(one.figures), theirs), "resps": resps}
    return found


def install_entry_point(here, root):
    """That of pyproject.toml, as an installed package has it; lmms-eval looks for it when it is imported."""
    held = here / "entry" / "vlrl_entry-1.dist-info"
    held.mkdir(parents=True)
    points = tomllib.loads((root / "pyproject.toml").read_text())["project"]["entry-points"]["lmms_eval.models"]
    held.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: vlrl-entry\nVersion: 1\n")
    held.joinpath("entry_points.txt").write_text(f"[lmms_eval.models]\nvlrl = {points['vlrl']}\n")
    sys.path.append(str(held.parent))


def by_name(folder, here):
    """Our model as lmms-eval finds it by its name."""
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.models import get_model_manifest

    names = ["vlrl_one"]
    said = simple_evaluate(
        model="vlrl",
        model_args=f"path={folder},batch_size=4,dtype=float32",
        tasks=names,
        task_manager=task_manager("lmms", names, (str(here / "lmms"),)),
        bootstrap_iters=0,
    )
    return {"manifest": get_model_manifest("vlrl").chat_class_path, "resps": samples(said, "vlrl_one")}


def on_a_run(here):
    """A small run with both harnesses on its curve, then `vlrl eval` of what it trained."""
    config = here / "run.yaml"
    (here / "recipe.yaml").write_text("sources: [{name: sums, kind: domain, domain: arithmetic}]\n")
    folders = json.dumps([str(here / "lmms"), str(here / "lm")])
    config.write_text(
        f"name: small\nrun_folder: {here / 'run'}\ndata: {here / 'recipe.yaml'}\nstages: [rl]\n"
        f"model: {{path: {here / 'model'}, context: 400}}\n"
        "rl: {steps: 2, problems_per_step: 2, rollouts_per_problem: 2, validate_every: 2, sampling: {max_tokens: 4}}\n"
        "eval: {problems: 1, curve_problems: 1, sampling: {max_tokens: 4}, benchmarks_every: 1,\n"
        f"  harness: {{lmms: [vlrl_one], lm: [vlrl_choice], limit: 2, folders: {folders}}}}}\n"
    )
    app(["run", str(config)], standalone_mode=False)
    app(["eval", str(config), "--tasks", "vlrl_words,lm:vlrl_write", "--limit", "3"], standalone_mode=False)
    run = here / "run"
    return {
        "metrics": [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()],
        "card": json.loads((run / "run_card.json").read_text())["harnesses"],
        "charts": (run / "report.html").read_text().count("lmms vlrl_one"),
        "results": json.loads((run / "harness" / "results.json").read_text()),
        "rows": [json.loads(line) for line in (run / "harness" / "lmms_vlrl_words.jsonl").read_text().splitlines()],
    }


def main(here, root):
    folder = build_spread("tiny-qwen3-vl", here / "model", shape=SHAPE.model_copy(update={"context": 400}))
    install_entry_point(here, root)
    found = compare(folder, here)
    found["by_name"] = by_name(folder, here)
    found["run"] = on_a_run(here)
    (here / "said.json").write_text(json.dumps(found, default=plain))


main(Path(sys.argv[1]), Path(sys.argv[2]))
