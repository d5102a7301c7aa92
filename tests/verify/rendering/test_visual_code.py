"""Programs that draw, in the real sandbox with a real browser: the cascade, its verdicts, and what hostile ones get."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest

from vlrl.code_execution import drawing, executor
from vlrl.code_execution.drawing import browser
from vlrl.code_execution.sandbox_settings import SandboxSettings
from vlrl.errors import ConfigError, DataError
from vlrl.types import Image, Problem, Text
from vlrl.verify.judge import declared_gold, judge
from vlrl.verify.rendering.image_pixels import pixels_of_drawing
from vlrl.verify.rendering.svg_text import svg_for_window
from vlrl.verify.rendering.visual_code import _asked, source_text

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="160">'
SVG = (
    f'{HEAD}<circle cx="60" cy="60" r="40" fill="red"/><rect x="110" y="90" width="60" height="50" fill="blue"/></svg>'
)
MOVED = SVG.replace('cx="60"', 'cx="66"')
HALF = SVG.replace('<rect x="110" y="90" width="60" height="50" fill="blue"/>', "")
PLOT = "import matplotlib.pyplot as plt\nplt.bar(['a', 'b', 'c'], {}, color='tab:{}')\nplt.title('Sales')\n{}"

sandboxed = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is missing")
with_browser = pytest.mark.skipif(browser() is None, reason="Chromium is missing")


def system_has_matplotlib() -> bool:
    """Whether the interpreter of the boxes, the system's, has it."""
    if shutil.which("bwrap") is None or not shutil.which("/usr/bin/python3"):
        return False
    return subprocess.run(["/usr/bin/python3", "-c", "import matplotlib"], capture_output=True).returncode == 0


with_matplotlib = pytest.mark.skipif(not system_has_matplotlib(), reason="the system's Python has no matplotlib")


with_tex = pytest.mark.skipif(
    any(shutil.which(one) is None for one in ("bwrap", *drawing.TYPESETTING)), reason="bubblewrap or TeX is missing"
)
PAGE = r"""\[ \int_0^1 x^2\,dx = \frac{1}{3} \]
\begin{tikzpicture}\draw[fill=red] (0,0) circle (1); \draw (2,0) rectangle (4,1);\end{tikzpicture}"""


@pytest.fixture(scope="module", autouse=True)
def ended():
    yield
    executor.close()


def problem(kind="svg", source=SVG, size=(200, 160), images=(), **metadata):
    gold = {"kind": kind} | ({} if source is None else {"source": source, "size": list(size)})
    return Problem(
        (*images, Text("Draw it.")), json.dumps(gold), "visual_code", "text", "drawings", "", metadata=metadata
    )


def fenced(source, tag="svg"):
    return f"Here it is:\n```{tag}\n{source}\n```"


def drawn(kind, source, width=200, height=160):
    return executor.drawing_sandbox().draw(kind, source, width, height)


@sandboxed
@with_browser
@pytest.mark.slow
def test_an_svg_is_right_as_it_is_less_where_it_is_moved_and_least_where_half_is_missing():
    asked = problem()
    same, moved, half = (judge(asked, fenced(source)) for source in (SVG, MOVED, HALF))
    assert (same.score, same.correct) == (pytest.approx(1.0), True)
    assert same.score > moved.score > half.score > 0
    assert set(same.parts) == {"structure", "edges", "colours", "aspect"}
    assert judge(asked, SVG).correct  # without a fence
    twice = SVG.replace('width="200" height="160"', 'width="400" height="320" viewBox="0 0 200 160"')
    assert judge(asked, fenced(twice)).correct
    assert judge(asked, fenced(f"{HEAD}</svg>")).score == 0  # a blank page


@sandboxed
@with_browser
def test_the_problems_own_image_may_be_the_target():
    png = drawn("svg", SVG).png
    assert png is not None
    asked = problem(source=None, images=(Image.from_bytes(png),))
    assert judge(asked, fenced(SVG)).correct
    page = f"<html><body style='margin:0'>{SVG}</body></html>"
    as_page = problem("html", None, images=(Image.from_bytes(png),))
    assert judge(as_page, fenced(page, "html")).score > 0.95
    assert judge(as_page, page).score > 0.95


