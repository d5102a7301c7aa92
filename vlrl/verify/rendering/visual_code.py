"""The verifier `visual_code`: the page, drawing or plot that a response programs is drawn and compared with an image.

A cascade, as rewards for chart-to-code and web pages have it (e.g. WebGen-R1): does it parse, does it draw anything,
how like is it to the target. A model that looks at both is one more stage: `cascade` of this and `model_judge`.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from vlrl.code_execution import executor
from vlrl.code_execution.drawing import KINDS, Drawing, DrawingKind
from vlrl.code_execution.drawn_pages import SvgTile
from vlrl.code_execution.outcome import Execution
from vlrl.errors import ConfigError, DataError, did_you_mean
from vlrl.types import Problem, Verdict
from vlrl.verify.code.program_text import ProgramText, bare_text, one_block
from vlrl.verify.judge import verifier
from vlrl.verify.rendering.image_data import allowance, image_bytes, refusal
from vlrl.verify.rendering.image_pixels import MAX_PIXELS, pixels_of_drawing, pixels_of_row, within_margins
from vlrl.verify.rendering.image_similarity import Pixels, Target
from vlrl.verify.rendering.svg_sheets import draw_tiles
from vlrl.verify.rendering.svg_text import EmbeddedImage, svg_for_window

WALL_SECONDS = 600.0  # of one verdict, with those before it; each drawing has limits of its own
WINDOW = (800, 600)  # of a gold given as a source that names no size
KEPT_TARGETS = 256  # of golds that are sources, drawn once
KEPT_IMAGES = 64  # of golds that are images
ROOM = 2048 * 2048  # pixels that a drawing may have in any case; else four times those of its target
TAGS: Mapping[DrawingKind, tuple[str, ...]] = {
    "html": ("html", "htm"),
    "svg": ("svg", "xml", "html"),
    "matplotlib": ("python", "py", "python3"),
    "latex": ("latex", "tex"),
}
BARE: Mapping[DrawingKind, tuple[str, ...]] = {"html": ("<html", "<body"), "svg": ("<svg",)}
PAGES: tuple[DrawingKind, ...] = ("latex",)  # whose paper around what they show doesn't count
_STAGES = ("parses", "draws")


@dataclass(frozen=True)
class _Asked:
    """What a problem wants: a kind, the target, what a response earns that parses or draws, and where it is right."""

    kind: DrawingKind
    drawn: _DrawnTarget
    earned: Mapping[str, float]
    correct_at: float

    @property
    def target(self) -> Target:
        """What a drawing is compared with."""
        return self.drawn.target


@dataclass(frozen=True)
class _DrawnTarget:
    """A target, and the bytes of information that a source which draws it may hold."""

    target: Target
    allowance: float

    @classmethod
    def of(cls, kind: DrawingKind, pixels: Pixels, source: str | None = None) -> _DrawnTarget:
        """Of an image (H, W, 3), and the source that draws it where that is known. Raises ValueError as Target.of."""
        return cls(Target.of(pixels), allowance(kind, image_bytes(pixels), source))


_targets: OrderedDict[tuple[str, str, int, int], _DrawnTarget] = OrderedDict()
_drawing = threading.Lock()


def prepare() -> None:
    """Raises ConfigError where programs can't be run on this host as configured, with what to install."""
    executor.check()
    executor.drawing_sandbox().check("matplotlib")


def _gold(problem: Problem) -> tuple[str, ...] | None:
    """A gold that is a source is an answer itself."""
    gold = _gold_of(problem)
    return None if gold.get("source") is None else (f"```{gold['kind']}\n{gold['source']}\n```",)


def judge_svgs(asked: Sequence[tuple[Problem, str]]) -> list[Verdict | None]:
    """Verdicts on SVG responses, many of which are drawn by one browser; None for all others, and for those that
    `visual_code` judges without drawing them.
    """
    _draw_targets([problem for problem, _ in asked])
    wanted: dict[int, _Asked | None] = {}
    tiles: list[SvgTile | None] = []
    for problem, response in asked:
        if id(problem) not in wanted:
            wanted[id(problem)] = _asked_of_svg(problem)
        tiles.append(_tile(wanted[id(problem)], response))
    drawn = iter(draw_tiles(executor.drawing_sandbox(), [tile for tile in tiles if tile is not None]))
    verdicts: list[Verdict | None] = []
    for (problem, _), tile in zip(asked, tiles, strict=True):
        one, shown = wanted[id(problem)], None if tile is None else next(drawn)
        verdicts.append(None if one is None or shown is None else _verdict(one, shown.pixels, shown.execution))
    return verdicts


