"""The tools of an object: its public methods, each with type hints and a docstring that describes its arguments.

That is how TRL's environments and tools are written; the schema comes from `transformers.utils.get_json_schema`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from transformers.utils import get_json_schema

from vlrl.errors import ConfigError
from vlrl.rollout.environments.calls.arguments import wrong_arguments

NO_TOOLS = ("reset", "get_reward")


def tool_names(kind: type) -> list[str]:
    """Names of the methods that are tools, in alphabetical order: public, and neither `reset` nor `get_reward`."""
    methods = inspect.getmembers(kind, predicate=inspect.isfunction)
    return [name for name, _ in methods if not name.startswith("_") and name not in NO_TOOLS]


@lru_cache(maxsize=64)
def schemas_of(kind: type, names: tuple[str, ...] | None = None) -> dict[str, Mapping[str, Any]]:
    """By name, the JSON schema of each tool of a class; `names` are some of them.

    Raises ConfigError for a class without `reset`, and for a method without type hints or a described argument.
    """
    place = f"environment, class {kind.__qualname__}"
    if not callable(getattr(kind, "reset", None)):
        raise ConfigError(place, "has no method `reset`", "write `def reset(self, **row)`; it may return None")
    found = {}
    for name in tool_names(kind) if names is None else names:
        try:
            found[name] = get_json_schema(getattr(kind, name))
        except Exception as error:  # its own kinds of errors, all of what the author wrote
            raise ConfigError(
                f"{place}, method {name}",
                " ".join(str(error).split()),
                "give every argument a type and a line under `Args:`; what is no tool begins with _",
            ) from error
    return found


def call_tool(played: Any, schemas: Mapping[str, Mapping[str, Any]], name: str, arguments: Mapping[str, Any]) -> Any:
    """What the tool returns: a method of that name, or what `_call_tool` makes of it where the tools are elsewhere.

    Raises BadCallError for a call that no tool takes, and whatever the tool raises.
    """
    if name not in schemas:
        raise BadCallError(f"there is no tool {name[:40]!r}; known are {', '.join(schemas) or 'none'}")
    if problem := wrong_arguments(schemas[name]["function"].get("parameters", {}), arguments):
        raise BadCallError(problem)
    if (called_by_name := getattr(type(played), "_call_tool", None)) is not None:
        return called_by_name(played, name, arguments)
    returned = getattr(played, name)(**arguments)
    return asyncio.run(_awaited(returned)) if inspect.isawaitable(returned) else returned


async def _awaited(returned: Any) -> Any:
    return await returned


class BadCallError(Exception):
    """A call that can't be made: no such tool, or arguments of other kinds; the message is for the policy."""


def reset(played: Any, row: Mapping[str, Any]) -> Any:
    """`played.reset(**row)` with those keys of the row that it takes: all, where it takes any."""
    parameters = inspect.signature(played.reset).parameters
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    return played.reset(**(dict(row) if takes_any else {key: row[key] for key in row if key in parameters}))
