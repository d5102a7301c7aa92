"""Runs `program.py`, a matplotlib program, and leaves what it drew as `drawing.png`.

That is the file of this name where the program writes it, else the figure that it saved last, as it saved it, else the
one that is open at its end. Run as a script by a box's Python.
"""

import shutil
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

FILE, KEPT = Path("drawing.png"), Path("kept.png")
UNREAD = 65  # exit code of what is no Python
OPTIONS = ("dpi", "facecolor", "edgecolor", "bbox_inches", "pad_inches", "transparent")
saving = Figure.savefig


def save_and_keep(figure, target, *args, **options):  # type: ignore[no-untyped-def]
    """`Figure.savefig`, and a copy of what it wrote; as PNG where it wrote something else."""
    saving(figure, target, *args, **options)
    if isinstance(target, str | Path) and str(target).lower().endswith(".png"):
        if Path(target).resolve() not in (FILE.resolve(), KEPT.resolve()):
            shutil.copyfile(target, KEPT)
    else:
        saving(figure, KEPT, **{name: options[name] for name in OPTIONS if name in options})


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
    if FILE.exists():
        return
    if KEPT.exists():
        KEPT.rename(FILE)
    elif plt.get_fignums():
        saving(plt.gcf(), FILE)


main()
