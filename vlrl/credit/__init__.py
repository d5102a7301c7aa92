"""Reward parts, advantages and token credit; importing the package files them all under their names.

Read assign and credit_context, then advantage/, rewards/ and tokens/.
"""

from vlrl.credit.advantage import (
    adjusted,  # noqa: F401
    advantages,  # noqa: F401
    batch_advantages,  # noqa: F401
    fitted,  # noqa: F401
    reward_mix,  # noqa: F401
    shortest_right,  # noqa: F401
)
from vlrl.credit.rewards import (
    call_reward,  # noqa: F401
    declared_budget,  # noqa: F401
    entropy_alignment,  # noqa: F401
    format_reward,  # noqa: F401
    group_parts,  # noqa: F401
    length_parts,  # noqa: F401
    length_reward,  # noqa: F401
    repeat_penalty,  # noqa: F401
)
from vlrl.credit.tokens import (
    distillation,  # noqa: F401
    entropy_extremes,  # noqa: F401
    self_distillation,  # noqa: F401
    step_weights,  # noqa: F401
    token_weights,  # noqa: F401
    turn_credit,  # noqa: F401
)
