"""The objective of another trainer as ours: advantage, reward parts, loss, KL, and which groups are learned from."""

from __future__ import annotations

from typing import Any

from vlrl.commands.importing.grammar import Meaning

IN_REWARDS = "rewards hold no KL: loss.beta pulls to the reference instead"
BY_TYPE = {  # loss_type of TRL and ms-swift: (loss, how tokens are averaged)
    "grpo": ("clipped", "sequence"),
    "dapo": ("clipped", "token"),
    "bnpo": ("clipped", "token"),
    "dr_grpo": ("clipped", "sum over the budget"),
    "cispo": ("cispo", "token"),
    "rloo": ("clipped", "sum"),
}
FORMAT_OF = {  # reward functions by name that are a part of ours
    "format": "think_answer",
    "format_reward": "think_answer",
    "external_r1v_format": "think_answer",
    "think_format_reward": "think",
    "reasoning_format": "think_answer",
}
ACCURACY = (
    "accuracy",
    "accuracy_reward",
    "external_r1v_acc",
    "math",
    "math_reward",
    "acc",
    "external_math_acc",
    "r1v_acc",
)
OVERLONG = ("soft_overlong", "soft_overlong_punishment", "get_soft_overlong_punishment")


def objective_of(meaning: Meaning, model: str, response_tokens: int) -> dict[str, Any]:
    """What goes under `rl:` of credit, loss, reference and over-sampling."""
    loss = _loss(meaning, response_tokens)
    found: dict[str, Any] = {"credit": _credit(meaning, response_tokens), "loss": loss}
    if loss.get("beta"):
        found["reference"] = {"path": meaning.take("reference", "rl.reference") or model, "dtype": "bfloat16"}
    if meaning.take("filter_groups", "rl.over_sampling", False):
        found["over_sampling"] = {
            "by": meaning.take("filter_by", "rl.over_sampling.by", "accuracy"),
            "max_rounds": meaning.take("filter_rounds", "rl.over_sampling.max_rounds", 4),
        }
    else:
        meaning.settle("filter_groups", "no difference", "off: all groups count, those without an advantage as nothing")
    return found


def _credit(meaning: Meaning, response_tokens: int) -> dict[str, Any]:
    credit: dict[str, Any] = {"advantage": _advantage(meaning)}
    shape = [*_rewards(meaning), *_overlong(meaning, response_tokens)]
    if shape:
        credit["shape"] = list({part["name"]: part for part in shape}.values())
    if meaning.take("mask_truncated", "rl.credit.weigh", False):
        credit["weigh"] = ["overlong_filter"]
    else:
        meaning.settle("mask_truncated", "no difference", "off: a response that was cut counts")
    return credit


def _advantage(meaning: Meaning) -> Any:
    place = "rl.credit.advantage"
    name = meaning.take("advantage", place)
    if name is None:
        for entry in meaning.entries:
            if entry.key.endswith(("adv_estimator", "advantage_estimator")) and not entry.nothing_lost:
                entry.note = f"{entry.note}; GRPO's stands in the config"
        name = "grpo"
    scale = meaning.take("scale", place, "group")
    if meaning.take("scaled", place, True) is False:
        scale = "none"
    if name == "rloo":
        return "rloo"
    if name == "reinforce_plus_plus":
        return {"name": "reinforce_plus_plus", "baseline": "batch"}
    if name == "reinforce_plus_plus_baseline" or scale == "batch":
        if scale == "batch":
            meaning.settle("scale", "translated", "σ is that of the differences from the group's mean, over the step")
        return {"name": "reinforce_plus_plus", "baseline": "group"}
    return "mean" if scale == "none" else "grpo"


def _rewards(meaning: Meaning) -> list[dict[str, Any]]:
    """Reward parts by the names of reward functions; those that nobody here knows are for the user to decide."""
    names = meaning.take("rewards", "rl.credit.shape", [])
    weights = meaning.take("reward_weights", "rl.credit.shape.weight") or [1.0] * len(names)
    if len(weights) != len(names):
        meaning.settle("reward_weights", "to decide", f"{len(weights)} weights for {len(names)} rewards")
        weights = [1.0] * len(names)
    score = next((w for name, w in zip(names, weights, strict=True) if name.lower() in ACCURACY and w), 1.0)
    found, unknown = [], []
    for name, weight in zip(names, weights, strict=True):
        if name.lower() in FORMAT_OF:
            found.append({"name": "format", "form": FORMAT_OF[name.lower()], "weight": round(weight / score, 6)})
        elif name.lower() in OVERLONG:
            found.append({"name": "overlong", "weight": round(weight / score, 6)})
        elif name.lower() not in ACCURACY:
            unknown.append(name)
    if unknown:
        meaning.settle(
            "rewards", "to decide", f"{', '.join(unknown)}: your own, as a verifier or a reward part: docs/verifiers.md"
        )
    return found


