"""Many SVG files by few browsers: the same drawings as alone, whatever stands beside them, and what that costs."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from vlrl.code_execution import drawing, executor
from vlrl.code_execution.drawing import Drawing, browser
from vlrl.code_execution.drawn_pages import SvgTile
from vlrl.code_execution.outcome import Execution
from vlrl.types import Problem, Text
from vlrl.verify.judge import judge, judge_all
from vlrl.verify.rendering import svg_sheets
from vlrl.verify.rendering.svg_sheets import draw_tiles
from vlrl.verify.rendering.svg_text import svg_for_window

sandboxed = pytest.mark.skipif(
    shutil.which("bwrap") is None or browser() is None, reason="bubblewrap or Chromium is missing"
)
SHAPES = (
    '<circle cx="{0}" cy="20" r="9" fill="red"/>',
    '<rect x="{0}" y="4" width="20" height="9" fill="#{0:02x}80ff" opacity=".7"/>',
    '<text x="4" y="{0}" font-size="14">ab{0}</text>',
    '<path d="M0 0 L{0} 40 Z" stroke="green" stroke-width="3"/>',
)
HOSTILE = {
    "larger than its box": '<rect x="-900" y="-900" width="5000" height="5000" fill="lime"/>',
    "a script": "<script>document.documentElement.remove(); while (true) {}</script>",
    "a script in an event": '<rect width="40" height="40" onload="alert(1)"/><image href="x:" onerror="alert(2)"/>',
    "a page in it": "<foreignObject width='40' height='40'><body xmlns='http://www.w3.org/1999/xhtml'>"
    "<style>* {background: lime !important}</style><iframe src='page.html'/></body></foreignObject>",
    "a style for all": "<style>svg, img, i, body {background: lime !important; transform: scale(9)}</style>",
    "an animation": '<rect width="40" height="40"><animate attributeName="x" to="90" dur="1s" repeatCount="9"/></rect>',
    "its neighbours": '<image href="0.svg" width="40" height="40"/>',
}


@pytest.fixture(scope="module", autouse=True)
def ended():
    yield
    executor.close()


def tile(inside: str, width: int = 48, height: int = 40) -> SvgTile:
    return SvgTile(svg_for_window(f'<svg viewBox="0 0 48 40">{inside}</svg>', width, height), width, height)


def problem(inside: str) -> Problem:
    gold = {"kind": "svg", "source": tile(inside).source, "size": [48, 40]}
    return Problem((Text("Draw it."),), json.dumps(gold), "visual_code", "text", "drawings", "")


class Sheets:
    """A sandbox without a browser: a sheet with the one word in it has no drawing; a tile's colour says which it is."""

    beside = 1

    def __init__(self, bad: str = "bad", fault: bool = False):
        self.bad, self.fault, self.sizes = bad, fault, []

    def draw_sheet(self, tiles):
        self.sizes.append(len(tiles))
        if self.fault:
            return Drawing(None, Execution.fault("gone"))
        if any(self.bad in one.source for one in tiles):
            return Drawing(None, Execution("time_limit"))
        rows = []
        for one in tiles:
            row = np.full((one.height, max(t.width for t in tiles) + 8, 3), int(one.source), np.uint8)
            row[:, -8:] = (255, 255, 255) if one.source == "7" else (0, 255, 0)
            rows.append(row)
        return Drawing(png_of(np.concatenate(rows)), Execution("finished", 0))

    def draw(self, kind, source, width, height):
        self.sizes.append(1)
        if self.bad in source:
            return Drawing(None, Execution("time_limit"))
        return Drawing(png_of(np.full((height, width, 3), int(source), np.uint8)), Execution("finished", 0))


def png_of(pixels):
    from vlrl.scenes.png import png_bytes

    return png_bytes(pixels)


