"""`vlrl long2short`: from one long model, every way of k1.5 §2.4 to a short one, on one picture (figure 7).

    merge      the mean of the long and a short model's weights (row K35)
    shortest   supervised on the shortest right one of eight responses (K36)
    dpo        the shortest right response against longer ones (K37)
    rl         RL with the length reward and a smaller budget (K38)
    merge_rs   the merged model, supervised on its own shortest right responses (K39)

Each way is a few links of a chain (pipeline.py) over commands that also stand alone: `vlrl curate`, `vlrl run`,
`vlrl merge`. An interrupted call continues.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from vlrl.config import Settings, load_settings
from vlrl.errors import ConfigError
from vlrl.evaluation.comparison import best_balance, compare
from vlrl.evaluation.scores import standard_error
from vlrl.report.figure import Mark, marks_figure
from vlrl.runlog import write_atomically
from vlrl.seeding import stream
from vlrl.stages.pipeline import Link, PipelineSettings, run_links

Way = Literal["merge", "shortest", "dpo", "rl", "merge_rs"]
WAYS: tuple[Way, ...] = ("merge", "shortest", "dpo", "rl", "merge_rs")


class Long2ShortSettings(Settings):
    """What `vlrl long2short` reads.

    base      config of a run: recipe, engine, held-out test, and the settings of `sft`, `dpo` and `rl` that are used
    curate    config of a curation that samples the responses; its `warmup` keeps the shortest and writes pairs
    long      model folders to start from; of several the one with the best balance on the test's validation split (K38)
    short     the short model that is merged with
    set       dotted settings of one way's training, e.g. {rl: {rl.sampling.max_tokens: 32}}
    """

    name: str = Field(min_length=1)
    run_folder: str | None = None
    base: str
    curate: str
    long: tuple[str, ...] = Field(min_length=1)
    short: str | None = None
    weight: float = Field(default=0.5, ge=0.0, le=1.0, description="share of the long model in the merge")
    ways: tuple[Way, ...] = WAYS
    set: dict[Way, dict[str, Any]] = Field(default_factory=dict)
    tolerance: float = Field(default=0.01, ge=0.0, description="accuracy that a shorter start may lack")
    seed: int = 0

    @model_validator(mode="after")
    def _a_merge_has_two_sides(self) -> Long2ShortSettings:
        if self.short is None and {"merge", "merge_rs"} & {*self.ways}:
            raise ConfigError(
                "short", "is missing, and a merge needs two models", "name it, or leave merges out of ways"
            )
        return self

    @property
    def folder(self) -> Path:
        """The folder of all its links."""
        return Path(self.run_folder or f"runs/{self.name}")


def start_long2short(config: Path, overrides: Sequence[str], out: Path | None = None) -> Path:
    """Every way, then the table and the picture; returns the page. Raises what its links raise."""
    settings = load_settings(Long2ShortSettings, config, overrides)
    start = choose_start(settings)
    links = [*links_of(settings, start)]
    run_links(PipelineSettings(name=settings.name, run_folder=str(settings.folder), pipeline=tuple(links)))
    return write_page(settings, start, f"vlrl long2short {config}", out or settings.folder)


def choose_start(settings: Long2ShortSettings) -> str:
    """The long model that has the best balance of accuracy and tokens on validation problems (row K38)."""
    if len(settings.long) == 1:
        return settings.long[0]
    looks = tuple(
        _evaluation(settings, f"look_{i}", path, {"eval.split": "validation"}) for i, path in enumerate(settings.long)
    )
    run_links(PipelineSettings(name=settings.name, run_folder=str(settings.folder / "starts"), pipeline=looks))
    held = {path: _answers(settings.folder / "starts" / f"look_{i}") for i, path in enumerate(settings.long)}
    accuracy = {path: float(correct.mean()) for path, (correct, _) in held.items()}
    return best_balance(accuracy, {path: float(t.mean()) for path, (_, t) in held.items()}, settings.tolerance)


def links_of(settings: Long2ShortSettings, start: str) -> list[Link]:
    """The chain: each way's links, and an evaluation of every model on the base config's test."""
    models = {"long": start}
    links: list[Link] = []
    if {"merge", "merge_rs"} & {*settings.ways}:
        assert settings.short is not None
        sides = {"first": start, "second": settings.short, "weight": settings.weight}
        links.append(Link(name="merged", does="merge", set=sides))
        models["short"] = settings.short
    if {"shortest", "dpo"} & {*settings.ways}:
        links.append(_sampling(settings, "sampled", start))
    if "merge_rs" in settings.ways:
        links.append(_sampling(settings, "merged_sampled", "{merged}"))
    for way in settings.ways:
        if way == "merge":
            models[way] = "{merged}"
            continue
        trained, model = _training(settings, way, start)
        links.append(trained)
        models[way] = model
    return [*links, *(_evaluation(settings, f"test_{name}", model) for name, model in models.items())]


def _sampling(settings: Long2ShortSettings, name: str, model: str) -> Link:
    return Link(name=name, does="curate", config=settings.curate, set=_from(model, settings))


def _training(settings: Long2ShortSettings, way: Way, start: str) -> tuple[Link, str]:
    """One run from the long (or merged) model, and where its result lies."""
    more = settings.set.get(way, {})
    given = _from("{merged}" if way == "merge_rs" else start, settings)
    if way == "rl":
        return Link(name=way, config=settings.base, set={**given, "stages": ["rl"], **more}), "{rl}/model"
    sampled = "{merged_sampled}" if way == "merge_rs" else "{sampled}"
    if way == "dpo":
        given |= {"stages": ["dpo"], "dpo.pairs": f"{sampled}/preferences.jsonl"}
        return Link(name=way, config=settings.base, set={**given, **more}), "{dpo}/model_dpo"
    given |= {"stages": ["sft"], "data": f"{sampled}/demonstrations_recipe.yaml", "sft.demonstrations": "all"}
    return Link(name=way, config=settings.base, set={**given, **more}), f"{{{way}}}/model_sft"


def _evaluation(settings: Long2ShortSettings, name: str, model: str, more: dict[str, Any] | None = None) -> Link:
    given = {**_from(model, settings), "stages": ["eval"], **(more or {})}
    return Link(name=name, config=settings.base, set=given)


def _from(model: str, settings: Long2ShortSettings) -> dict[str, Any]:
    return {"model.path": model, "model.build": None, "seed": settings.seed}


def _answers(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """(P,) sampled accuracy and (P,) tokens of every test problem."""
    rows = [json.loads(line) for line in (run / "answers_model.jsonl").read_text(encoding="utf-8").splitlines()]
    sampled = [row["sampled"] for row in rows]
    return np.array([np.mean(s["correct"]) for s in sampled]), np.array([np.mean(s["tokens"]) for s in sampled])


def write_page(settings: Long2ShortSettings, start: str, command: str, out: Path) -> Path:
    """The table and the picture of accuracy against tokens; intervals are over problems of one seed."""
    names = ["long", *(["short"] if settings.short else []), *settings.ways]
    held = {n: _answers(settings.folder / f"test_{n}") for n in names if (settings.folder / f"test_{n}").is_dir()}
    base_correct, base_tokens = held["long"]
    rng = stream(settings.seed, "long2short", settings.name)
    marks, lines = (
        {},
        [
            f"# {settings.name.replace('_', ' ').capitalize()}",
            "",
            f"Made by `{command}` from `{start}`; one seed ({settings.seed}), n = {len(base_correct)}, sampled.",
            "Intervals are 95 % over problems: they say nothing about other seeds.",
            "",
            "| | accuracy | − long | tokens | of long |",
            "|---|---|---|---|---|",
        ],
    )
    for name, (correct, tokens) in held.items():
        low, high = compare([correct], [np.zeros_like(correct)], rng, 2000).by_problem
        spread = 1.96 * standard_error(tokens)
        marks[name] = Mark(tokens.mean(), correct.mean(), (tokens.mean() - spread, tokens.mean() + spread), (low, high))
        gap = compare([correct], [base_correct], rng, 2000)
        against = "" if name == "long" else f"{gap.mean:+.3f} ({gap.by_problem.low:+.3f} … {gap.by_problem.high:+.3f})"
        share = f"{tokens.mean() / base_tokens.mean():.2f}"
        lines.append(
            f"| {name} | {correct.mean():.3f} ({low:.3f} … {high:.3f}) | {against} | {tokens.mean():.1f} | {share} |"
        )
    picture = marks_figure(marks, "mean response tokens", "accuracy", out / f"{settings.name}.svg")
    page = out / f"{settings.name}.md"
    write_atomically(page, "\n".join([*lines, "", f"![accuracy against tokens]({picture.name})"]) + "\n")
    return page
