"""Arguments of a call against the tool's JSON schema: what is wrong with them, in words that the policy can use."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

MOST_VALUES = 10_000  # numbers, texts and lists in the arguments of one call
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def wrong_arguments(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> str | None:
    """What keeps the arguments from being those of a tool with this schema of parameters; None where nothing does."""
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in arguments:
            return f"the argument {name} is missing"
    for name, value in arguments.items():
        if name not in known:
            return f"there is no argument {name[:40]!r}; known are {', '.join(known) or 'none'}"
        if problem := _mismatch(known[name], value):
            return f"the argument {name} {problem}"
    for count, value in enumerate(_scalars(arguments)):
        if count > MOST_VALUES:
            return f"the arguments hold more than {MOST_VALUES} values"
        if isinstance(value, float) and not math.isfinite(value):
            return f"the arguments hold {value}, which is no finite number"
    return None


def _scalars(value: Any) -> Iterator[Any]:
    """Every value in it, lists and objects included; without recursion, since a policy may nest without end."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _mismatch(schema: Mapping[str, Any], value: Any) -> str | None:
    """By the schema's depth, whatever the value's."""
    if value is None and schema.get("nullable"):
        return None
    if "enum" in schema and value not in schema["enum"]:
        return f"is none of {', '.join(map(str, schema['enum']))}"
    kinds = schema.get("type")
    names = [kinds] if isinstance(kinds, str) else list(kinds or ())
    if names and not any(_is(name, value) for name in names):
        return f"is no {' or '.join(names)}"
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for one in value[:MOST_VALUES]:
            if problem := _mismatch(schema["items"], one):
                return f"holds something that {problem}"
    return None


def _is(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _KINDS.get(name, (object,)))
