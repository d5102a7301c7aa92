"""Tools of an MCP server as an environment: the problem's verifier judges the policy's last turn.

environment: {name: mcp, command: [python, my_server.py], turns: 6}
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image as Pillow
from pydantic import Field, model_validator

from vlrl.errors import ConfigError, did_you_mean
from vlrl.installation.extras import install, require_library
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.episode_environment import EpisodeEnvironment
from vlrl.rollout.environments.servers.mcp_connection import McpConnection, shared_connection
from vlrl.types import Problem


class McpTools:
    """One episode's view of a server."""

    def __init__(self, environment: McpEnvironment) -> None:
        self._environment = environment
        self._server: McpConnection | None = None

    def reset(self) -> None:
        """The server that this episode speaks to."""
        environment = self._environment
        if environment.server_per_episode:
            self._server = McpConnection(environment.command, environment.variables)
        else:
            self._server = shared_connection(environment.command, environment.variables)

    def _call_tool(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Blocks of what the server returns. Raises ValueError, for the policy, for what it calls an error."""
        assert self._server is not None, "reset comes first"
        returned = self._server.call(name, arguments, self._environment.tool_seconds)
        blocks = [_block(content) for content in returned.content]
        if returned.is_error:
            raise ValueError(" ".join(block["text"] for block in blocks if block["type"] == "text") or "an error")
        return blocks

    def _close(self) -> None:
        if self._server is not None and self._environment.server_per_episode:
            self._server.close()


def _block(content: Any) -> dict[str, Any]:
    """A block of the protocol as one of ours. Raises ValueError, for the policy, for sound and the like."""
    if content.type == "text":
        return {"type": "text", "text": content.text}
    if content.type == "image":
        return {"type": "image", "image": Pillow.open(io.BytesIO(base64.b64decode(content.data)))}
    text = getattr(getattr(content, "resource", None), "text", None) or getattr(content, "uri", None)
    if text is None:
        raise ValueError(f"the result holds {content.type}, which can't be shown")
    return {"type": "text", "text": str(text)}


@environments.register("mcp")
class McpEnvironment(EpisodeEnvironment):
    """The tools of the server that `command` starts on its standard input and output (the extra `mcp`).

    server_per_episode  a server for every episode, for one that remembers; else all episodes share one
    """

    command: tuple[str, ...] = Field(min_length=1, description="program and arguments; `python` is the run's own")
    variables: Mapping[str, str] = Field(default={}, description="of the server's environment, beside the run's")
    tools: tuple[str, ...] = Field(default=(), description="names of those that are offered; none: all")
    server_per_episode: bool = False

    @model_validator(mode="after")
    def _is_installed(self) -> McpEnvironment:
        require_library("mcp", install("mcp"), "environment")
        if self.episode_memory_mib is not None:
            raise ConfigError(
                "environment.episode_memory_mib", "its tools run in the server's process", "leave it out for mcp"
            )
        return self

    def check_partial(self) -> None:
        """Raises ConfigError for a server that all episodes share: told the same again it would do it twice."""
        super().check_partial()
        if not self.server_per_episode:
            raise ConfigError(
                "rl.partial",
                "an episode that waits is restored by making its calls again, and the environment mcp has one "
                "server for all episodes",
                "server_per_episode: true, or leave rl.partial out",
            )

    def open(self, problem: Problem) -> Any:
        """Connected when the episode begins."""
        return McpTools(self)

    def files(self) -> tuple[str, ...]:
        """Those that the command names, e.g. the server's script."""
        return tuple(word for word in self.command if Path(word).is_file())

    def schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """As the server lists them. Raises ConfigError where it doesn't start or lacks one of `tools`."""
        listed = shared_connection(self.command, self.variables).schemas()
        for name in self.tools:
            if name not in listed:
                raise ConfigError("environment.tools", f"the server has no {name!r}", did_you_mean(name, listed))
        return {name: listed[name] for name in self.tools or listed}
