"""What the links of a chain do, by name: the command, the settings that its config holds, and what it reads.

Everything is imported where it is used: long2short is itself made of chains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vlrl.config import Settings, load_settings
from vlrl.experiments.pipeline.link_inputs import check_data, check_rows, is_made_by
from vlrl.model.folders.model_folder import check_folder

if TYPE_CHECKING:
    from vlrl.experiments.long2short.long2short import Long2ShortSettings

Does = Literal["run", "prepare", "curate", "merge", "long2short", "eval"]


def load_link(does: Does, config: Path, overrides: Sequence[str]) -> Settings:
    """The settings of a link that has a config. Raises ConfigError."""
    return load_settings(_settings_class(does, config), config, overrides)


def _settings_class(does: Does, config: Path) -> type[Settings]:
    if does == "curate":
        from vlrl.curation.curation_settings import CurateSettings

        return CurateSettings
    if does == "long2short":
        from vlrl.experiments.long2short.long2short import Long2ShortSettings

        return Long2ShortSettings
    from vlrl.training.monitoring.evaluation_settings import EvaluationSettings, names_benchmarks
    from vlrl.training.run_settings import RunSettings

    return EvaluationSettings if does == "eval" and names_benchmarks(config) else RunSettings


def check_link_inputs(settings: Settings, chain: Path) -> None:
    """What a link reads is there, or lies in the folder of the chain that makes it. Raises ConfigError."""
    from vlrl.curation.curation_settings import CurateSettings
    from vlrl.experiments.long2short.long2short import Long2ShortSettings
    from vlrl.training.lifecycle.stage_inputs import check_inputs
    from vlrl.training.monitoring.evaluation_settings import EvaluationSettings
    from vlrl.training.run_settings import RunSettings

    if isinstance(settings, RunSettings | CurateSettings):
        check_data(settings.data, chain)
    if isinstance(settings, RunSettings):
        check_inputs(settings, promised=[chain])
    elif isinstance(settings, Long2ShortSettings):
        _check_long2short(settings, chain)
    elif isinstance(settings, CurateSettings | EvaluationSettings) and settings.model is not None:
        check_model(settings.model.path, "model.path", chain)
    if isinstance(settings, EvaluationSettings):
        for number, one in enumerate(settings.benchmarks):
            check_rows(one.path, f"benchmarks.{number}.path", chain)


def check_model(path: str | None, place: str, chain: Path) -> None:
    """Raises ConfigError for a model folder that is not there, and that no link of the chain makes."""
    if path is not None and not is_made_by(chain, path):
        check_folder(path, place)


def _check_long2short(settings: Long2ShortSettings, chain: Path) -> None:
    """The links that it will be made of, for the first seed; the others differ by their seed alone."""
    from vlrl.experiments.long2short.long2short import links_of
    from vlrl.experiments.pipeline.pipeline import check_link, filled

    links = links_of(settings, settings.long[0], settings.seeds[0])
    places = {link.name: str(settings.place(settings.seeds[0]) / link.name) for link in links}
    for number, start in enumerate(settings.long):
        check_model(filled(start, places), f"long.{number}", chain)
    for link in links:
        check_link(link, filled(link.set, places), chain)


def _run(config: Path, overrides: Sequence[str], fresh: bool) -> None:
    from vlrl.training.run import start_run

    start_run(config, overrides, fresh=fresh)


def _prepare(config: Path, overrides: Sequence[str], fresh: bool) -> None:
    from vlrl.training.run import start_run

    start_run(config, overrides, ["prepare"], fresh)


def _curate(config: Path, overrides: Sequence[str], fresh: bool) -> None:
    from vlrl.commands.curate import start_curation

    start_curation(config, list(overrides), fresh)


def _long2short(config: Path, overrides: Sequence[str], fresh: bool) -> None:
    from vlrl.experiments.long2short.long2short import start_long2short

    start_long2short(config, overrides)  # a chain, which finds by itself what has changed


def _evaluate(config: Path, overrides: Sequence[str], fresh: bool) -> None:
    from vlrl.commands.evaluate import evaluate_benchmarks
    from vlrl.training.monitoring.evaluation_settings import names_benchmarks
    from vlrl.training.run import start_run

    if names_benchmarks(config):
        evaluate_benchmarks(config, overrides)  # always as a whole
    else:
        start_run(config, overrides, ["eval"], fresh)


COMMANDS: dict[Does, Callable[[Path, Sequence[str], bool], None]] = {
    "run": _run,
    "prepare": _prepare,
    "curate": _curate,
    "long2short": _long2short,
    "eval": _evaluate,
}
