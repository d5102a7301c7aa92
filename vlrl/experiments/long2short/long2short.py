"""`vlrl long2short`: from one long model, every way of k1.5 §2.4 to a short one, on one image (figure 7).

    merge      the mean of the long and a short model's weights (k1.5 §2.4)
    shortest   supervised on the shortest right one of eight responses (k1.5 §2.4)
    dpo        the shortest right response against longer ones (k1.5 §2.4)
    rl         RL with the length reward, a smaller budget, and no score beyond it (k1.5 §2.4)
    merge_rs   the merged model, supervised on its own shortest right responses (k1.5 §2.4)
    trimmed    as `shortest`, each response cut behind its earliest right answer (STOP/ECN); not among the default ways

Each way is a few links of a chain (pipeline.py) over commands that also stand alone: `vlrl curate`, `vlrl run`,
`vlrl merge`. An interrupted call continues.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from vlrl.config import FolderName, FolderPath, Settings, as_arguments, load_settings
from vlrl.credit.rewards.length_parts import LeadLength, StepGrpo
from vlrl.credit.rewards.length_reward import LengthReward
from vlrl.curation.selection.trimming import TrimSettings
from vlrl.errors import ConfigError
from vlrl.evaluation.comparison import best_balance
from vlrl.experiments.ablation.ablate import measured_when
from vlrl.experiments.long2short.long2short_page import Long2ShortFindings, answers_of, write_page
from vlrl.experiments.pipeline.pipeline import Link, PipelineSettings, run_links
from vlrl.training.run_settings import RunSettings

Way = Literal["merge", "shortest", "dpo", "rl", "merge_rs", "trimmed"]
LENGTH_REWARDS = (LengthReward, LeadLength, StepGrpo)
LENGTH_WEIGHT = 0.3  # the paper gives no value
WAYS: tuple[Way, ...] = ("merge", "shortest", "dpo", "rl", "merge_rs")


class Long2ShortSettings(Settings):
    """What `vlrl long2short` reads.

    base      config of a run: recipe, engine, held-out test, and the settings of `sft`, `dpo` and `rl` that are used
    curate    config of a curation that samples the responses; its `warmup` keeps the shortest and writes pairs
    long      model folders to start from; of several the one with the best balance on the test's validation split (k1.5
              §2.4)
    short     the short model that is merged with
    trim      how way `trimmed` cuts responses: `warmup.trim` of a curation
    set       dotted settings of one way's training, e.g. {rl: {rl.sampling.max_tokens: 32}}
    overrides dotted settings of every run of the base config
    before    links of a chain that make the models; `{name}` in `long` and `short` is the folder of a link, e.g. the
              exports of one run (`rl.export_every`): ["{longer}/model_step_50", "{longer}/model"]
    seeds     all of it is done once a seed
    expected  what was expected before it was run; stands on the page
    """

    name: FolderName
    run_folder: FolderPath | None = None
    base: str
    curate: str
    long: tuple[str, ...] = Field(min_length=1)
    short: str | None = None
    weight: float = Field(default=0.5, ge=0.0, le=1.0, description="share of the long model in the merge")
    ways: tuple[Way, ...] = WAYS
    set: dict[Way, dict[str, Any]] = Field(default_factory=dict)
    rl_budget: float = Field(
        default=0.5,
        gt=0.0,
        lt=1.0,
        description="way rl: response tokens at most, as a share of the base config's, where `set` gives no number",
    )
    trim: TrimSettings = TrimSettings()
    tolerance: float = Field(default=0.01, ge=0.0, description="accuracy that a shorter start may lack")
    overrides: dict[str, Any] = Field(default_factory=dict)
    before: tuple[Link, ...] = ()
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    expected: str = ""

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
    """Every way, then the table and the image; returns the page. Raises what its links raise."""
    settings = load_settings(Long2ShortSettings, config, overrides)
    starts = []
    for seed in settings.seeds:
        starts.append(choose_start(settings, seed))
        links = tuple(links_of(settings, starts[-1], seed))
        run_links(PipelineSettings(name=settings.name, run_folder=str(settings.place(seed)), pipeline=links))
    return write_page(found_by(settings, starts, f"vlrl long2short {config}"), out or settings.folder)


def found_by(settings: Long2ShortSettings, starts: Sequence[str], command: str) -> Long2ShortFindings:
    """Every model's answers to the test, seed by seed."""
    names = ["long", *(["short"] if settings.short else []), *settings.ways]
    places = [settings.place(seed) for seed in settings.seeds]
    answers = {
        name: [answers_of(place / f"test_{name}") for place in places]
        for name in names
        if (places[0] / f"test_{name}").is_dir()
    }
    tests = [place / f"test_{name}" for name in answers for place in places]
    when = measured_when(tests) if all((run / "run_card.json").is_file() for run in tests) else ""
    return Long2ShortFindings(
        settings.name, command, settings.expected, tuple(dict.fromkeys(starts)), settings.seeds, answers, when
    )