def test_one_that_takes_too_much_costs_no_other_its_drawing():
    sources = [str(number) for number in range(40)]
    sources[13] = "bad"
    sandbox = Sheets()
    drawn = draw_tiles(sandbox, [SvgTile(source, 4 + number % 3, 3) for number, source in enumerate(sources)])
    for number, (source, one) in enumerate(zip(sources, drawn, strict=True)):
        if source == "bad":
            assert one.pixels is None
            assert one.execution.ended == "time_limit"
        else:
            assert one.pixels.shape == (3, 4 + number % 3, 3)
            assert (one.pixels == number).all()
    assert len(sandbox.sizes) < 20  # halved, and one that no mark says to be loaded


def test_equal_ones_are_drawn_once_and_a_sandbox_that_is_gone_is_asked_once_a_sheet():
    sandbox = Sheets()
    drawn = draw_tiles(sandbox, [SvgTile(str(number % 5), 4, 3) for number in range(30)])
    assert [int(one.pixels[0, 0, 0]) for one in drawn] == [number % 5 for number in range(30)]
    assert sandbox.sizes == [5]
    gone = Sheets(fault=True)
    assert all(one.execution.is_fault for one in draw_tiles(gone, [SvgTile(str(n), 4, 3) for n in range(30)]))
    assert gone.sizes == [30]


def test_sheets_are_no_larger_than_a_browser_draws():
    tall = [SvgTile(str(number), 900, 3000) for number in range(6)]
    for sheet in svg_sheets._sheets(tall, 1):
        assert sum(one.height for one in sheet) <= svg_sheets.SHEET_ROWS


@sandboxed
@pytest.mark.slow
def test_a_drawing_is_the_same_alone_and_beside_others_of_any_kind():
    rng = np.random.default_rng(4)
    tiles = [tile("".join(one.format(int(rng.integers(8, 40))) for one in SHAPES)) for _ in range(3)]
    tiles += [tile(SHAPES[0].format(n), width, height) for n, width, height in ((9, 64, 64), (20, 31, 17))]
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 40" width="48" height="40">'
    hostile = [
        SvgTile(f"{head}{inside}</svg>", 48, 40) for inside in HOSTILE.values()
    ]  # as if nothing had refused them
    mixed = [one for pair in zip(tiles, hostile[: len(tiles)], strict=True) for one in pair] + hostile[len(tiles) :]
    beside = dict(zip(mixed, draw_tiles(executor.drawing_sandbox(), mixed), strict=True))
    for one in tiles:
        assert (svg_sheets._alone(executor.drawing_sandbox(), one).pixels == beside[one].pixels).all()
    for one in hostile:
        assert beside[one].pixels is not None


@sandboxed
def test_many_svgs_are_judged_by_one_browser_and_as_each_is_alone(monkeypatch):
    opened = []
    shown = drawing.DrawingSandbox._shown
    monkeypatch.setattr(
        drawing.DrawingSandbox, "_shown", lambda self, page, limits: opened.append(1) or shown(self, page, limits)
    )
    circles = [f'<circle cx="{x}" cy="20" r="9" fill="red"/>' for x in (10, 20, 30)]
    responses = [f'<svg viewBox="0 0 48 40">{one}</svg>' for one in circles]
    bad = ["<svg><circle></svg>", "I can't draw.", '<svg viewBox="0 0 48 40"/>']
    verdicts = judge_all([(problem(one), [*responses, *bad]) for one in circles])
    for i, of_problem in enumerate(verdicts):
        assert [verdict.correct for verdict in of_problem] == [i == j for j in range(3)] + [False] * 3
        assert of_problem[3].note.startswith("does not parse")
        assert of_problem[4].note == "no svg code block"
        assert of_problem[5].score == 0.0
    assert len(opened) <= 2  # the targets, and all responses
    assert judge(problem(circles[0]), responses[1]) == verdicts[0][1]


@sandboxed
def test_a_gold_that_is_refused_is_its_own_problems_fault_alone():
    good = problem(SHAPES[0].format(20))
    broken = Problem((Text("Draw it."),), '{"kind": "svg", "image": 3}', "visual_code", "text", "drawings", "")
    response = f'<svg viewBox="0 0 48 40">{SHAPES[0].format(20)}</svg>'
    (first,), (second,) = judge_all([(broken, [response]), (good, [response])])
    assert "names image 3 of 0" in first.fault
    assert second.correct