def _asked_of_svg(problem: Problem) -> _Asked | None:
    """What an SVG problem wants; None for other kinds, and for one that `visual_code` refuses."""
    try:
        return _asked(problem) if _gold_of(problem)["kind"] == "svg" else None
    except (ConfigError, DataError, RuntimeError):
        return None


def _tile(asked: _Asked | None, response: str) -> SvgTile | None:
    """A response's drawing; None where it isn't drawn."""
    found = None if asked is None else source_text("svg", response)
    if asked is None or found is None or found.source is None or refusal(found.source, asked.drawn.allowance):
        return None
    width, height = asked.target.width, asked.target.height
    try:
        return SvgTile(svg_for_window(found.source, width, height), width, height)
    except ValueError:
        return None


@verifier("visual_code", prepare=prepare, gold=_gold, wall_seconds=WALL_SECONDS, together=judge_svgs)
def visual_code(problem: Problem, response: str) -> Verdict:
    """The score is how like the drawing is to the target, in [0, 1]; a blank one is at 0.

    The gold is JSON, {"kind": "html" | "svg" | "matplotlib" | "latex"} with "image": number of the problem's image that
    is the target (default 0), or "source": what is drawn for a target, and "size": [width, height] of its window. The
    response holds its source in one fenced block (an SVG or a page may stand without a fence, as all of the answer).

    metadata:
    correct_at   right from this score on (default 0.9)
    earned       {parses: 0.0, draws: 0.0}: what a response gets that comes so far, where the likeness is below it

    What doesn't parse, draws nothing or takes too long is a wrong answer, and so is a source that holds an image or as
    much data as one (`image_data`), whatever it draws; a sandbox that fails is a fault.
    """
    asked = _asked(problem)
    found = source_text(asked.kind, response)
    if found.source is None:
        return Verdict.wrong(found.note)
    if refused := refusal(found.source, asked.drawn.allowance):
        return Verdict.wrong(refused)
    width, height = asked.target.width, asked.target.height
    try:
        drawn = _draw(asked.kind, found.source, width, height)
    except EmbeddedImage as error:
        return Verdict.wrong(f"holds an image: {error}")
    except ValueError as error:
        return Verdict.wrong(f"does not parse: {error}")
    if drawn.holds_image:
        return Verdict.wrong(f"holds an image: {drawn.execution.note}"[:160])
    if drawn.is_unread:
        return Verdict.wrong(f"does not parse: {drawn.execution.note}"[:160])
    return _verdict(asked, _pixels(asked.kind, drawn, max(4 * width * height, ROOM)), drawn.execution)


def _verdict(asked: _Asked, pixels: Pixels | None, execution: Execution) -> Verdict:
    """What a drawing earns; `pixels` is None where there is none."""
    if execution.is_fault:
        return Verdict.broken(f"the sandbox: {execution.note}")
    if pixels is None:
        note = f"draws nothing: {execution.note}".rstrip(": ")
        return Verdict(asked.earned["parses"], False, "parses", note[:160])
    alike = asked.target.similarity(pixels)
    score = max(round(alike.score, 6), asked.earned["draws"])
    parts = {**alike.parts, "aspect": alike.aspect}
    shown = ", ".join(f"{name} {value:.2f}" for name, value in parts.items())
    return Verdict(score, score >= asked.correct_at, "drawn", shown, parts=parts)


def source_text(kind: DrawingKind, response: str) -> ProgramText:
    """The source of a response: its one fenced block of the kind, or all of an answer that is a page or an SVG."""
    found = one_block(response, f"{kind} code block", lambda name: name in TAGS[kind])
    if found.source is None and kind in BARE:
        bare = bare_text(response)
        if bare.startswith("<") and bare.endswith(">") and any(tag in bare.lower() for tag in BARE[kind]):
            return ProgramText(bare, kind)
    return found


def _draw(kind: DrawingKind, source: str, width: int, height: int) -> Drawing:
    """Raises ValueError with the reason for a source that can't be read. A browser reads any page, so that one has to
    hold a tag; a program is read in the sandbox.
    """
    if kind == "html" and "<" not in source:
        raise ValueError("it holds no tag")
    if kind == "svg":
        source = svg_for_window(source, width, height)
    return executor.drawing_sandbox().draw(kind, source, width, height)


def _pixels(kind: DrawingKind, drawn: Drawing, most: int) -> Pixels | None:
    pixels = None if drawn.png is None else pixels_of_drawing(drawn.png, most)
    if pixels is not None and kind in PAGES:
        return within_margins(pixels)
    return pixels if pixels is None or drawn.height is None else pixels[: drawn.height]


