"""Calls as GLM's and Gemma's models write them; hermes, which Qwen and most others write, is in call_formats.

glm     <tool_call>zoom
        <arg_key>bbox_2d</arg_key><arg_value>[0, 0, 500, 500]</arg_value></tool_call>
gemma   <|tool_call>call:zoom{bbox_2d:[0,0,500,500],label:<|"|>left<|"|>}<tool_call|>
"""

from __future__ import annotations

import json
import re
from typing import Any

from vlrl.rollout.environments.calls.call_formats import WrittenCall, call_formats

MOST_NESTED = 50  # lists and objects in one another
_GLM = re.compile(r"<tool_call>(.*?)(</tool_call>|(?=<tool_call>)|\Z)", re.DOTALL)
_GLM_ARGUMENT = re.compile(r"\s*<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>\s*", re.DOTALL)
_GEMMA = re.compile(r"<\|tool_call>(.*?)(<tool_call\|>|(?=<\|tool_call>)|\Z)", re.DOTALL)
_GEMMA_CALL = re.compile(r"\s*call:([^{\s]+)\s*(?=\{)")
_QUOTE = '<|"|>'
_KEY = re.compile(r'\s*(?:<\|"\|>(.*?)<\|"\|>|([^\s:{}\[\],]+))\s*:', re.DOTALL)
_BARE = re.compile(r"[^,{}\[\]]*")


@call_formats.register("glm")
def glm(text: str) -> list[WrittenCall]:
    """The tool's name, then key and value in turn: a value is JSON where it can be read so, else a text."""
    return [_glm_call(found[1], bool(found[2])) for found in _GLM.finditer(text)]


def _glm_call(body: str, closed: bool) -> WrittenCall:
    if not closed:
        return WrittenCall("", wrong="the call has no </tool_call>")
    end = body.find("<arg_key>")
    name = (body if end < 0 else body[:end]).strip()
    if not name:
        return WrittenCall("", wrong="the call names no tool")
    arguments: dict[str, Any] = {}
    at = len(body) if end < 0 else end
    while at < len(body):
        found = _GLM_ARGUMENT.match(body, at)
        if found is None:
            return WrittenCall(name, wrong="its arguments are no <arg_key>…</arg_key><arg_value>…</arg_value>")
        arguments[found[1].strip()] = _json_or_text(found[2])
        at = found.end()
    return WrittenCall(name, arguments)


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


@call_formats.register("gemma")
def gemma(text: str) -> list[WrittenCall]:
    """`call:name{key:value}` between Gemma 4's own tokens: texts stand between `<|"|>`, keys bare."""
    return [_gemma_call(found[1], bool(found[2])) for found in _GEMMA.finditer(text)]


def _gemma_call(body: str, closed: bool) -> WrittenCall:
    if not closed:
        return WrittenCall("", wrong="the call has no <tool_call|>")
    found = _GEMMA_CALL.match(body)
    if found is None:
        return WrittenCall("", wrong="the call is no call:name{…}")
    try:
        arguments, end = _value(body, found.end(), 0)
    except ValueError as error:
        return WrittenCall(found[1], wrong=f"its arguments can't be read: {error}")
    if body[end:].strip():
        return WrittenCall(found[1], wrong="something stands behind its arguments")
    return WrittenCall(found[1], arguments)


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    """A value and where it ends. Raises ValueError for what is none."""
    if depth > MOST_NESTED:
        raise ValueError("nested too deeply")
    at = _past_space(text, at)
    if text.startswith(_QUOTE, at):
        end = text.find(_QUOTE, at + len(_QUOTE))
        if end < 0:
            raise ValueError(f"a text has no second {_QUOTE}")
        return text[at + len(_QUOTE) : end], end + len(_QUOTE)
    if text.startswith(("{", "["), at):
        return _several(text, at, depth)
    found = _BARE.match(text, at)
    assert found is not None, "it matches nothing, too"
    word = found[0].strip()
    if not word:
        raise ValueError("a value is missing")
    return _json_or_text(word), found.end()


def _several(text: str, at: int, depth: int) -> tuple[Any, int]:
    """A list or an object."""
    close = "}" if text[at] == "{" else "]"
    items: list[Any] = []
    keyed: dict[str, Any] = {}
    at = _past_space(text, at + 1)
    while not text.startswith(close, at):
        if close == "}":
            key = _KEY.match(text, at)
            if key is None:
                raise ValueError("a value has no name before it")
            keyed[key[1] if key[1] is not None else key[2]], at = _value(text, key.end(), depth + 1)
        else:
            item, at = _value(text, at, depth + 1)
            items.append(item)
        at = _past_space(text, at)
        if text.startswith(",", at):
            at = _past_space(text, at + 1)
        elif not text.startswith(close, at):
            raise ValueError(f"there is no {close}")
    return (keyed if close == "}" else items), at + 1


def _past_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
