"""What `vlrl watch` does: a server until Ctrl-C, or a view in the terminal until the run ends."""

from __future__ import annotations

from pathlib import Path

from vlrl.errors import RunError
from vlrl.report.watching.terminal_view import watch_in_terminal
from vlrl.report.watching.watch_server import LOOPBACK, WatchServer
from vlrl.terminal import console


def watch_run(folder: Path, terminal: bool, host: str, port: int) -> None:
    """Raises RunError for a folder that isn't there, ConfigError for an address that can't be listened on."""
    if not folder.is_dir():
        raise RunError(
            str(folder), "is no run folder: it isn't there", "name the folder that a run writes, as in runs/…"
        )
    if terminal:
        watch_in_terminal(folder, console())
        return
    server = WatchServer(folder, host, port)
    print(f"watching {folder}: {server.address}", flush=True)
    if host not in LOOPBACK:
        print(f"anyone who reaches {host} can read this run, its problems and its images", flush=True)
    try:
        server.serve_forever()
    finally:
        server.stopping.set()
        server.server_close()
