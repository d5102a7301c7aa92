"""How a problem is played and what a response earns: environment.py is the protocol, single_turn.py the default.

`episodes/` has what environments of several turns share, `calls/` how tools are called, `tools/` our own on images,
`servers/` those that others serve.
"""

from vlrl.rollout.environments import single_turn  # noqa: F401  files it under its name
from vlrl.rollout.environments.calls import family_formats  # noqa: F401
from vlrl.rollout.environments.episodes import class_environment, gymnasium_environment  # noqa: F401
from vlrl.rollout.environments.servers import mcp_environment, openenv_environment  # noqa: F401
from vlrl.rollout.environments.tools import tool_environment  # noqa: F401
