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
    overrides dotted settings of every run of the base config
    before    links of a chain that make the models; `{name}` in `long` and `short` is the folder of a link
    seeds     all of it is done once a seed
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
    overrides: dict[str, Any] = Field(default_factory=dict)
    before: tuple[Link, ...] = ()
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)

    @model_validator(mode="after")
    def _one_start_is_made(self) -> Long2ShortSettings:
        if self.before and len(self.long) > 1:
            raise ConfigError("long", f"names {len(self.long)} models, and `before` makes one", "name one")
        return self

    @model_validator(mode="after")
    def _a_merge_has_two_sides(self) -> Long2ShortSettings:
        if self.short is None and {"merge", "merge_rs"} & {*self.ways}:
            raise ConfigError(
                "short", "is missing, and a merge needs two models", "name it, or leave merges out of ways"
            )
        return self

    @property
    def folder(self) -> Path:
        """The folder that holds a folder of links for every seed."""
        return Path(self.run_folder or f"runs/{self.name}")

    def place(self, seed: int) -> Path:
        """The folder of a seed's links."""
        return self.folder / str(seed)


def start_long2short(config: Path, overrides: Sequence[str], out: Path | None = None) -> Path:
    """Every way, then the table and the picture; returns the page. Raises what its links raise."""
    settings = load_settings(Long2ShortSettings, config, overrides)
    starts = []
    for seed in settings.seeds:
        starts.append(choose_start(settings, seed))
        links = tuple(links_of(settings, starts[-1], seed))
        run_links(PipelineSettings(name=settings.name, run_folder=str(settings.place(seed)), pipeline=links))
    return write_page(settings, starts, f"vlrl long2short {config}", out or settings.folder)


def choose_start(settings: Long2ShortSettings, seed: int) -> str:
    """The long model that has the best balance of accuracy and tokens on validation problems (row K38)."""
    if len(settings.long) == 1:
        return settings.long[0]
    looks = tuple(
        _evaluation(settings, f"look_{i}", path, seed, {"eval.split": "validation"})
        for i, path in enumerate(settings.long)
    )
    folder = settings.place(seed) / "starts"
    run_links(PipelineSettings(name=settings.name, run_folder=str(folder), pipeline=looks))
    held = {path: _answers(folder / f"look_{i}") for i, path in enumerate(settings.long)}
    accuracy = {path: float(correct.mean()) for path, (correct, _) in held.items()}
    return best_balance(accuracy, {path: float(t.mean()) for path, (_, t) in held.items()}, settings.tolerance)


def links_of(settings: Long2ShortSettings, start: str, seed: int) -> list[Link]:
    """The chain: what makes the models, each way's links, and every model's answers to the base config's test."""
    models = {"long": start}
    links = [link.model_copy(update={"set": {"seed": seed, **link.set}}) for link in settings.before]
    if {"merge", "merge_rs"} & {*settings.ways}:
        assert settings.short is not None
        sides = {"first": start, "second": settings.short, "weight": settings.weight}
        links.append(Link(name="merged", does="merge", set=sides))
        models["short"] = settings.short
    if {"shortest", "dpo"} & {*settings.ways}:
        links.append(_sampling(settings, "sampled", start, seed))
    if "merge_rs" in settings.ways:
        links.append(_sampling(settings, "merged_sampled", "{merged}", seed))
    for way in settings.ways:
        if way == "merge":
            models[way] = "{merged}"
            continue
        trained, model = _training(settings, way, start, seed)
        links.append(trained)
        models[way] = model
    return [*links, *(_evaluation(settings, f"test_{name}", model, seed) for name, model in models.items())]


def _sampling(settings: Long2ShortSettings, name: str, model: str, seed: int) -> Link:
    given = {"model.path": model, "model.build": None, "seed": seed}
    return Link(name=name, does="curate", config=settings.curate, set=given)


