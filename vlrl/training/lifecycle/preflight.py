"""What can be found wrong with a run on this machine before data or a model is read; `vlrl plan` asks the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from vlrl.errors import ConfigError
from vlrl.installation.extras import require_library
from vlrl.model.attention.prompt_attention import check_attention, check_masks
from vlrl.model.load import DTYPES, choose_device, context_of
from vlrl.model.optimization.lora import require_peft
from vlrl.rollout.distributed_engine import check_engine
from vlrl.training.run_settings import RunSettings


def check_machine(settings: RunSettings, ranks: int | None = None) -> None:
    """Raises ConfigError for a library or a device that any stage of the run needs and this machine hasn't.

    Without `ranks` the run has as many as there are now.
    """
    check_engine(settings.engine, ranks)
    require_library(settings.backend.library, settings.backend.remedy, "backend")
    model, device = settings.model, choose_device(settings.model.device)
    check_attention(model.attention, device, DTYPES[model.dtype])
    for stage, policy in settings.policies:
        require_peft(policy.lora, f"{stage}.policy.lora")
        check_masks(model.attention, device, policy.micro_batch_tokens)


def obstacles(
    settings: RunSettings, config: Any, ranks: int, device: torch.device, here: bool, *more: Callable[[], None]
) -> list[str]:
    """Why the run of a model of this configuration over this many ranks would stop at its start on this device.

    Libraries are looked for where the device is `here`, on this machine. `more` are further checks.
    """
    found, model = [], settings.model
    checks = [lambda: settings.check_model(config, device, context_of(config, model), DTYPES[model.dtype]), *more]
    checks.insert(0, (lambda: check_machine(settings, ranks)) if here else (lambda: settings.engine.check_ranks(ranks)))
    for check in checks:
        try:
            check()
        except ConfigError as error:
            found.append(" ".join(str(error).split()))
    return found
