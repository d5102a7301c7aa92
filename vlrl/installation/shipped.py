"""Configs, recipes and examples that come with vlrl, by path or by name, from any folder.

In a checkout they are the folders configs/, data_recipes/ and examples/; a wheel carries them inside of the package.
A file of the user's always wins. After it come the shipped file of that path (`configs/rl/k1_5.yaml`,
`data_recipes/quickstart.yaml`) and, where the name has no suffix, the shipped file of that name (`k1_5`, `rl/k1_5`).
"""

from __future__ import annotations

import difflib
import functools
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import vlrl
from vlrl import dist
from vlrl.errors import ConfigError

Kind = Literal["config", "recipe", "example", "notebook"]
FOLDERS: dict[Kind, str] = {
    "config": "configs",
    "recipe": "data_recipes",
    "example": "examples",
    "notebook": "examples",
}
SUFFIXES: dict[Kind, str] = {"config": ".yaml", "recipe": ".yaml", "example": ".py", "notebook": ".ipynb"}
LISTED_BY: dict[Kind, str] = {
    "config": "vlrl configs",
    "recipe": "vlrl recipes",
    "example": "vlrl recipes",
    "notebook": "vlrl recipes",
}
_NAMED_FILE = re.compile(rf"(?:{'|'.join(FOLDERS.values())})/[\w./-]+\.(?:yaml|py)")


def root() -> Path:
    """The folder that holds configs/, data_recipes/ and examples/: the package's own, or the checkout around it."""
    package = Path(vlrl.__file__).resolve().parent
    return package if (package / FOLDERS["config"]).is_dir() else package.parent


def names(kind: Kind) -> dict[str, Path]:
    """Every shipped file of a kind by name: its path below the folder of its kind, without the suffix."""
    folder, suffix = root() / FOLDERS[kind], SUFFIXES[kind]
    files = sorted(folder.rglob(f"*{suffix}"), key=lambda file: (len(file.relative_to(folder).parts), str(file)))
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}


def locate(given: str | Path, kind: Kind, first: Sequence[str] = ("",)) -> Path:
    """The file that a user means: one of that path, else the shipped one of that path or name, else the path as given.

    first  folders of shipped configs in the order in which a bare name is looked up, e.g. ("curate",); elsewhere it is
           taken where it is the only one

    The caller finds out whether the file is there. A shipped file is named on stderr, once. Raises ConfigError for a
    bare name that several shipped files have.
    """
    path = Path(given).expanduser()
    if path.is_file() or path.is_absolute():
        return path
    found = _shipped(Path(given).as_posix(), kind, first)
    if found is None:
        return path
    _say_once(str(given), found)
    return found


def _shipped(given: str, kind: Kind, first: Sequence[str]) -> Path | None:
    if Path(given).suffix:
        held = root() / given
        return held if given.startswith(f"{FOLDERS[kind]}/") and ".." not in given and held.is_file() else None
    held_names = names(kind)
    wanted = given.removeprefix(f"{FOLDERS[kind]}/")
    for folder in first:
        if (name := f"{folder}/{wanted}".lstrip("/")) in held_names:
            return held_names[name]
    if wanted in held_names:
        return held_names[wanted]
    several = [name for name in held_names if name.endswith(f"/{wanted}")]
    if len(several) > 1:
        raise ConfigError(
            given, f"is the name of {len(several)} shipped {kind}s", f"say which: {', '.join(sorted(several))}"
        )
    return held_names[several[0]] if several else None


def not_there(given: str | Path, kind: Kind) -> ConfigError:
    """The error for a file that is neither there nor shipped: near names, and where relative paths start."""
    known = names(kind)
    by_last = {name.rpartition("/")[2]: name for name in reversed(known)}
    stem = (
        (Path(given).with_suffix("") if Path(given).name else Path(given)).as_posix().removeprefix(f"{FOLDERS[kind]}/")
    )
    close = difflib.get_close_matches(stem, known, n=3, cutoff=0.6)
    close += [by_last[one] for one in difflib.get_close_matches(Path(stem).name, by_last, n=3, cutoff=0.6)]
    near = f"did you mean the shipped {' or '.join(map(repr, dict.fromkeys(close)))}? " if close else ""
    where = "" if Path(given).expanduser().is_absolute() else f"; a relative one starts at {Path.cwd()}"
    return ConfigError(
        str(given),
        f"no such file, and no shipped {kind} of this name" if not Path(given).suffix else "no such file",
        f"{near}check the path{where}; `{LISTED_BY[kind]}` lists those that vlrl ships under {FOLDERS[kind]}/",
    )


@functools.cache
def _say_once(given: str, found: Path) -> None:
    if dist.is_first():
        print(f"{given}: as vlrl ships it, {found}", file=sys.stderr)


def about(file: Path) -> str:
    """The first sentence of the comment that a shipped file begins with."""
    said = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        said.append(line.lstrip("# "))
    return re.split(r"(?<=\.)\s", " ".join(said), maxsplit=1)[0].rstrip(".:")


def copy(name: str, target: Path, kind: Kind | None = None) -> list[Path]:
    """Write a shipped file of any kind, and every shipped file that it names, below `target` to be edited.

    They keep their paths (`configs/rl/k1_5.yaml`, `data_recipes/quickstart.yaml`), so that commands given in `target`
    take the copies. Returns the files written, the one that was named first. Raises ConfigError for a name that isn't
    shipped, and for a file that is there already and differs; then nothing is written.
    """
    source = None
    for one in (kind,) if kind else tuple(FOLDERS):
        source = source or _shipped(name, one, ("",))
    if source is None:
        raise not_there(name, kind or "config")
    files = list(dict.fromkeys([source, *_named_by(source, {source})]))
    places = [target / file.relative_to(root()) for file in files]
    if target.exists() and not target.is_dir():
        raise ConfigError(str(target), "is a file, and a folder is needed there", "name another folder")
    for file, place in zip(files, places, strict=True):
        if place.exists() and (not place.is_file() or place.read_bytes() != file.read_bytes()):
            raise ConfigError(str(place), "is there already, and differs from what vlrl ships", "name another folder")
    for file, place in zip(files, places, strict=True):
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
    return places


def _named_by(file: Path, seen: set[Path]) -> Iterator[Path]:
    """Shipped files that the settings of one name, and what those name; comments don't count."""
    lines = [line.partition("#")[0] for line in file.read_text(encoding="utf-8").splitlines()]
    for named in _NAMED_FILE.findall("\n".join(lines)):
        held = root() / named
        if held.is_file() and held not in seen:
            seen.add(held)
            yield held
            yield from _named_by(held, seen)
