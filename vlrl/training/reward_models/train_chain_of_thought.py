"""`vlrl reward-model train`, the kind that reasons: a run of vlrl over the rows' recipe, and a card beside its model.

SFT learns the worked reasonings; RL, where it is asked for, has the labels as golds of the verifier `judgement`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import yaml

from vlrl.data.fixed_sets import DemonstrationCount
from vlrl.errors import ConfigError
from vlrl.installation.host import describe_code
from vlrl.reward_models.reward_model_card import RewardModelCard
from vlrl.reward_models.row_files import RowFolder, read_row_folder, source_name
from vlrl.runlog.atomic_files import write_atomically
from vlrl.training.lifecycle.stage_inputs import LEAVES
from vlrl.training.reward_models.reward_model_config import RewardModelConfig
from vlrl.training.run import start_run

CONFIG = "chain_of_thought.yaml"


def train_chain_of_thought(config: RewardModelConfig, fresh: bool = False) -> Path:
    """Train it on the config's rows; returns its folder, that of a run. Raises what `vlrl run` raises."""
    rows = read_row_folder(config.rows_folder)
    stages = stages_of(config, rows)
    settings = config.run_settings("chain_of_thought", stages)
    if settings.sft is not None and settings.sft.demonstrations == "all":
        sft = settings.sft.model_copy(update={"demonstrations": all_reasoned(rows)})
        settings = settings.model_copy(update={"sft": sft})
    file = config.folder / CONFIG
    written = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_atomically(file, f"# What `vlrl reward-model train` runs for the model that reasons.\n{written}")
    folder = start_run(file, [], None, fresh)
    provenance = {
        "model": config.model.path or config.model.build,
        "rows": dict(rows.digests),
        "seed": config.seed,
        "stages": list(stages),
        "code": describe_code(),
    }
    RewardModelCard(
        "chain_of_thought",
        LEAVES["rl" if "rl" in stages else "sft"],
        rows.instruction,
        rows.salt,
        config.image,
        config.chain_of_thought.max_tokens,
        provenance,
    ).write(folder)
    return folder


def all_reasoned(rows: RowFolder) -> DemonstrationCount:
    """All rows that have a worked reasoning: "all", or their numbers by source where some source has none at all."""
    demonstrations = rows.demonstrations("train")
    reasoned = Counter(one.problem.modality for one in demonstrations if one.response.startswith("<think>"))
    if {one.problem.modality for one in demonstrations} == set(reasoned):
        return "all"
    return {source_name(modality): number for modality, number in reasoned.items()}


def stages_of(config: RewardModelConfig, rows: RowFolder) -> tuple[str, ...]:
    """SFT where some row has a reasoning, RL where it is given. Raises ConfigError where nothing is left to train."""
    given = config.chain_of_thought
    reasoned = any(one.response.startswith("<think>") for one in rows.demonstrations("train"))
    stages = (*(("sft",) if given.sft is not None and reasoned else ()), *(("rl",) if given.rl is not None else ()))
    if not stages:
        raise ConfigError(
            "chain_of_thought.sft",
            "no row has a worked reasoning: rows from rollouts have none",
            "make rows by rewriting, too (make.rewriting), or give chain_of_thought.rl",
        )
    return stages
