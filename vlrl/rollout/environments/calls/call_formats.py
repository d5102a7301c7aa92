"""How a family of models writes calls of tools: a turn's text → the calls in it, whole or not.

A format is a function `text -> list of WrittenCall` under a name; one of your own is filed in a plugin by
`@call_formats.register("mine")`. Whatever a policy writes is data: a format raises nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from vlrl.registry import Registry


@dataclass(frozen=True)
class WrittenCall:
    """A call as the policy wrote it.

    wrong  why it can't be made, in words for the policy; None where name and arguments could be read
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    wrong: str | None = None


CallFormat: TypeAlias = Callable[[str], list[WrittenCall]]
call_formats: Registry[CallFormat] = Registry("call format", docs="docs/episodes.md")

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_BLOCK = re.compile(re.escape(OPEN) + r"(.*?)(?:" + re.escape(CLOSE) + r"|(?=" + re.escape(OPEN) + r")|\Z)", re.DOTALL)


@call_formats.register("hermes")
def hermes(text: str) -> list[WrittenCall]:
    """`<tool_call>{"name": …, "arguments": {…}}</tool_call>`, as Hermes and Qwen write them, several in a turn."""
    return [_read(found[1], found[0].endswith(CLOSE)) for found in _BLOCK.finditer(text)]


def _read(body: str, closed: bool) -> WrittenCall:
    if not closed:
        return WrittenCall("", wrong=f"the call has no {CLOSE}")
    try:
        value = json.loads(body)
    except RecursionError:
        return WrittenCall("", wrong="the call is nested too deeply")
    except ValueError as error:
        return WrittenCall("", wrong=f"the call is no JSON: {error}"[:200])
    if not isinstance(value, dict):
        return WrittenCall("", wrong="the call is no JSON object with name and arguments")
    name, arguments = value.get("name"), value.get("arguments", {})
    if not isinstance(name, str) or not name:
        return WrittenCall("", wrong="the call names no tool")
    if isinstance(arguments, str):  # some models write the arguments as a text of JSON
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return WrittenCall(name, wrong="its arguments are no JSON object")
    if not isinstance(arguments, dict):
        return WrittenCall(name, wrong="its arguments are no JSON object")
    return WrittenCall(name, arguments)
