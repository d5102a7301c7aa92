"""Integrity checks of a run (its card's `integrity`): what each asks, what this run found, and who measured it.

A check that this run doesn't make says so with the reason: none is left out, and none is passed without a figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlrl.report.read_run import is_idle
from vlrl.runlog.log_lines import read_jsonl
from vlrl.types import MODALITIES

Lines = Sequence[Mapping[str, Any]]
_ROUNDING = 1e-9  # of a share that was computed as 1 minus another
_NO_RL = "no one: the run has no step of RL"
_BY_TESTS = "no one in this run: it would cost a second backward pass; of the code it is tested, in {}"


def integrity_checks(metrics: Path, rl: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By check, over all steps of RL in a metrics.jsonl:

    asks         the question
    measured_by  who measured it in this run, or why no one did
    found        figures; empty where no one measured it
    bound        what `found` is held to and which setting says so; absent where the run sets none
    passed       whether it holds; null where there is no figure or no bound

    rl  the run's settings of RL, resolved
    """
    lines = [line for line in read_jsonl(metrics) if line["phase"] == "rl"] if metrics.is_file() else []
    agreement = rl.get("agreement") or {}
    return {
        "effective batch": _not_measured(
            "are the gradients of micro-batches, added up, those of the whole batch?",
            _BY_TESTS.format("tests/model/training/test_torch_policy.py"),
        ),
        "loss normalisers": _not_measured(
            "does a loss divide by the counts of the whole update, however it is split?",
            _BY_TESTS.format("tests/losses/test_every_loss.py"),
        ),
        "steps without effect": _idle(lines),
        "log-probability gap": _gap(lines, agreement.get("max_gap")),
        "images are seen": _probes(lines, agreement),
        "groups of zero variance": _zero_variance(lines),
        "verdicts that are faults": _faults(lines, rl.get("max_fault_rate")),
        "false positives": _false_positives(lines, rl.get("audit")),
    }


def _not_measured(asks: str, why: str) -> dict[str, Any]:
    return {"asks": asks, "measured_by": why, "found": {}, "passed": None}


def _measured(
    asks: str, by: str, found: Mapping[str, Any], bound: str | None = None, passed: bool | None = None
) -> dict[str, Any]:
    limits = {} if bound is None else {"bound": bound}
    return {"asks": asks, "measured_by": by, "found": dict(found), **limits, "passed": passed}


def _idle(lines: Lines) -> dict[str, Any]:
    """A gradient that isn't finite ends a run, so no step is skipped for it; what can be is a step of gradient 0."""
    asks = "did every step change a weight?"
    if not lines:
        return _not_measured(asks, _NO_RL)
    without = sum(map(is_idle, lines))
    updates = round(sum(line.get("updates") or 0 for line in lines))
    found = {"steps": len(lines), "updates": updates, "without effect": without}
    return _measured(asks, "the trainer, in every step", found, "0 steps without effect", without == 0)


def _gap(lines: Lines, most: float | None) -> dict[str, Any]:
    """Nats a token between the engine that wrote it and the policy at the iteration's start, of fresh tokens."""
    asks = "do engine and trainer give a response the same log-probabilities?"
    held = [line for line in lines if line.get("logprob_gap/mean") is not None]
    tokens = sum(line["logprob_gap/compared_tokens"] for line in held)
    if not tokens:
        return _not_measured(asks, "no one: no update compared a fresh token" if lines else _NO_RL)
    gaps = [line[key] for line in held for name in MODALITIES if (key := f"logprob_gap/{name}") in line]
    worst = max((gap for gap in gaps if gap is not None), default=None)
    found = {
        "tokens": round(tokens),
        "mean": sum(line["logprob_gap/mean"] * line["logprob_gap/compared_tokens"] for line in held) / tokens,
        "largest mean of a step and modality": worst,
        "largest of a token": max(line["logprob_gap/max"] for line in held),
    }
    by = "the trainer, in every step, of tokens that the present policy wrote"
    if most is None or worst is None:
        return _measured(asks, by, found)
    return _measured(asks, by, found, f"{most:g} nats a token (rl.agreement.max_gap)", worst <= most)


def _probes(lines: Lines, agreement: Mapping[str, Any]) -> dict[str, Any]:
    asks = "do log-probabilities move when another image stands in an image's place?"
    held = [line for line in lines if line.get("probe/image_shift") is not None]
    if not held:
        asked = agreement.get("probe_every") is not None
        why = "no one: no step had problems with images" if asked else "no one: rl.agreement.probe_every is not set"
        return _not_measured(asks, why if lines else _NO_RL)
    least = min(line["probe/image_shift"] for line in held)
    found = {"probes": len(held), "least shift": least}
    bound = agreement.get("min_shift")
    if bound is None:
        return _measured(asks, "the trainer's probes", found)
    return _measured(
        asks, "the trainer's probes", found, f"{bound:g} nats a token (rl.agreement.min_shift)", least >= bound
    )


def _zero_variance(lines: Lines) -> dict[str, Any]:
    """No bound: how many groups agree is what problems and policy are, and no fault of the run."""
    asks = "in how many groups do all responses have one score, so that they teach nothing?"
    rates = [rate for line in lines if (rate := line.get("groups/zero_variance_rate")) is not None]
    if not rates:
        return _not_measured(asks, "no one: no group was judged" if lines else _NO_RL)
    ends = {"first step": rates[0], "last step": rates[-1]}
    return _measured(asks, "the verifiers, in every step", {"mean share": sum(rates) / len(rates), **ends})


def _faults(lines: Lines, most: float | None) -> dict[str, Any]:
    asks = "how many verdicts could not be given, unparsed ones of a judge among them?"
    rates = [rate for line in lines if (rate := line.get("verdicts/fault_rate")) is not None]
    if not rates:
        return _not_measured(asks, "no one: no response was judged" if lines else _NO_RL)
    found = {"mean share": sum(rates) / len(rates), "largest share of a step": max(rates)}
    if most is None:
        return _measured(asks, "the verifiers, in every step", found)
    bound = f"a share of {most:g} of a step (rl.max_fault_rate)"
    return _measured(asks, "the verifiers, in every step", found, bound, max(rates) <= most + _ROUNDING)


def _false_positives(lines: Lines, audit: Mapping[str, Any] | None) -> dict[str, Any]:
    """The last line that has the audit's figures: they are of all steps up to it."""
    asks = "how many rewarded responses does a verifier of another kind refuse?"
    held = [line for line in lines if line.get("audit/checked")]
    if not held:
        why = "no one: rl.audit names no second verifier" if audit is None else "no one: no rewarded response was drawn"
        return _not_measured(asks, why if lines else _NO_RL)
    found = {key.removeprefix("audit/"): value for key, value in held[-1].items() if key.startswith("audit/")}
    by = f"a second verifier, {_named((audit or {}).get('verifier'))}"
    most = (audit or {}).get("max_disagreement_rate")
    if most is None:
        return _measured(asks, by, found)
    bound = f"an interval that reaches down to {most:g} (rl.audit.max_disagreement_rate)"
    return _measured(asks, by, found, bound, found["low"] <= most)


def _named(verifier: Any) -> str:
    return ", ".join(sorted(set(verifier.values()))) if isinstance(verifier, Mapping) else str(verifier)