def _gold_of(problem: Problem) -> dict[str, Any]:
    place = f"problem {problem.id}, answer"
    try:
        gold = json.loads(problem.answer)
    except ValueError as error:
        raise DataError(place, f"is no JSON: {error}", 'write e.g. {"kind": "svg", "image": 0}') from error
    if not isinstance(gold, dict) or gold.get("kind") not in KINDS:
        kind = gold.get("kind") if isinstance(gold, dict) else gold
        raise DataError(place, f"unknown kind {kind!r}", did_you_mean(str(kind), KINDS))
    if unknown := set(gold) - {"kind", "image", "source", "size"}:
        known = ("kind", "image", "source", "size")
        raise DataError(place, f"unknown entry {min(unknown)!r}", did_you_mean(min(unknown), known))
    return gold


def _asked(problem: Problem) -> _Asked:
    gold, metadata = _gold_of(problem), problem.metadata
    earned = {**dict.fromkeys(_STAGES, 0.0), **metadata.get("earned", {})}
    correct_at = metadata.get("correct_at", 0.9)
    for name, value in {**earned, "correct_at": correct_at}.items():
        if name not in (*_STAGES, "correct_at"):
            raise ConfigError(f"metadata.earned.{name}", "is no stage", did_you_mean(name, _STAGES))
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ConfigError(f"problem {problem.id}, metadata.{name}", f"{value!r} is no share", "give 0 to 1")
    return _Asked(cast(DrawingKind, gold["kind"]), _target(problem, gold), earned, float(correct_at))


def _target(problem: Problem, gold: Mapping[str, Any]) -> _DrawnTarget:
    place, kind = f"problem {problem.id}, answer", cast(DrawingKind, gold["kind"])
    if (source := gold.get("source")) is not None:
        return _drawn_gold(kind, str(source), gold.get("size", WINDOW), place)
    number = gold.get("image", 0)
    if not isinstance(number, int) or not 0 <= number < len(problem.images):
        raise DataError(place, f"names image {number!r} of {len(problem.images)}", "number them from 0")
    try:
        return _image_target(kind, problem.images[number].read_bytes())
    except ValueError as error:
        raise DataError(f"problem {problem.id}, image {number}", str(error), "give another target") from error


@lru_cache(maxsize=KEPT_IMAGES)
def _image_target(kind: DrawingKind, data: bytes) -> _DrawnTarget:
    pixels = pixels_of_row(data)
    return _DrawnTarget.of(kind, within_margins(pixels) if kind in PAGES else pixels)


def _draw_targets(problems: Sequence[Problem]) -> None:
    """Draws targets that are given as SVG sources, together where they are several. What can't be drawn is left: it is
    refused where its problem is judged.
    """
    keys: dict[tuple[str, str, int, int], SvgTile] = {}
    for problem in problems:
        try:
            gold = _gold_of(problem)
            if gold["kind"] == "svg" and gold.get("source") is not None:
                width, height = _size(gold.get("size", WINDOW), "")
                source = str(gold["source"])
                keys["svg", source, width, height] = SvgTile(svg_for_window(source, width, height), width, height)
        except (DataError, ValueError):
            continue
    with _drawing:
        new = {key: tile for key, tile in keys.items() if key not in _targets}
        if len(new) < 2:
            return
        for key, drawn in zip(new, draw_tiles(executor.drawing_sandbox(), list(new.values())), strict=True):
            if drawn.pixels is not None and not drawn.execution.is_fault:
                try:
                    _keep_target(key, _DrawnTarget.of("svg", drawn.pixels, key[1]))
                except ValueError:
                    continue


def _keep_target(key: tuple[str, str, int, int], target: _DrawnTarget) -> None:
    _targets[key] = target
    if len(_targets) > KEPT_TARGETS:
        _targets.popitem(last=False)


def _size(size: Any, place: str) -> tuple[int, int]:
    pair = isinstance(size, list | tuple) and len(size) == 2
    if not pair or not all(isinstance(side, int) and 16 <= side <= 4096 for side in size):
        raise DataError(place, f"size is {size!r}", "give [width, height] in pixels, 16 to 4096 each")
    return size[0], size[1]


def _drawn_gold(kind: DrawingKind, source: str, size: Any, place: str) -> _DrawnTarget:
    width, height = _size(size, place)
    key = (kind, source, width, height)
    with _drawing:
        if key not in _targets:
            try:
                drawn = _draw(kind, source, width, height)
                if drawn.execution.is_fault:
                    raise RuntimeError(f"the sandbox: {drawn.execution.note}")  # a fault, and no word on the gold
                pixels = _pixels(kind, drawn, MAX_PIXELS)
                if pixels is None:
                    raise ValueError(f"its source draws nothing: {drawn.execution.note}")
                target = _DrawnTarget.of(kind, pixels, source)
            except ValueError as error:
                raise DataError(place, str(error), "mend the source") from error
            _keep_target(key, target)
        return _targets[key]