def choose_start(settings: Long2ShortSettings, seed: int) -> str:
    """The long model that has the best balance of accuracy and tokens on validation problems (k1.5 §2.4)."""
    if len(settings.long) == 1:
        return settings.long[0]
    looks = tuple(
        _evaluation(settings, f"look_{i}", path, seed, {"eval.split": "validation"})
        for i, path in enumerate(settings.long)
    )
    folder = settings.place(seed)
    links = (*_before(settings, seed), *looks)
    run_links(PipelineSettings(name=settings.name, run_folder=str(folder), pipeline=links))
    held = {path: answers_of(folder / f"look_{i}") for i, path in enumerate(settings.long)}
    accuracy = {path: float(correct.mean()) for path, (correct, _) in held.items()}
    return best_balance(accuracy, {path: float(t.mean()) for path, (_, t) in held.items()}, settings.tolerance)


def links_of(settings: Long2ShortSettings, start: str, seed: int) -> list[Link]:
    """The chain: what makes the models, each way's links, and every model's answers to the base config's test."""
    models = {"long": start}
    links = _before(settings, seed)
    if {"merge", "merge_rs"} & {*settings.ways}:
        assert settings.short is not None
        sides = {"first": start, "second": settings.short, "weight": settings.weight}
        links.append(Link(name="merged", does="merge", set=sides))
        models["short"] = settings.short
    if {"shortest", "dpo"} & {*settings.ways}:
        links.append(_sampling(settings, "sampled", start, seed))
    if "trimmed" in settings.ways:
        cut = {"warmup.trim": settings.trim.model_dump(mode="json")}
        links.append(_sampling(settings, "trimmed_sampled", start, seed, cut))
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


def _before(settings: Long2ShortSettings, seed: int) -> list[Link]:
    """The links that make the models, with this seed."""
    return [link.model_copy(update={"set": {"seed": seed, **link.set}}) for link in settings.before]


def _sampling(
    settings: Long2ShortSettings, name: str, model: str, seed: int, more: dict[str, Any] | None = None
) -> Link:
    given = {"model.path": model, "model.build": None, "seed": seed, **(more or {})}
    return Link(name=name, does="curate", config=settings.curate, set=given)


def _training(settings: Long2ShortSettings, way: Way, start: str, seed: int) -> tuple[Link, str]:
    """One run from the long (or merged) model, and where its result lies."""
    more = settings.set.get(way, {})
    given = _from("{merged}" if way == "merge_rs" else start, settings, seed)
    if way == "rl":
        given |= {"stages": ["rl"], **shortening(settings)}
        return Link(name=way, config=settings.base, set={**given, **more}), "{rl}/model"
    sampled = {"merge_rs": "{merged_sampled}", "trimmed": "{trimmed_sampled}"}.get(way, "{sampled}")
    if way == "dpo":
        given |= {"stages": ["dpo"], "dpo.pairs": f"{sampled}/preferences.jsonl"}
        return Link(name=way, config=settings.base, set={**given, **more}), "{dpo}/model_dpo"
    given |= {"stages": ["sft"], "data": f"{sampled}/demonstrations_recipe.yaml", "sft.demonstrations": "all"}
    return Link(name=way, config=settings.base, set={**given, **more}), f"{{{way}}}/model_sft"


def shortening(settings: Long2ShortSettings) -> dict[str, Any]:
    """What makes RL a way to a short model, below what `set` says: see docs/experiments.md.

    k1.5 §2.4 has the length reward, far fewer tokens at most, and a penalty for what exceeds them though it may be
    right. It gives no numbers; these are ours. Raises ConfigError where `set` takes one of the first two away.
    """
    own = settings.set.get("rl", {})
    before = load_settings(RunSettings, settings.base, as_arguments(settings.overrides)).rl
    longest = before.sampling.max_tokens
    given: dict[str, Any] = {
        "rl.cut_scores_zero": True,
        "rl.sampling.max_tokens": max(1, round(settings.rl_budget * longest)),
    }
    after = load_settings(RunSettings, settings.base, as_arguments({**settings.overrides, **given, **own})).rl
    if after.sampling.max_tokens >= longest:
        raise ConfigError(
            "set.rl, rl.sampling.max_tokens",
            f"is {after.sampling.max_tokens}, and the base config has {longest}",
            "give fewer: long2short RL has a smaller budget than the RL before it; or leave it out",
        )
    if not any(isinstance(part, LENGTH_REWARDS) and part.weight > 0 for part in after.credit.shape):
        if any(key.startswith("rl.credit") for key in own):
            raise ConfigError(
                "set.rl, rl.credit",
                "has no length reward, without which it is plain RL",
                "add {name: length, weight: …} to rl.credit.shape, or leave it out",
            )
        held = [one for one in after.model_dump(mode="json")["credit"]["shape"] if one["name"] != "length"]
        given["rl.credit.shape"] = [*held, {"name": "length", "weight": LENGTH_WEIGHT}]
    return given


def _evaluation(
    settings: Long2ShortSettings, name: str, model: str, seed: int, more: dict[str, Any] | None = None
) -> Link:
    given = {**_from(model, settings, seed), "stages": ["eval"], **(more or {})}
    return Link(name=name, config=settings.base, set=given)


def _from(model: str, settings: Long2ShortSettings, seed: int) -> dict[str, Any]:
    return {**settings.overrides, "model.path": model, "model.build": None, "seed": seed}
