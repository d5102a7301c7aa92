"""Sets `document.tex` by pdflatex and leaves its first page as `drawing.png`, where it holds no bitmap.

A source without \\documentclass is the body of an article with amsmath, amssymb and TikZ. Run as a script by a box's
Python.
"""

import re
import subprocess
import sys
from pathlib import Path

UNREAD = 65  # exit code of what TeX refuses
HOLDS_IMAGE = 66  # and of a page with a bitmap in it
DOTS_PER_INCH = 150
HEAD = "\\documentclass{article}\n\\usepackage{amsmath,amssymb,tikz}\n\\pagestyle{empty}\n\\begin{document}\n"


def main() -> None:
    """Exit code 0 where there is a page, or none to draw; UNREAD where TeX stops at an error."""
    file = Path("document.tex")
    source = file.read_text("utf-8-sig")
    if not re.search(r"^[^%\n]*\\document(class|style)\b", source, re.MULTILINE):
        file.write_text(HEAD + source + "\n\\end{document}\n", "utf-8")
    line = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "document.tex"]
    told = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if told.returncode != 0:
        said = told.stdout.decode("utf-8", "replace").splitlines()
        print(next((one for one in said if one.startswith("!")), "pdflatex stopped"), file=sys.stderr)
        sys.exit(UNREAD if told.returncode == 1 else 1)
    if Path("document.pdf").exists():
        line = ["pdfimages", "-list", "-l", "1", "document.pdf"]
        bitmaps = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True).stdout.splitlines()
        if len(bitmaps) > 2:  # below two lines of titles
            print(f"{len(bitmaps) - 2} bitmaps on the page", file=sys.stderr)
            sys.exit(HOLDS_IMAGE)
        page = ["pdftoppm", "-png", "-singlefile", "-r", str(DOTS_PER_INCH), "document.pdf", "drawing"]
        sys.exit(subprocess.run(page, stdin=subprocess.DEVNULL).returncode)


main()
