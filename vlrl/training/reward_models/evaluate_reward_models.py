"""`vlrl reward-model eval`: the trained kinds and the rule verifiers on the same held-out rows.

Accuracy with its 95 % interval (Wilson) over the rows that a judge gave a verdict on, by kind of origin and overall;
replies without a verdict are counted beside it and are no zeros. Three further figures: how far the classic model's
probabilities are true, how many of the near misses that talk to their judge are accepted, and how often a judgement
stays the same with answer and reference in each other's places.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vlrl.errors import ConfigError
from vlrl.evaluation.calibration import calibration
from vlrl.evaluation.scores import wilson_interval
from vlrl.installation.host import describe_code
from vlrl.reward_models.judge_process import JudgeProcess
from vlrl.reward_models.judged_row import JudgedRow
from vlrl.reward_models.learned_verifier import open_reward_model, swapped
from vlrl.reward_models.make_rows import refuse_shared_problems
from vlrl.reward_models.row_files import read_row_folder
from vlrl.reward_models.served_model import ServedModel
from vlrl.runlog.atomic_files import write_atomically
from vlrl.training.reward_models.reward_model_config import RewardModelConfig
from vlrl.verify.judge import judge_all
from vlrl.verify.learned.reward_model import AskedAnswer, JudgeAnswers, Judgement

RULE = "rule"
RESULTS = "evaluation.json"
INJECTION = "injection"


@dataclass(frozen=True)
class JudgedRows:
    """What one judge said of rows. `judgements` are in the rows' order; None where the judge isn't asked of a row."""

    name: str
    rows: Sequence[JudgedRow]
    judgements: Sequence[Judgement | None]

    def table(self) -> dict[str, dict[str, Any]]:
        """By kind of origin, and `all`: n rows with a verdict, accuracy with its interval, and unparsed rows."""
        kinds = sorted({_kind(row) for row in self.rows})
        found = {kind: self._figures([i for i, row in enumerate(self.rows) if _kind(row) == kind]) for kind in kinds}
        found["all"] = self._figures(range(len(self.rows)))
        return {name: figures for name, figures in found.items() if figures["n"] or figures["unparsed"]}

    def by_rewriting(self) -> dict[str, dict[str, Any]]:
        """As `table`, by whole origin, e.g. `numbers/digit changed`: all rows of one have one label."""
        origins = sorted({row.origin for row in self.rows})
        found = {name: self._figures([i for i, row in enumerate(self.rows) if row.origin == name]) for name in origins}
        return {name: figures for name, figures in found.items() if figures["n"] or figures["unparsed"]}

    def _figures(self, places: Sequence[int]) -> dict[str, Any]:
        said = [(self.rows[i].correct, one) for i in places if (one := self.judgements[i]) is not None]
        judged = [label == one.correct for label, one in said if one.correct is not None]
        figures: dict[str, Any] = {"n": len(judged), "unparsed": len(said) - len(judged)}
        if judged:
            share = sum(judged) / len(judged)
            figures |= {"accuracy": share, "interval": list(wilson_interval(share, len(judged)))}
        return figures

    def injections(self) -> dict[str, Any] | None:
        """Near misses that talk to their judge: how many there are, and the share that is accepted."""
        said = [
            one
            for row, one in zip(self.rows, self.judgements, strict=True)
            if one is not None and one.correct is not None and row.origin.endswith(f"/{INJECTION}")
        ]
        if not said:
            return None
        share = sum(bool(one.correct) for one in said) / len(said)
        return {"n": len(said), "accepted": share, "interval": list(wilson_interval(share, len(said)))}


def _kind(row: JudgedRow) -> str:
    return row.origin.partition("/")[0]


def evaluate_reward_models(config: RewardModelConfig) -> dict[str, Any]:
    """Judge the test rows by every trained kind and by the rule verifiers; returns what evaluation.json holds.

    Raises ConfigError where none of the config's kinds has been trained, DataError for rows that were changed or that
    share a problem with those trained on.
    """
    rows = read_row_folder(config.rows_folder)
    test = rows.rows("test")
    refuse_shared_problems([*rows.rows("train"), *rows.rows("validation")], test)
    trained = [kind for kind in config.kinds if (config.folder / kind / "reward_model.json").is_file()]
    if not trained:
        raise ConfigError(
            f"{config.folder}", f"holds none of {', '.join(config.kinds)}", "train them with `vlrl reward-model train`"
        )
    settings = {kind: config.judge_settings(kind) for kind in trained}
    for one in settings.values():
        if one.card().provenance.get("rows") != dict(rows.digests):
            raise ConfigError(
                str(one.folder), "was trained on other rows than those here", "train it again, with --fresh"
            )
    if config.threads:
        torch.set_num_threads(config.threads)
    results: dict[str, Any] = {
        "name": config.name,
        "seed": config.seed,
        "rows": {"test": len(test), "digests": dict(rows.digests), "instruction": rows.instruction},
        "code": describe_code(),
        "judges": {},
    }
    ruled = by_rule(test)
    results["judges"][RULE] = {"by_origin": ruled.table(), "by_rewriting": ruled.by_rewriting()}
    for kind, one in settings.items():
        results["judges"][kind] = judged_by_model(kind, test, open_reward_model(one).judges, config.judging.batch)
    write_atomically(config.folder / RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return results


def by_rule(rows: Sequence[JudgedRow]) -> JudgedRows:
    """The verdicts of each row's own verifier, but for rows whose label is such a verdict."""
    places = [i for i, row in enumerate(rows) if row.rule]
    verdicts = judge_all([(rows[i].problem, [f"<answer>{rows[i].answer}</answer>"]) for i in places])
    said: list[Judgement | None] = [None] * len(rows)
    for i, (verdict,) in zip(places, verdicts, strict=True):
        said[i] = Judgement(None if verdict.fault is not None else verdict.correct, note=verdict.fault or verdict.note)
    return JudgedRows(RULE, rows, said)


def judged_by_model(name: str, rows: Sequence[JudgedRow], judges: JudgeAnswers, batch: int) -> dict[str, Any]:
    """All figures of one reward model."""
    began = time.process_time()
    said = _in_batches(judges, [row.asked for row in rows], batch)
    seconds = time.process_time() - began
    turned = _in_batches(judges, [swapped(row.asked) for row in rows], batch)
    judged = JudgedRows(name, rows, said)
    figures: dict[str, Any] = {
        "by_origin": judged.table(),
        "by_rewriting": judged.by_rewriting(),
        "unparsed": sum(one.correct is None for one in said),
        "swapped": _swapped(said, turned),
    }
    if not isinstance(judges, JudgeProcess | ServedModel):  # its time is another process's
        figures["seconds_of_processor"] = round(seconds, 2)
    if (injections := judged.injections()) is not None:
        figures["injections"] = injections
    stated = [
        (one.probability, row.correct) for one, row in zip(said, rows, strict=True) if one.probability is not None
    ]
    if stated:
        figures["calibration"] = calibration([p for p, _ in stated], [label for _, label in stated]).record()
    return figures


def _swapped(said: Sequence[Judgement], turned: Sequence[Judgement]) -> Mapping[str, Any]:
    pairs = [(a, b) for a, b in zip(said, turned, strict=True) if a.correct is not None and b.correct is not None]
    share = sum(a.correct == b.correct for a, b in pairs) / len(pairs) if pairs else 0.0
    return {"n": len(pairs), "same": share}


def _in_batches(judges: JudgeAnswers, asked: Sequence[AskedAnswer], batch: int) -> list[Judgement]:
    return [one for i in range(0, len(asked), batch) for one in judges(asked[i : i + batch])]
