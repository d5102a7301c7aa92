"""Drawings that programs of models draw: a web page, an SVG file, a matplotlib program, a LaTeX document; each to a
PNG, in the sandbox.

A page is opened by a headless Chromium that runs in a cell like any other program, in boxes of its own whose programs
may open sockets (Chromium talks to itself): there is still no network, and nothing of the host to read.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from vlrl.code_execution.box import MIB, BoxError, Role, payload_of
from vlrl.code_execution.box_pool import SYSTEM_MEMORY, BoxPool, execution_of
from vlrl.code_execution.drawn_pages import DrawnPage, SvgTile, framed_page, sheet_page, svg_page
from vlrl.code_execution.outcome import Execution
from vlrl.code_execution.sandbox_settings import Limits, SandboxSettings
from vlrl.errors import ConfigError

DrawingKind = Literal["html", "svg", "matplotlib", "latex"]
KINDS: tuple[DrawingKind, ...] = ("html", "svg", "matplotlib", "latex")
FILE = "drawing.png"
# a page's processes take about 1.1 GiB, shared pages counted once each, and 100 threads before they show anything
PAGE = Limits(
    cpu_seconds=10.0, wall_seconds=30.0, memory_mib=2048, processes=320, open_files=1024, output_mib=64, disk_mib=256
)
DOCUMENT = Limits(cpu_seconds=5.0, wall_seconds=30.0, memory_mib=512, processes=16, open_files=256, output_mib=64)
PLOT = Limits(cpu_seconds=20.0, wall_seconds=30.0, memory_mib=1024, processes=64, open_files=256, output_mib=64)
BROWSERS = (  # programs themselves: a wrapper script reads /etc, which the sandbox doesn't show
    "/usr/lib/chromium/chromium",
    "/usr/lib64/chromium-browser/chromium-browser",
    "/usr/lib/chromium-browser/chromium-browser",
    "/opt/google/chrome/chrome",
)
INSTALL_BROWSER = "apt-get install chromium (Debian), dnf install chromium (Fedora), or take another kind"
FLAGS = (
    "--headless=new", "--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-dev-shm-usage",
    "--disable-extensions", "--disable-component-update", "--disable-background-networking", "--no-first-run",
    "--hide-scrollbars", "--force-device-scale-factor=1", "--default-background-color=FFFFFFFF",
    "--virtual-time-budget=2000", "--user-data-dir=/tmp/profile", f"--screenshot={FILE}",
)  # fmt: skip
TYPESETTING = ("pdflatex", "pdftoppm", "pdfimages")  # programs
INSTALL: dict[DrawingKind, str] = {
    "matplotlib": "apt-get install python3-matplotlib (Debian), sandbox: {python: …} that has it, or take another kind",
    "latex": "apt-get install texlive-latex-base texlive-images poppler-utils (Debian), or take another kind",
}
# what is drawn once before anything of a model: where it fails, so would every source, and none of them is wrong for it
TRIED: dict[DrawingKind, str] = {
    "matplotlib": "import matplotlib.pyplot as plt\nplt.plot([1, 2])",
    "latex": r"\(x\) \begin{tikzpicture}\draw (0,0) -- (1,1);\end{tikzpicture}",
}
INSIDE = Path(__file__).parent / "inside"
# what draws in a box: the script, the name that it reads its source by, limits
SCRIPTS: dict[DrawingKind, tuple[Path, str, Limits]] = {
    "matplotlib": (INSIDE / "draw_plot.py", "program.py", PLOT),
    "latex": (INSIDE / "draw_latex.py", "document.tex", DOCUMENT),
}
UNREAD = 65  # their exit code for what is no Python and what TeX refuses
HOLDS_IMAGE = 66  # and for a document with a bitmap on its page
LOWEST = 160  # pixels: Chromium takes its frame off lower windows


@dataclass(frozen=True)
class Drawing:
    """What became of a source: the PNG as it was written, which is as hostile as its source; None without one.

    execution  how the program ended that drew it
    height     pixels of it that count, from the top; None: all
    """

    png: bytes | None
    execution: Execution
    height: int | None = None

    @property
    def is_unread(self) -> bool:
        """Whether the source of a plot is no Python, or TeX refuses a document."""
        return self.execution.exit_code == UNREAD

    @property
    def holds_image(self) -> bool:
        """Whether a document has a bitmap on its page."""
        return self.execution.exit_code == HOLDS_IMAGE


def browser() -> str | None:
    """The path of Chromium; None where there is none."""
    found = shutil.which("chromium-headless-shell")
    return next((path for path in BROWSERS if Path(path).is_file()), found)


class DrawingSandbox:
    """Draws sources in the sandbox, as many at a time as it has boxes. Raises ConfigError where the host can't.

    programs  the pool of boxes for matplotlib and LaTeX, `executor.executor()` of a run
    """

    def __init__(self, settings: SandboxSettings, programs: Callable[[], BoxPool]) -> None:
        self._settings, self._programs = settings, programs
        self._pages: BoxPool | None = None
        self._lock = threading.Lock()
        self._draws: set[DrawingKind] = set()  # kinds of TRIED that this host was seen to draw

    def check(self, kind: DrawingKind) -> None:
        """Raises ConfigError where drawings of a kind can't be drawn here."""
        if self._settings.isolation == "remote":
            raise ConfigError("sandbox, isolation", "a remote service draws no drawings", "isolation: bubblewrap")
        if kind == "latex" and (missing := [one for one in TYPESETTING if shutil.which(one) is None]):
            raise ConfigError("sandbox", f"latex needs {' and '.join(missing)}, not installed", INSTALL["latex"])
        if kind not in SCRIPTS and browser() is None:
            raise ConfigError("sandbox", f"{kind} needs Chromium, which is not installed", INSTALL_BROWSER)

    def draw(self, kind: DrawingKind, source: str, width: int, height: int) -> Drawing:
        """The drawing of a source: pages and SVG files in a window of this many pixels, a plot in the size it chooses,
        a document's first page at 150 dots an inch. A window lower than LOWEST is cut off a higher one.

        Raises ConfigError where that can't be done here.
        """
        self.check(kind)
        text = source.encode("utf-8", "replace")
        if kind in SCRIPTS:
            self._try(kind)
            return self._run(kind, text)
        page = framed_page(text, width, height) if kind == "html" else svg_page(text, width, height)
        return self._shown(page, PAGE)

    def _try(self, kind: DrawingKind) -> None:
        """Raises ConfigError where the host lacks a part that drawings of a kind need."""
        with self._lock:
            if kind in self._draws:
                return
            tried = self._run(kind, TRIED[kind].encode())
            if tried.png is None and not tried.execution.is_fault:
                raise ConfigError("sandbox", f"{kind} draws nothing here: {tried.execution.note}", INSTALL[kind])
            if tried.png is not None:
                self._draws.add(kind)

    def _run(self, kind: DrawingKind, text: bytes) -> Drawing:
        script, name, limits = SCRIPTS[kind]
        role = Role(payload_of({"main.py": script.read_bytes(), name: text}), python="main.py", extra_threads=8)
        return self._drawn(self._programs(), role, limits, 0)

    def draw_sheet(self, tiles: Sequence[SvgTile]) -> Drawing:
        """One drawing of many SVG files, as `sheet_page` lays them out, by one browser. One file that takes too much
        leaves all of them without a drawing: then they have to be drawn in smaller sheets.

        Raises ConfigError where that can't be done here.
        """
        self.check("svg")
        return self._shown(sheet_page(tiles), PAGE)

    @property
    def beside(self) -> int:
        """How many drawings are made at a time."""
        return self._settings.count

    def _shown(self, page: DrawnPage, limits: Limits) -> Drawing:
        with self._lock:
            if self._pages is None:
                self._pages = BoxPool(self._settings, sockets=True)
        line = [str(browser()), *FLAGS, f"--window-size={page.width},{max(page.height, LOWEST)}", "page.html"]
        role = Role(payload_of(page.files), argv=line, reserves=True, extra_memory=1024 * MIB, extra_threads=256)
        drawn = self._drawn(self._pages, role, limits, 512 * MIB)
        return replace(drawn, height=page.height) if page.height < LOWEST else drawn

    def close(self) -> None:
        """Ends the boxes of pages."""
        if self._pages is not None:
            self._pages.close()
            self._pages = None

    @staticmethod
    def _drawn(pool: BoxPool, role: Role, limits: Limits, overhead: int) -> Drawing:
        try:
            told = pool.lend(lambda box: box.run([role], limits, (FILE,), SYSTEM_MEMORY + overhead))
        except BoxError as error:
            return Drawing(None, Execution.fault(str(error)))
        ended = execution_of(told, limits)
        _, _, png = told.kept.partition(b"\n")  # a line of names and sizes, then the file
        return Drawing(png if ended.ended == "finished" and png else None, ended)