def _training(settings: Long2ShortSettings, way: Way, start: str, seed: int) -> tuple[Link, str]:
    """One run from the long (or merged) model, and where its result lies."""
    more = settings.set.get(way, {})
    given = _from("{merged}" if way == "merge_rs" else start, settings, seed)
    if way == "rl":
        return Link(name=way, config=settings.base, set={**given, "stages": ["rl"], **more}), "{rl}/model"
    sampled = "{merged_sampled}" if way == "merge_rs" else "{sampled}"
    if way == "dpo":
        given |= {"stages": ["dpo"], "dpo.pairs": f"{sampled}/preferences.jsonl"}
        return Link(name=way, config=settings.base, set={**given, **more}), "{dpo}/model_dpo"
    given |= {"stages": ["sft"], "data": f"{sampled}/demonstrations_recipe.yaml", "sft.demonstrations": "all"}
    return Link(name=way, config=settings.base, set={**given, **more}), f"{{{way}}}/model_sft"


def _evaluation(
    settings: Long2ShortSettings, name: str, model: str, seed: int, more: dict[str, Any] | None = None
) -> Link:
    given = {**_from(model, settings, seed), "stages": ["eval"], **(more or {})}
    return Link(name=name, config=settings.base, set=given)


def _from(model: str, settings: Long2ShortSettings, seed: int) -> dict[str, Any]:
    return {**settings.overrides, "model.path": model, "model.build": None, "seed": seed}


def _answers(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """(P,) sampled accuracy and (P,) tokens of every test problem."""
    rows = [json.loads(line) for line in (run / "answers_model.jsonl").read_text(encoding="utf-8").splitlines()]
    sampled = [row["sampled"] for row in rows]
    return np.array([np.mean(s["correct"]) for s in sampled]), np.array([np.mean(s["tokens"]) for s in sampled])


def write_page(settings: Long2ShortSettings, starts: Sequence[str], command: str, out: Path) -> Path:
    """The table and the picture of accuracy against tokens, over all seeds; differences are paired by problem."""
    names = ["long", *(["short"] if settings.short else []), *settings.ways]
    places = [settings.place(seed) for seed in settings.seeds]
    held = {
        name: [_answers(place / f"test_{name}") for place in places]
        for name in names
        if (places[0] / f"test_{name}").is_dir()
    }
    rng = stream(0, "long2short", settings.name)
    count = len(settings.seeds)
    lines = [
        f"# {settings.name.replace('_', ' ').capitalize()}",
        "",
        f"Made by `{command}` from `{', '.join(dict.fromkeys(starts))}`; {count} seed{'s' if count > 1 else ''} "
        f"({', '.join(map(str, settings.seeds))}), {len(held['long'][0][0])} problems each, sampled.",
        "Intervals are 95 %, by resampling "
        + ("seeds and problems." if count > 1 else "problems: they say nothing about other seeds."),
        "",
        "| | accuracy | − long | tokens | of long |",
        "|---|---|---|---|---|",
    ]
    marks = {}
    for name, rows in held.items():
        correct, tokens = [c for c, _ in rows], [t for _, t in rows]
        right = compare(correct, [np.zeros_like(c) for c in correct], rng, 2000)
        length = compare(tokens, [np.zeros_like(t) for t in tokens], rng, 2000)
        gap = compare(correct, [c for c, _ in held["long"]], rng, 2000)
        marks[name] = Mark(length.mean, right.mean, length.by_problem, right.by_problem)
        share = np.mean([t.mean() / base.mean() for t, (_, base) in zip(tokens, held["long"], strict=True)])
        against = "" if name == "long" else f"{gap.mean:+.3f} ({gap.by_problem.low:+.3f} … {gap.by_problem.high:+.3f})"
        lines.append(
            f"| {name} | {right.mean:.3f} ({right.by_problem.low:.3f} … {right.by_problem.high:.3f}) | {against} "
            f"| {length.mean:.1f} | {share:.2f} |"
        )
    picture = marks_figure(marks, "mean response tokens", "accuracy", out / f"{settings.name}.svg")
    page = out / f"{settings.name}.md"
    write_atomically(page, "\n".join([*lines, "", f"![accuracy against tokens]({picture.name})"]) + "\n")
    return page