def _overlong(meaning: Meaning, response_tokens: int) -> list[dict[str, Any]]:
    """DAPO's soft limit: over the last tokens of the budget the reward falls in a line."""
    tokens = meaning.peek("overlong_tokens")
    if meaning.take("overlong", "rl.credit.shape", tokens is not None) is False or tokens is None:
        for fact in ("overlong", "overlong_tokens", "overlong_weight"):
            meaning.settle(fact, "no difference", "off")
        return []
    meaning.take("overlong_tokens", "rl.credit.shape.margin_rate")
    weight = meaning.take("overlong_weight", "rl.credit.shape.weight", 1.0)
    return [{"name": "overlong", "weight": weight, "margin_rate": round(min(1.0, tokens / response_tokens), 6)}]


def _loss(meaning: Meaning, response_tokens: int) -> dict[str, Any]:
    kind, aggregate = _kind(meaning)
    place = "rl.loss"
    clip = meaning.take("clip", (f"{place}.clip_low", f"{place}.clip_high"), 0.2)
    low = meaning.take("clip_low", f"{place}.clip_low", clip)
    high = meaning.take("clip_high", f"{place}.clip_high", low if meaning.peek("clip") is None else clip)
    if meaning.peek("clip_low") is not None and meaning.peek("clip_high") is not None:
        meaning.settle("clip", "no difference", "the lower and the upper bound are given one by one")
    if kind == "gspo":
        _no_kl(meaning, "gspo")
        if aggregate not in ("sequence", None):
            meaning.settle("aggregate", "no difference", "gspo has one ratio a response")
        return {"name": "gspo", "clip_low": low, "clip_high": high}
    averaged = _averaged(aggregate, response_tokens)
    if kind == "cispo":
        _no_kl(meaning, "cispo")
        if meaning.grammar.name in ("trl", "ms-swift"):  # there it is the bound itself, and below there is none
            return {"name": "cispo", "clip_low": 1.0, "clip_high": max(high - 1, 1e-6), **averaged}
        return {"name": "cispo", "clip_low": min(1.0, low), "clip_high": high, **averaged}
    note = "one upper and one lower bound; the second bound on tokens of a negative advantage is missing"
    meaning.settle("dual_clip", "no counterpart", note)
    return {"name": "grpo", "clip_low": low, "clip_high": high, "beta": _beta(meaning), **averaged}


def _kind(meaning: Meaning) -> tuple[str, str | None]:
    aggregate = meaning.take("aggregate", "rl.loss.aggregate")
    kind = meaning.take("loss", "rl.loss", "clipped")
    written = meaning.take("loss_type", ("rl.loss", "rl.loss.aggregate"))
    if written is not None:
        if written not in BY_TYPE:
            meaning.settle(
                "loss_type",
                "no counterpart",
                f"{written!r} is no loss here; GRPO's with a mean over tokens stands in the config",
            )
        kind, aggregate = BY_TYPE.get(written, ("clipped", "token"))
        if written == "rloo":
            meaning.settle(
                "loss_type", "translated", "its ratio is that of a whole response, here of each token, added up"
            )
        if written == "bnpo":
            meaning.settle("loss_type", "translated", "the mean is over the whole update, not over a process's part")
    if meaning.take("level", "rl.loss", "token") == "sequence":
        kind = "gspo"
    return kind, aggregate


def _averaged(aggregate: str | None, response_tokens: int) -> dict[str, Any]:
    if aggregate == "sum":
        return {"aggregate": "sum"}
    if aggregate == "sum over the budget":
        return {"aggregate": "sum", "length": response_tokens}
    return {"aggregate": aggregate or "sequence"}


def _beta(meaning: Meaning) -> float:
    """β of the k3 estimate. A KL that is put into rewards has no counterpart."""
    place = "rl.loss.beta"
    if meaning.take("kl_off", place, False):
        for fact in ("kl_on", "kl", "kl_kind"):
            meaning.settle(fact, "no difference", "there is no KL")
        return 0.0
    if meaning.take("kl_on", place, True) is False:
        in_rewards = meaning.peek("kl_off") is False
        note = IN_REWARDS if in_rewards else "off"
        for fact in ("kl_on", "kl", "kl_kind"):
            meaning.settle(fact, "no counterpart" if in_rewards else "no difference", note)
        return 0.0
    beta = float(meaning.take("kl", place, 0.0))
    if meaning.take("kl_in_reward", place, False):
        for fact in ("kl_in_reward", "kl"):
            meaning.settle(fact, "no counterpart", IN_REWARDS)
        return 0.0
    meaning.settle("kl_in_reward", "no difference", "off")
    kind = meaning.take("kl_kind", place)
    if kind not in (None, "low_var_kl", "k3", "low_var_kl+"):
        meaning.settle("kl_kind", "no counterpart", "the KL is the k3 estimate (low_var_kl), in the loss")
    return beta


def _no_kl(meaning: Meaning, loss: str) -> None:
    if _beta(meaning):
        meaning.settle(
            "kl", "no counterpart", f"the loss {loss} has no KL term: it stays near the policy by its clipping"
        )
    meaning.settle("dual_clip", "no difference", f"{loss} has its own bounds")
