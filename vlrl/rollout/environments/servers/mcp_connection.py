"""A connection to an MCP server that a command starts, for any thread: the official client in a loop of its own."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import TimeoutError as WaitedTooLong
from typing import Any

from vlrl.errors import ConfigError
from vlrl.rollout.environments.episodes.world import EnvironmentFault

START_SECONDS = 60.0  # for a server to come up on a busy machine
ANSWER_SECONDS = 2.0  # within which a server that lives says so
Key = tuple[int, tuple[str, ...], tuple[tuple[str, str], ...]]


class McpConnection:
    """One server and its client, for several threads. Raises ConfigError where the server doesn't start."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        self._command, self._variables = list(command), dict(variables)
        self._started, self._ended = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._stop: asyncio.Event | None = None
        threading.Thread(target=self._live, name="mcp", daemon=True).start()
        if not self._started.wait(START_SECONDS) or self._error is not None:
            said = f"does not start: {_innermost(self._error)}" if self._error else f"is silent for {START_SECONDS:g} s"
            raise ConfigError(
                "environment.command", f"{' '.join(command)} {said}", "the command must start an MCP server on stdio"
            )

    @property
    def alive(self) -> bool:
        """Whether it can be spoken to."""
        return not self._ended.is_set()

    def schemas(self) -> dict[str, Mapping[str, Any]]:
        """By name, the JSON schema of every tool."""
        found: dict[str, Mapping[str, Any]] = {}
        cursor = None
        while True:
            page = self._wait(self._client.list_tools(cursor=cursor), START_SECONDS)
            for tool in page.tools:
                function = {"name": tool.name, "description": tool.description or "", "parameters": tool.input_schema}
                found[tool.name] = {"type": "function", "function": function}
            cursor = page.next_cursor
            if cursor is None:
                return found

    def call(self, name: str, arguments: Mapping[str, Any], seconds: float) -> Any:
        """The server's `CallToolResult`. Raises EnvironmentFault where it is gone or silent, and ValueError, for the
        policy, where it refuses the call.
        """
        try:
            return self._wait(self._client.call_tool(name, dict(arguments)), seconds)
        except (WaitedTooLong, TimeoutError):
            raise EnvironmentFault(f"no answer of the server within {seconds:g} s") from None
        except Exception as error:  # a server that still answers has refused the call
            try:
                self._wait(self._client.list_tools(), ANSWER_SECONDS)  # no ping since 2026-07-28
            except Exception:
                self.close()
                raise EnvironmentFault(f"the server is gone: {_innermost(error)}") from error
            raise ValueError(str(_innermost(error))) from error

    def close(self) -> None:
        """End the server. Idempotent."""
        if self._stop is not None and not self._ended.is_set():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._ended.wait(ANSWER_SECONDS)

    def _wait(self, coroutine: Any, seconds: float) -> Any:
        if self._ended.is_set():
            coroutine.close()
            raise EnvironmentFault("the server is gone")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(seconds)
        except WaitedTooLong:
            future.cancel()
            raise

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # told by the constructor, or by the next call
            self._error = error
        finally:
            self._ended.set()
            self._started.set()

    async def _serve(self) -> None:
        from mcp import Client, StdioServerParameters

        program, *arguments = self._command
        server = StdioServerParameters(
            command=sys.executable if program == "python" else program,
            args=arguments,
            env={**os.environ, **self._variables},
        )
        self._stop = asyncio.Event()
        async with Client(server, cache=None) as self._client:
            self._started.set()
            await self._stop.wait()


def _innermost(error: BaseException | None) -> BaseException | None:
    """What task groups have wrapped."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error


_shared: dict[Key, McpConnection] = {}
_lock = threading.Lock()


def shared_connection(command: tuple[str, ...], variables: Mapping[str, str]) -> McpConnection:
    """The server of this command that all episodes share; another one where it has ended."""
    key = os.getpid(), command, tuple(sorted(variables.items()))
    with _lock:
        if key not in _shared or not _shared[key].alive:
            _shared[key] = McpConnection(command, variables)
        return _shared[key]


@atexit.register
def _end_all() -> None:
    for (process, *_), connection in _shared.items():
        if process == os.getpid():
            connection.close()
