"""OpenEnv servers as their authors write them, by the official library; nothing of ours in them.

python openenv_server.py PORT serves /line, /desk and /narrow
"""

import base64
import io
import sys

import uvicorn
from fastapi import FastAPI
from fastmcp import FastMCP
from fastmcp.utilities.types import Image
from openenv.core import Action, Environment, Observation, State, create_fastapi_app
from openenv.core.env_server.mcp_environment import MCPEnvironment
from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation
from PIL import Image as Pillow


class Move(Action):
    """Go along the line."""

    by: int
    say: str = ""


class Seen(Observation):
    at: int
    screen: str


class Line(Environment):
    """From 0 to a goal that the seed says; half a point for the right direction."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def reset(self, seed=None, episode_id=None, goal=None, **kwargs):
        self.at, self.goal = 0, goal if goal is not None else 3 + (seed or 0) % 2
        return self._seen(None, False)

    def step(self, action, timeout_s=None, **kwargs):
        if action.by > 9:
            raise ValueError("too far")
        if action.say == "hang":
            import time

            time.sleep(3600)
        self.at += action.by
        done = self.at == self.goal
        return self._seen(0.5 if done else 0.25 * (action.by > 0), done)

    @property
    def state(self):
        return State(step_count=self.at)

    def _seen(self, reward, done):
        return Seen(at=self.at, screen=base64.b64encode(_png(20 * self.at % 256)).decode(), reward=reward, done=done)


class Desk(MCPEnvironment):
    """Its actions are tools of an MCP server; it gives no reward."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self):
        server = FastMCP("desk")
        self.count = 0

        @server.tool()
        def add(by: int) -> int:
            """Add to the counter."""
            self.count += by
            return self.count

        @server.tool()
        def paint(red: int) -> Image:
            """A square of this red."""
            return Image(data=_png(red), format="png")

        @server.tool()
        def refuse() -> str:
            """Always an error."""
            raise ValueError("not today")

        super().__init__(server)

    def reset(self, seed=None, episode_id=None, **kwargs):
        self.count = 0
        return Observation(done=False)

    def _step_impl(self, action, timeout_s=None, **kwargs):
        raise ValueError("tools alone")

    @property
    def state(self):
        return State(step_count=self.count)


def _png(red):
    file = io.BytesIO()
    Pillow.new("RGB", (32, 32), (red, 0, 0)).save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    app = FastAPI()
    app.mount("/line", create_fastapi_app(Line, Move, Seen, max_concurrent_envs=64))
    app.mount("/desk", create_fastapi_app(Desk, CallToolAction, CallToolObservation, max_concurrent_envs=64))
    app.mount("/narrow", create_fastapi_app(Line, Move, Seen, max_concurrent_envs=1))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
