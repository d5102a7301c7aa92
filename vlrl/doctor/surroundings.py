"""What the environment says: model hub, data folder, tracker."""

from __future__ import annotations

import netrc
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from vlrl.doctor.finding import Finding, note, ok, problem
from vlrl.installation.extras import install

YES = ("1", "ON", "YES", "TRUE")


def hub_folder() -> Path:
    """Where models and data sets of the hub are kept."""
    home = os.environ.get("HF_HOME") or str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def check_hub() -> Finding:
    """Whether models come from the hub, from its cache alone, or from a mirror."""
    folder = hub_folder()
    models = len(list(folder.glob("models--*"))) if folder.is_dir() else 0
    offline = [name for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if os.environ.get(name, "").upper() in YES]
    said = f"{models} models in {folder}"
    if offline:
        return note(
            "model hub",
            f"{said}; {offline[0]} is set: nothing else is fetched",
            f"unset {offline[0]} to fetch models by name",
        )
    return ok("model hub", said + (f", from {os.environ['HF_ENDPOINT']}" if "HF_ENDPOINT" in os.environ else ""))


def check_data() -> Iterator[Finding]:
    """Folders and files that shipped recipes read from the environment."""
    for name in ("VLRL_DATA", "VLRL_TRAIN"):
        if (given := os.environ.get(name)) is None:
            continue
        if Path(given).expanduser().exists():
            yield ok(name, given)
        else:
            yield problem(name, f"{given!r} isn't there", f"export {name}=… with a path that is")


LIBRARIES = {
    "wandb": "wandb",
    "tensorboard": "tensorboard",
    "trackio": "trackio",
    "swanlab": "swanlab",
    "mlflow": "mlflow",
}


def check_trackers(wanted: str) -> Iterator[Finding]:
    """Whether the config's tracker is installed, and whether wandb could be written to: a problem only where a config
    asks for it.
    """
    if wanted in LIBRARIES and find_spec(LIBRARIES[wanted]) is None:
        yield problem(wanted, f"isn't installed, and the config says tracker: {wanted}", install(wanted))
    if find_spec("wandb") is not None:
        yield from _check_wandb(wanted == "wandb")


def _check_wandb(wanted: bool) -> Iterator[Finding]:
    mode = os.environ.get("WANDB_MODE", "online")
    if mode != "online":
        yield ok("wandb", f"WANDB_MODE={mode}")
    elif os.environ.get("WANDB_API_KEY") or _in_netrc():
        yield ok("wandb", "logged in")
    else:
        said = "is installed, nobody is logged in"
        remedy = "wandb login, or export WANDB_MODE=offline"
        yield problem("wandb", said, remedy) if wanted else note("wandb", said, f"for tracker: wandb, {remedy}")


def _in_netrc() -> bool:
    file = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    try:
        return any("wandb" in host for host in netrc.netrc(str(file)).hosts) if file.is_file() else False
    except (netrc.NetrcParseError, OSError):
        return False
