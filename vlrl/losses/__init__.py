"""Pure losses; importing the package files them all under their names.

Read loss_inputs and loss_registry, then kimi; policy_gradient/ holds the losses with a clipped ratio.
"""

from vlrl.losses import (  # noqa: F401
    dpo_loss,
    kimi,
    likelihood,
    sft_loss,
)
from vlrl.losses.policy_gradient import (
    cispo,  # noqa: F401
    ctpo,  # noqa: F401
    grpo,  # noqa: F401
    gspo,  # noqa: F401
    tgpo,  # noqa: F401
)
