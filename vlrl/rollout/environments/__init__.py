"""How a problem is played and what a response earns: environment.py is the protocol, single_turn.py the default."""

from vlrl.rollout.environments import single_turn  # noqa: F401  files it under its name