@sandboxed
@with_matplotlib
@pytest.mark.slow
def test_a_plot_is_drawn_by_its_program_whether_it_saves_shows_or_leaves_its_figure():
    gold = PLOT.format([3, 1, 2], "red", "")
    asked = problem("matplotlib", gold)
    for ending in ("plt.show()", "plt.savefig('drawing.png', dpi=100)", "plt.savefig('mine.png')"):
        found = judge(asked, fenced(PLOT.format([3, 1, 2], "red", ending), "python"))
        assert found.correct, (ending, found)
    other = judge(asked, fenced(PLOT.format([1, 3, 1], "blue", ""), "python"))
    assert 0 < other.score < 0.7
    assert not other.correct


@sandboxed
@with_browser
def test_every_stage_earns_what_the_problem_says():
    asked = problem(earned={"parses": 0.05, "draws": 0.1}, correct_at=0.5)
    assert judge(asked, "I can't draw.").score == 0
    assert judge(asked, fenced("<svg><circle")).note.startswith("does not parse")
    assert judge(asked, fenced(f"{HEAD}</svg>")).score == 0.1
    assert judge(asked, fenced(MOVED)).correct


ENDINGS = {
    "saved and closed": "plt.savefig('chart.png')\nplt.close()",
    "saved as a vector file": "plt.savefig('chart.pdf')\nplt.close('all')",
    "left by sys.exit": "import sys\nsys.exit()",
}


@sandboxed
@with_matplotlib
@pytest.mark.slow
@pytest.mark.parametrize("name", ENDINGS)
def test_a_plot_counts_however_its_program_leaves_it(name):
    asked = problem("matplotlib", PLOT.format([3, 1, 2], "red", ""))
    assert judge(asked, fenced("\ufeff" + PLOT.format([3, 1, 2], "red", ENDINGS[name]), "python")).correct


@sandboxed
@with_matplotlib
@pytest.mark.slow
def test_a_figure_without_pyplot_and_a_dark_one_are_drawn_as_they_are():
    figure = "from matplotlib.figure import Figure\nf = Figure()\nf.subplots().plot([1, 3, 2])\nf.savefig('out.png')"
    assert drawn("matplotlib", figure).png is not None
    dark = "import matplotlib.pyplot as plt\nplt.style.use('dark_background')\nplt.plot([1, 3])"
    assert tuple(pixels_of_drawing(drawn("matplotlib", dark).png, 10**6)[0, 0]) == (0, 0, 0)


DAMAGED = """
import struct, zlib
def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
png = bytes.fromhex('89504e470d0a1a0a') + chunk(b'IHDR', struct.pack('>IIBBBBB', 2, 2, 8, 2, 0, 0, 0))
png += chunk(b'eXIf', bytes.fromhex('49492a0008')) + chunk(b'IDAT', zlib.compress(bytes(14))) + chunk(b'IEND', b'')
open('drawing.png', 'wb').write(png)
"""
FAULTS = {
    "a folder of that name": "import os\nos.mkdir('drawing.png')",
    "a folder that is shut": "import os\nos.chmod('/tmp', 0)\nos._exit(0)",
    "limits of process 1": "import os, resource\nresource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))\nos._exit(0)",
    "no Python": "plt.bar(\0",
    "a damaged chunk": DAMAGED,
}


@sandboxed
@with_matplotlib
@pytest.mark.parametrize("name", FAULTS)
def test_no_program_turns_its_zero_into_a_fault(name):
    found = judge(problem("matplotlib", PLOT.format([3, 1, 2], "red", "")), fenced(FAULTS[name], "python"))
    assert found.fault is None, found
    assert found.score < 0.1


@sandboxed
@with_browser
@pytest.mark.slow
@pytest.mark.parametrize("height", [24, 87, 120])
def test_low_windows_are_drawn_down_to_their_last_row(height):
    page = "<html><body style='margin:0'><div style='position:fixed;inset:0;background:red'></div></body></html>"
    found = drawn("html", page, 400, height)
    pixels = pixels_of_drawing(found.png, 10**6)[: found.height]
    assert pixels.shape[:2] == (height, 400)
    assert (pixels == np.array([255, 0, 0])).all()


@sandboxed
@with_matplotlib
def test_a_program_that_fails_parses_and_draws_nothing():
    asked = problem("matplotlib", PLOT.format([3, 1, 2], "red", ""), earned={"parses": 0.05})
    found = judge(asked, fenced("raise ValueError('no')", "python"))
    assert (found.score, found.answer) == (0.05, "parses")
    assert "ValueError: no" in found.note
    assert judge(asked, fenced("plt.bar(", "python")).note.startswith("does not parse: SyntaxError")
    assert judge(asked, fenced("print(1)", "python")).note == "draws nothing"


