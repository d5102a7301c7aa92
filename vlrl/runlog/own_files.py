"""Which files a run wrote, so that what it removes or replaces is its own, and what a user put there is kept.

`.written.jsonl` in the run folder has a line for every file, appended before the file gets its name: its path, and a
fingerprint of its contents or, of a log that grows, its size and time of change. A file without such a line, or one
that was edited since, is the user's wherever it lies; it is moved to `set_aside-N` in the run folder, never removed and
never written over. What was written and not noted (a kill in between) counts as the user's, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE, MARK, LOCK = ".written.jsonl", ".vlrl.json", ".lock"
KEPT = "set_aside-"
WHOLE_BYTES, BLOCK_BYTES, BLOCKS = 4 << 20, 64 << 10, 16  # larger files: that many blocks over the whole length
SHOWN = 5  # kept files that are named


@dataclass
class _Ledger:
    folder: Path
    handle: int | None
    say: Callable[[str], None]
    kept: Path | None = None  # what is set aside while it is open goes into one folder


_open: list[_Ledger] = []


@contextmanager
def noting(folder: Path, say: Callable[[str], None] = print) -> Iterator[None]:
    """Files that are written below `folder` in the block are noted in it; the innermost of nested folders does it.

    Where nothing is written, as when a start is refused, the folder stays as it is.
    """
    _shorten(folder / FILE)
    ledger = _Ledger(folder.absolute(), None, say)
    _open.append(ledger)
    try:
        yield
    finally:
        _open.remove(ledger)
        if ledger.handle is not None:
            os.close(ledger.handle)


def note(file: Path, name: Path | None = None) -> None:
    """`file` is the run's and is going to be called `name`. Raises OSError where that can't be written down."""
    _append(name or file, lambda: {"print": fingerprint(file)})


def note_tree(folder: Path, name: Path, by_name: bool = False) -> None:
    """As `note`, for every file below `folder`, which is going to be called `name`.

    by_name  nobody edits these files: they stay the run's with other contents, which are damage
    """
    for file in _files(folder):
        inside = name / file.relative_to(folder.absolute())
        if by_name:
            _append(inside, lambda: {"by_name": True})
        else:
            note(file, inside)


def note_page(folder: Path, file: Path) -> None:
    """`file` is a page that a command of its own has written below `folder`, where a run has noted its files."""
    if _ledger_of(file) is None and file.parent != folder and (folder / FILE).is_file():
        with open(folder / FILE, "ab", buffering=0) as held:
            held.write(_line(file.relative_to(folder).as_posix(), {"print": fingerprint(file)}))


def note_grown(file: Path) -> None:
    """`file` is a log that the run has appended to."""
    _append(file, lambda: _grown(file))


def note_temporary(folder: Path) -> None:
    """`folder` is where something is being written, or what is about to be removed: all in it is the run's."""
    _append(folder, lambda: {"temporary": True})


