"""Pure losses; importing the package files them all under their names."""

from vlrl.losses import cispo, ctpo, dpo, grpo, gspo, kimi, likelihood, sft, tgpo  # noqa: F401