HOSTILE_PAGES = {
    "the host's files": "<html><body><iframe src='file:///etc/shadow' width=190 height=150></iframe></body></html>",
    "the network": "<html><body><img src='http://127.0.0.1:1/x.png'>"
    "<script>fetch('http://127.0.0.1:1')</script></body></html>",
    "an endless loop": "<html><body><script>while (true) {}</script></body></html>",
    "memory": "<html><body><script>const a = [];"
    "while (true) a.push(new Uint8Array(1 << 24).fill(1));</script></body></html>",
}


@sandboxed
@with_browser
@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE_PAGES)
def test_hostile_pages_earn_nothing_and_the_next_one_is_drawn(name, monkeypatch):
    small = drawing.PAGE.model_copy(update={"cpu_seconds": 6.0, "wall_seconds": 10.0})
    monkeypatch.setattr(drawing, "PAGE", small)
    found = judge(problem("html", f"<body>{SVG}</body>"), fenced(HOSTILE_PAGES[name], "html"))
    assert found.fault is None, found
    assert found.score < 0.2
    assert judge(problem(), fenced(SVG)).correct


DIALOGUES = {
    "alert": "alert(1)",
    "confirm": "if (confirm('?')) throw 1",
    "prompt": "if (prompt('?') !== null) throw 1",
    "print": "print()",
    "a window": "if (open('about:blank')) throw 1",
    "a window by a link": "document.body.innerHTML = '<a href=about:blank target=_blank>'; document.links[0].click()",
    "a download": "const a = document.createElement('a'); a.href = 'data:x/y,abc'; a.download = 'x'; a.click()",
    "a file": "const i = document.createElement('input'); i.type = 'file'; i.click()",
    "a permission": "navigator.geolocation.getCurrentPosition(() => {}); Notification.requestPermission()",
    "the window around it": "try { top.location = 'about:blank' } catch {} try { parent.close() } catch {}",
    "leaving": "onbeforeunload = () => 'stay'; setTimeout(() => alert(1), 100)",
    "many dialogues": "for (let i = 0; i < 500; i++) alert(i)",
    "storage": "localStorage.setItem('a', '1'); if (localStorage.getItem('a') !== '1') throw 1",
}
AFTERWARDS = "<!doctype html><body style='margin:0'><script>{}\ndocument.body.innerHTML = `{}`</script></body>"


def judged_after(script):
    return judge(problem("html", f"<body style='margin:0'>{SVG}</body>"), AFTERWARDS.format(script, SVG))


@sandboxed
@with_browser
def test_a_page_that_asks_a_user_gets_the_answer_of_none_and_is_drawn():
    everything = "\n".join(f"{{ {script} }}" for script in DIALOGUES.values())
    assert judged_after(everything).score > 0.95


@sandboxed
@with_browser
@pytest.mark.slow
@pytest.mark.parametrize("name", DIALOGUES)
def test_no_dialogue_keeps_a_page_from_being_drawn(name):
    assert judged_after(DIALOGUES[name]).score > 0.95


@sandboxed
@with_browser
def test_nothing_of_the_host_is_in_the_picture_of_a_page_that_asks_for_it(tmp_path):
    secret = tmp_path / "secret.html"
    secret.write_text("<body style='background:red'></body>")
    page = f"<html><body style='margin:0'><iframe src='file://{secret}' width=200 height=160></iframe></body></html>"
    png = drawn("html", page).png
    assert png is not None
    red = (pixels_of_drawing(png, 10**6) == np.array([255, 0, 0])).all(axis=2).mean()
    assert red == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("a circle", "is no JSON"),
        ('{"kind": "sgv"}', "did you mean 'svg'"),
        ('{"kind": "svg", "images": 0}', "did you mean 'image'"),
        ('{"kind": "svg", "image": 2}', "names image 2 of 0"),
        ('{"kind": "svg", "source": "<svg/>", "size": [5, "x"]}', "size is"),
    ],
)
def test_a_gold_that_names_no_target_is_refused_by_its_place(answer, said):
    with pytest.raises(DataError, match=said):
        _asked(Problem((Text("Draw."),), answer, "visual_code", "text", "drawings", ""))