def fingerprint(file: Path) -> str:
    """A digest of size and contents; of files above 4 MiB, of blocks that are spread over them."""
    digest = hashlib.sha256()
    with open(file, "rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        digest.update(str(size).encode())
        if size <= WHOLE_BYTES:
            digest.update(opened.read())
        else:
            for number in range(BLOCKS):
                opened.seek(number * (size - BLOCK_BYTES) // (BLOCKS - 1))
                digest.update(opened.read(BLOCK_BYTES))
    return digest.hexdigest()[:32]


def keep_foreign(
    tree: Path,
    root: Path | None = None,
    base: Path | None = None,
    say: Callable[[str], None] | None = None,
    stays: bool = False,
) -> list[Path]:
    """Move what no run wrote out of `tree`, a file or folder, to `set_aside-N`; returns where it lies now.

    root  the folder that holds `set_aside-N`; by default the one whose files are being noted. Without either, nothing
          is known of the folder and nothing is moved
    base  what the names of kept files are relative to; by default the root
    stays where the file system gives a file two names, it stays in its place, until another takes it
    """
    ledger = _ledger_of(tree)
    root = root or (None if ledger is None else ledger.folder)
    if root is None:
        return []
    known: dict[Path, dict[str, list[dict[str, Any]]]] = {}
    foreign = [file for file in _files(tree) if not _is_own(file, known)]
    if not foreign:
        return []
    base = (base or root).absolute()
    names = [file.relative_to(base) for file in foreign]
    kept = _kept(root, names, ledger)
    for file, name in zip(foreign, names, strict=True):
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        _take_aside(file, kept / name, stays)
    moved = [kept / name for name in names]
    shown = ", ".join(map(str, names[:SHOWN])) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    (say or (print if ledger is None else ledger.say))(f"kept in {kept}, since it isn't as a run wrote it: {shown}")
    return moved


def remove_own(tree: Path, root: Path | None = None, say: Callable[[str], None] | None = None) -> None:
    """Remove a file or folder that a run wrote, if it is there; the rest goes to `set_aside-N` as in `keep_foreign`.

    With a root `tree` is a whole run in it, which the names of kept files are relative to.
    """
    keep_foreign(tree, root, None if root is None else tree, say)
    if tree.is_dir() and not tree.is_symlink():
        shutil.rmtree(tree)
    else:
        tree.unlink(missing_ok=True)


def _kept(root: Path, names: Sequence[Path], ledger: _Ledger | None) -> Path:
    """The folder for files of these names: that of this run where it has none of them yet, or the next."""
    present = None if ledger is None or ledger.folder != root.absolute() else ledger.kept
    if present is not None and not any(os.path.lexists(present / name) for name in names):
        return present
    numbers = [
        int(entry.name.removeprefix(KEPT)) for entry in root.glob(f"{KEPT}*") if entry.name[len(KEPT) :].isdigit()
    ]
    chosen = root / f"{KEPT}{1 + max(numbers, default=0)}"
    if ledger is not None and ledger.folder == root.absolute():
        ledger.kept = chosen
    return chosen


def _take_aside(file: Path, target: Path, stays: bool) -> None:
    if stays:
        with suppress(OSError):
            os.link(file, target, follow_symlinks=False)
            return
    os.rename(file, target)


def _files(tree: Path) -> Iterator[Path]:
    """Files and links at or below a place; a link is one, whatever it leads to."""
    if tree.is_symlink() or not tree.is_dir():
        if tree.is_symlink() or tree.exists():
            yield tree.absolute()
        return
    for place, folders, files in os.walk(tree.absolute()):
        links = [name for name in folders if Path(place, name).is_symlink()]
        yield from (Path(place, name) for name in sorted([*files, *links]))


def _is_own(file: Path, known: dict[Path, dict[str, list[dict[str, Any]]]]) -> bool:
    if file.is_symlink():
        return False
    if file.name in (FILE, MARK, LOCK):
        return True
    for folder in file.parents:
        if folder not in known:
            known[folder] = _read(folder / FILE)
        entries = known[folder]
        if not entries:
            continue
        inside = file.relative_to(folder)
        if any("temporary" in one for part in inside.parents for one in entries.get(part.as_posix(), ())):
            return True
        held = entries.get(inside.as_posix(), ())
        if any("by_name" in one for one in held) or (held and not file.stat().st_size):
            return True  # an empty one in its place is damage
        if any(one.items() <= _grown(file).items() for one in held if "bytes" in one):
            return True
        prints = [one["print"] for one in held if "print" in one]
        if prints and fingerprint(file) in prints:
            return True
    return False


def _grown(file: Path) -> dict[str, int]:
    state = file.stat()
    return {"bytes": state.st_size, "mtime_ns": state.st_mtime_ns}


def _ledger_of(path: Path) -> _Ledger | None:
    """The innermost folder whose files are being noted and that holds `path`."""
    if not _open:
        return None
    place = path.absolute().parent
    around = [one for one in _open if one.folder == place or one.folder in place.parents]
    return max(around, key=lambda one: len(one.folder.parts), default=None)


def _append(path: Path, said: Callable[[], dict[str, Any]]) -> None:
    """A page that is written of a run folder by a command of its own is the run's, too."""
    ledger = _ledger_of(path)
    if ledger is not None:
        name = path.absolute().relative_to(ledger.folder).as_posix()
        if ledger.handle is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            ledger.handle = os.open(ledger.folder / FILE, flags, 0o666)
        os.write(ledger.handle, _line(name, said()))
    elif (path.parent / FILE).is_file():
        with open(path.parent / FILE, "ab", buffering=0) as held:
            held.write(_line(path.name, said()))


def _line(name: str, said: dict[str, Any]) -> bytes:
    return (json.dumps({"file": name, **said}) + "\n").encode()


def _read(ledger: Path) -> dict[str, list[dict[str, Any]]]:
    """What is known of every path; lines that can't be read say nothing."""
    found: dict[str, list[dict[str, Any]]] = {}
    if not ledger.is_file():
        return found
    for line in ledger.read_bytes().splitlines():
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            entry = json.loads(line)
            found.setdefault(entry.pop("file"), []).append(entry)
    return found


def _shorten(ledger: Path) -> None:
    """Only the last two lines of a path matter: of the file, and of the one that was about to take its place."""
    found = {name: held[-2:] for name, held in _read(ledger).items() if os.path.lexists(ledger.parent / name)}
    if not found:
        return
    temporary = ledger.with_name(f"{FILE}.tmp")
    temporary.write_bytes(b"".join(_line(name, one) for name, held in found.items() for one in held))
    os.replace(temporary, ledger)
