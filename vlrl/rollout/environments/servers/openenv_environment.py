"""An environment behind an OpenEnv server, by its address: a session of the server for each episode.

environment: {name: openenv, url: "http://localhost:8000", turns: 20, images: [screen]}
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import threading
import urllib.request
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from PIL import Image as Pillow
from pydantic import Field, model_validator

from vlrl.errors import ConfigError
from vlrl.installation.extras import install, require_library
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.episode_environment import EpisodeEnvironment
from vlrl.rollout.environments.episodes.world import EnvironmentFault
from vlrl.seeding import derive_seed
from vlrl.types import Problem

ACT = "act"
CONNECT_SECONDS = 30.0  # for a server on a busy machine
TOLD = ("VALIDATION_ERROR", "EXECUTION_ERROR")  # the server's codes for an action that it doesn't take
BROKEN = ("timeout", "transport_error")  # its kinds of errors of a tool that are not the policy's


class OpenEnvSteps:
    """One episode's session as an object with tools: one that takes the fields of its actions, or its MCP tools."""

    def __init__(self, environment: OpenEnvEnvironment) -> None:
        self._environment = environment
        self._client: Any = None
        self.over = False
        self._total: float | None = None
        self._of_turn = 0.0
        self._silent = False

    def reset(self, **row: Any) -> Any:
        """Begin a session; what is seen first, for the prompt."""
        from openenv.core import GenericEnvClient
        from websockets.exceptions import ConnectionClosed

        environment = self._environment
        seconds = environment.tool_seconds
        client = GenericEnvClient(environment.url, CONNECT_SECONDS, seconds, mode="simulation")
        self._client = client.sync()
        seed = row["seed"] if "seed" in row else derive_seed(0, "openenv", str(row["id"])) % 2**31
        given = {name: row[name] for name in environment.reset_columns if name in row}
        try:
            return self._seen(self._client.reset(seed=int(seed), **given))
        except (RuntimeError, ConnectionClosed) as error:  # it says why, or has closed before it could be asked
            if isinstance(error, RuntimeError) and "CAPACITY_REACHED" not in str(error):
                raise
            raise EnvironmentFault(
                f"the server begins no session ({error}): it must take as many at once as there are episodes "
                "(max_concurrent_envs)"
            ) from None

    def _call_tool(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """A step. Raises ValueError, for the policy, for an action that the server doesn't take, and EnvironmentFault
        where it is gone or silent.
        """
        if self.over:
            raise ValueError("the episode is over")
        action = dict(arguments)
        if name != ACT:
            action = {"type": "call_tool", "tool_name": name, "arguments": action}
        try:
            result = self._client.step(action)
        except TimeoutError:
            self._silent = True
            raise EnvironmentFault(f"no answer of the server within {self._environment.tool_seconds:g} s") from None
        except RuntimeError as error:
            if any(f"(code: {code})" in str(error) for code in TOLD):
                raise ValueError(str(error).removeprefix("Server error: ")) from error
            raise EnvironmentFault(str(error)) from error
        except Exception as error:  # the connection's own kinds of errors
            raise EnvironmentFault(f"the server is gone: {error}") from error
        return self._seen(result)

    def _pop_turn_reward(self) -> float:
        """The sum over the steps since it was asked last."""
        found, self._of_turn = self._of_turn, 0.0
        return found

    def _close(self) -> None:
        """End the session; a server that didn't answer isn't waited for."""
        if self._client is None:
            return
        if self._silent:
            threading.Thread(target=self._client.close, name="tool", daemon=True).start()
        else:
            self._client.close()

    def _seen(self, result: Any) -> list[dict[str, Any]]:
        """A step's observation as blocks; its reward and end are noted."""
        self.over = bool(result.done)
        if result.reward is not None:
            self._total = (self._total or 0.0) + float(result.reward)
            self._of_turn += float(result.reward)
        observation = result.observation
        if "tool_name" in observation and "result" in observation:
            if error := observation.get("error"):
                kind = EnvironmentFault if error["error_type"] in BROKEN else ValueError
                raise kind(str(error["message"]))
            return _blocks_of_result(observation["result"])
        return _blocks(observation, self._environment.images)


class JudgedOpenEnvSteps(OpenEnvSteps):
    """One whose server judges."""

    def get_reward(self) -> float | None:
        """The sum over all steps; None, which is a fault, where the server ended the episode and gave none."""
        return self._total if self._total is not None or self.over else 0.0


def _blocks(observation: Mapping[str, Any], images: tuple[str, ...]) -> list[dict[str, Any]]:
    """The fields that are images, and the others as a text: the bare one where a text alone is left, else JSON."""
    shown = {name: value for name, value in observation.items() if name not in images and not _is_data_url(value)}
    found: list[dict[str, Any]] = []
    if shown:
        (only,) = shown.values() if len(shown) == 1 else (None,)
        found.append({"type": "text", "text": only if isinstance(only, str) else json.dumps(shown, ensure_ascii=False)})
    for name, value in observation.items():
        if name not in shown and value is not None:
            found.append({"type": "image", "image": _image(value, name)})
    return found


def _blocks_of_result(result: Any) -> list[dict[str, Any]]:
    """What an MCP tool behind the server returned: its blocks, or any JSON value. Raises ValueError where it says
    that it failed.
    """
    content = result.get("content") if isinstance(result, Mapping) else result
    if not (isinstance(content, list) and all(isinstance(one, Mapping) and "type" in one for one in content)):
        value = result["data"] if isinstance(result, Mapping) and result.get("data") is not None else result
        return [{"type": "text", "text": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}]
    blocks = [
        {"type": "image", "image": _image(one["data"], "an image")}
        if one["type"] == "image"
        else {"type": "text", "text": str(one.get("text", ""))}
        for one in content
    ]
    if isinstance(result, Mapping) and result.get("is_error"):
        raise ValueError(" ".join(one["text"] for one in blocks if one["type"] == "text") or "an error")
    return blocks


def _is_data_url(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("data:image/")


def _image(value: Any, name: str) -> Any:
    """An image of base64, of a data URL, or of bytes as nested lists (height, width, 3). Raises EnvironmentFault for
    anything else.
    """
    try:
        if isinstance(value, str):
            encoded = value.partition(",")[2] if _is_data_url(value) else value
            return Pillow.open(io.BytesIO(base64.b64decode(encoded, validate=True)))
        pixels = np.asarray(value)
        if pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.min() >= 0 and pixels.max() <= 255:
            return pixels.astype(np.uint8)
    except (OSError, ValueError, TypeError, binascii.Error) as error:
        raise EnvironmentFault(f"its field {name!r} is no image: {error}") from error
    raise EnvironmentFault(f"its field {name!r} is no image: neither base64 nor bytes (height, width, 3)")


@lru_cache(maxsize=16)
def action_schema(url: str) -> dict[str, Any]:
    """The JSON schema of the server's actions. Raises ConfigError where nothing answers there as OpenEnv does."""
    address = f"{url.rstrip('/')}/schema"
    try:
        with urllib.request.urlopen(address, timeout=CONNECT_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)["action"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            "environment.url",
            f"{address} gives no schema of actions: {error}",
            "start the OpenEnv server, or correct the address",
        ) from error
    return found


@lru_cache(maxsize=16)
def listed_tools(url: str) -> tuple[Mapping[str, Any], ...]:
    """The MCP tools of a server whose actions are calls of them."""
    from openenv.core import GenericEnvClient

    with GenericEnvClient(url, CONNECT_SECONDS, CONNECT_SECONDS, mode="simulation").sync() as client:
        return tuple(client.step({"type": "list_tools"}).observation["tools"])


@environments.register("openenv")
class OpenEnvEnvironment(EpisodeEnvironment):
    """The environment that an OpenEnv server at `url` serves (the extra `openenv`). One tool, `act`, takes the fields
    of its action; a server of MCP tools has them for tools. Rewards are added up; `reward_range` is their sum's.

    judged_by      rewards, or verifier: of the problem, on the policy's last turn
    images         fields of its observation that are images: base64, or bytes as nested lists. Data URLs are always
    reset_columns  metadata of the problem that `reset` is given besides a seed, which a problem's metadata may name
    """

    url: str = Field(pattern=r"^https?://", description="of the server: http://host:port")
    judged_by: Literal["rewards", "verifier"] = Field(default="rewards", description="rewards | verifier")
    images: tuple[str, ...] = Field(default=(), description="fields of its observation that are images")
    reset_columns: tuple[str, ...] = Field(default=(), description="metadata of a problem that its reset is given")

    @model_validator(mode="after")
    def _is_installed(self) -> OpenEnvEnvironment:
        require_library("openenv", install("openenv"), "environment")
        if self.episode_memory_mib is not None:
            raise ConfigError(
                "environment.episode_memory_mib", "its tools run in the server's process", "leave it out for openenv"
            )
        return self

    def open(self, problem: Problem) -> Any:
        """Connected when the episode begins."""
        return JudgedOpenEnvSteps(self) if self.judged_by == "rewards" else OpenEnvSteps(self)

    def schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """As the server gives them. Raises ConfigError where there is none."""
        action = action_schema(self.url)
        fields = {name: one for name, one in action.get("properties", {}).items() if name != "metadata"}
        if not fields or "tool_name" in fields:
            tools = listed_tools(self.url)
            return {one["name"]: _function(one["name"], one["description"], one["input_schema"]) for one in tools}
        parameters = {**action, "properties": fields}
        return {ACT: _function(ACT, action.get("description", "Do one step."), parameters)}

    def is_over(self, played: Any) -> bool:
        """As the server said with its last observation."""
        return bool(played.over)

    def turn_reward(self, played: Any) -> float | None:
        """The sum over the turn's steps, 0 where none was done; None where the server doesn't judge."""
        return float(played._pop_turn_reward()) if self.judged_by == "rewards" else None


def _function(name: str, description: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}
