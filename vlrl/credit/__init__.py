"""Reward parts, advantages and token credit; importing the package files them all under their names."""

from vlrl.credit import (  # noqa: F401
    adjusted,
    advantages,
    batch_advantages,
    distillation,
    fitted,
    format_reward,
    group_parts,
    length_parts,
    length_reward,
    repeat_penalty,
    reward_mix,
    step_weights,
    token_weights,
)
