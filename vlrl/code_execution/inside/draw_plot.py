"""Runs `program.py`, a matplotlib program, and leaves what it drew as `drawing.png`.

That is the figure that the program saved under this name, else the one that it saved last, as it saved it, else the one
that is open at its end. A file that matplotlib didn't save is no drawing of its. Run as a script by a box's Python.
"""

import io
import shutil
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

FILE = Path("drawing.png")
UNREAD = 65  # exit code of what is no Python
OPTIONS = ("dpi", "facecolor", "edgecolor", "bbox_inches", "pad_inches", "transparent")
saving = Figure.savefig


saved: dict[bool, bytes] = {}  # PNG of the figure saved last, by whether it was saved as FILE


def save_and_keep(figure, target, *args, **options):  # type: ignore[no-untyped-def]
    """`Figure.savefig`, and a copy of what it wrote; as PNG where it wrote something else."""
    saving(figure, target, *args, **options)
    if isinstance(target, str | Path) and str(target).lower().endswith(".png"):
        saved[Path(target).resolve() == FILE.resolve()] = Path(target).read_bytes()
    else:
        copy = io.BytesIO()
        saving(figure, copy, format="png", **{name: options[name] for name in OPTIONS if name in options})
        saved[False] = copy.getvalue()


def main() -> None:
    """Exit code 0 where the program ends by itself, UNREAD where it can't be compiled."""
    try:
        code = compile(Path("program.py").read_text("utf-8-sig"), "program.py", "exec")
    except (SyntaxError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(UNREAD)
    Figure.savefig = save_and_keep  # type: ignore[method-assign, assignment]
    plt.show = lambda *args, **options: None
    try:
        exec(code, {"__name__": "__main__"})
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    if FILE.is_dir():
        shutil.rmtree(FILE)
    FILE.unlink(missing_ok=True)
    if saved:
        FILE.write_bytes(saved[True in saved])
    elif plt.get_fignums():
        saving(plt.gcf(), FILE)


main()
