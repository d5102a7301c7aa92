"""An MCP server as its authors write it, by the official library; nothing of ours in it."""

import asyncio
import io
import os

from mcp import MCPError
from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from PIL import Image as Pillow

server = MCPServer("glyphs")
count = 0


@server.tool()
def reset(to: int) -> str:
    """Set the counter; its name is no method of anything here."""
    global count
    count = to
    return f"counter {count}"


@server.tool()
def add(by: int = 1) -> str:
    """Add to the counter."""
    global count
    count += by
    return f"counter {count}"


@server.tool()
def paint(red: int) -> Image:
    """A square of this red."""
    file = io.BytesIO()
    Pillow.new("RGB", (32, 32), (red, 0, 0)).save(file, "PNG")
    return Image(data=file.getvalue(), format="png")


@server.tool()
def refuse() -> str:
    """Always an error."""
    raise ToolError("not today")


@server.tool()
def protest() -> str:
    """Always an error of the protocol."""
    raise MCPError(-32602, "not so")


@server.tool()
async def hang() -> str:
    """Takes an hour."""
    await asyncio.sleep(3600)
    return "late"


@server.tool()
def die() -> str:
    """Ends the server."""
    os._exit(3)


if __name__ == "__main__":
    server.run("stdio")