def test_a_gold_that_is_a_source_is_an_answer_itself():
    assert declared_gold(problem()) == (f"```svg\n{SVG}\n```",)
    assert declared_gold(problem(source=None)) is None


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("<svg><circle></svg>", "mismatched tag"),
        ("<html></html>", "no svg element"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><svg>&c;</svg>', "declares entities"),
        ("<svg>" + "<g>" * 30000 + "</g>" * 30000 + "</svg>", "nested too deeply"),
    ],
    ids=["a tag left open", "a page", "entities", "depth"],
)
def test_what_does_not_parse_is_known_before_it_is_drawn(source, said):
    with pytest.raises(ValueError, match=said):
        svg_for_window(source, 9, 9)


@pytest.mark.parametrize("bare", [False, True])
def test_an_svg_fills_its_window_whatever_size_and_namespace_it_writes(bare):
    source = SVG.replace(' xmlns="http://www.w3.org/2000/svg"', "") if bare else SVG
    fitted = svg_for_window(source, 400, 900)
    assert fitted.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert 'viewBox="0 0 200 160"' in fitted
    assert 'width="400" height="900"' in fitted


@pytest.mark.parametrize(
    "response",
    [
        SVG,
        f"<think>Perhaps <svg/>.</think>{SVG}",
        f"<think>…</think><answer>\n{SVG}\n</answer>",
        f"<!-- a circle and a square -->\n{SVG}",
        fenced(SVG),
        fenced(SVG, "xml"),
    ],
)
def test_a_source_is_found_with_and_without_a_fence(response):
    assert "<circle" in (source_text("svg", response).source or "")


@pytest.mark.parametrize(
    "response",
    [f"Here: {SVG}", "<svg " + "x" * 70_000 + "/>", f"<answer>{SVG}</answer><answer>{HALF}</answer>"],
    ids=["words before it", "too long", "two answers"],
)
def test_what_is_more_than_a_source_or_too_long_has_none(response):
    assert source_text("svg", response).source is None


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + b"\0" * 40, b"\x89PNG\r\n\x1a\n" + b"\xff" * 90]
)
def test_what_is_no_image_is_none(data):
    assert pixels_of_drawing(data, 10**6) is None


@with_tex
def test_a_document_is_as_like_as_what_it_shows_wherever_it_stands_on_the_paper():
    asked = problem("latex", PAGE)
    assert declared_gold(asked) is not None
    head = r"\documentclass{article}\usepackage{amsmath,amssymb,tikz}\begin{document}\thispagestyle{empty}\vspace*{1in}"
    low = f"{head}{PAGE}\\end{{document}}"  # by whole pixels: an inch is 150
    for same in (PAGE, low, f"% \\documentclass comes by itself\n{PAGE}"):
        assert judge(asked, fenced(same, "latex")).score == pytest.approx(1.0, abs=0.02)
    moved = judge(asked, fenced(PAGE.replace("(2,0)", "(3,0)").replace("(4,1)", "(5,2)"), "tex"))
    assert moved.score < 0.5


@pytest.mark.parametrize(
    ("kind", "needs"),
    [
        pytest.param(
            "latex",
            r"\documentclass{article}\usepackage{no-such-package}\begin{document}x\end{document}",
            marks=with_tex,
        ),
        pytest.param("matplotlib", "import no_such_module", marks=with_matplotlib),
    ],
)
def test_a_host_that_lacks_a_part_is_told_and_no_answer_is_wrong_for_it(monkeypatch, kind, needs):
    monkeypatch.setitem(drawing.TRIED, kind, needs)
    sandbox = drawing.DrawingSandbox(SandboxSettings(), executor._programs)
    with pytest.raises(ConfigError, match=f"{kind} draws nothing here: .*no.such[\\s\\S]*apt-get install"):
        sandbox.draw(kind, "", 10, 10)


@with_tex
@pytest.mark.parametrize(
    ("source", "said"),
    [
        (r"\nosuchcommand", "does not parse: ! Undefined control sequence"),
        (r"\def\x{\x}\x", "draws nothing: more than 5 s of processor time"),
        (r"\input{/work.tex}", "does not parse: ! LaTeX Error: File `"),
        (r"\immediate\write18{cp /etc/passwd drawing.png}~", "structure 0.00"),
    ],
)
def test_what_tex_refuses_or_never_ends_is_wrong(source, said):
    found = judge(problem("latex", PAGE), fenced(source, "latex"))
    assert (found.fault, found.correct) == (None, False)
    assert found.note.startswith(said)
