"""curation.html: one file without a server or a network. Funnel, examples of what was dropped, balance."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image as Pillow

from vlrl.curation.curation_settings import CurateSettings
from vlrl.curation.funnel import Funnel, StageResult
from vlrl.curation.selection.long_cot_warmup import WarmupSet
from vlrl.curation.stage import Decision
from vlrl.curation.test_cases.written_generators import counts_said
from vlrl.data.images.open_images import BadImageError, open_image
from vlrl.runlog.run_folder import write_atomically
from vlrl.types import Image, Problem, content_digest

THUMB_PIXELS = 132  # the longer side of an image in the report
MAX_CHARS = 600  # of a text in the report
SHOWN_LABELS = 12  # bars a family


def write_curation_report(
    folder: Path, settings: CurateSettings, funnel: Funnel, warmup: WarmupSet | None, results: Mapping[str, Any]
) -> Path:
    """Write curation.html into the run folder; returns its path. Problems and responses reach the page as text only."""
    environment = Environment(
        loader=PackageLoader("vlrl.curation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    read = max(results["read"], 1)
    page = environment.get_template("report.html.jinja").render(
        name=settings.name,
        data=settings.data,
        tiles=_tiles(results, warmup),
        stages=[_stage(stage, read, settings.examples) for stage in funnel.stages],
        kept=[_shown(problem) for problem in _spread(funnel.kept, settings.examples)],
        rates=_rates(funnel),
        families=_families(results["balance"]),
        skewed=results["balance"]["kept"]["skewed"],
        warmup=None
        if warmup is None
        else {**results["warmup"], "examples": _demonstrations(warmup, settings.examples)},
        settings=yaml.safe_dump(settings.as_written(), sort_keys=False, allow_unicode=True),
        model_hash=results["model_hash"],
        style=Markup(resources.files("vlrl.curation").joinpath("report.css").read_text(encoding="utf-8")),
    )
    target = folder / "curation.html"
    write_atomically(target, page)
    return target


def _tiles(results: Mapping[str, Any], warmup: WarmupSet | None) -> list[dict[str, str]]:
    read, kept = results["read"], results["kept"]
    share = f"{100 * kept / read:.1f}% of those read" if read else ""
    dropped = sum(sum(stage["dropped"].values()) for stage in results["stages"])
    tiles = [
        {"label": "read", "value": f"{read:,}", "note": "problems"},
        {"label": "kept", "value": f"{kept:,}", "note": share},
        {"label": "dropped", "value": f"{dropped:,}", "note": "every one with a reason"},
        {"label": "faults", "value": f"{results['faults']:,}", "note": "the verifier broke: set aside in faults.jsonl"},
    ]
    if warmup is not None:
        note = f"of {warmup.sampled:,} responses"
        tiles.append({"label": "demonstrations", "value": f"{len(warmup.demonstrations):,}", "note": note})
    return tiles


def _stage(stage: StageResult, read: int, examples: int) -> dict[str, Any]:
    by_reason: dict[str, list[Decision]] = defaultdict(list)
    for decision in stage.decisions:
        if decision.outcome != "kept":
            by_reason[decision.reason].append(decision)
    reasons = [
        {
            "reason": reason,
            "count": len(members),
            "fault": members[0].outcome == "fault",
            "examples": [
                {**_shown(decision.problem), "detail": _cut(decision.detail)} for decision in _spread(members, examples)
            ],
        }
        for reason, members in sorted(by_reason.items(), key=lambda item: -len(item[1]))
    ]
    return {
        "name": stage.name,
        "entered": stage.entered,
        "out": stage.out,
        "out_width": 100 * stage.out / read,
        "lost_width": 100 * sum(stage.dropped.values()) / read,
        "fault_width": 100 * sum(stage.faults.values()) / read,
        "reasons": reasons,
        "opened": int(stage.totals.get("opened", 0)),
        "not_asked": int(stage.totals.get("not_asked", 0)),
        "generators": counts_said(stage.totals),
        "fault_verdicts": int(stage.totals.get("faults", 0)),
        "verdicts": int(stage.totals.get("judged", 0)) + int(stage.totals.get("faults", 0)),
        "seconds": f"{stage.seconds:.1f}",
    }


def _spread(members: Sequence[Any], count: int) -> list[Any]:
    """`count` members drawn by their ids, so that the first of the file aren't favoured; the same ones every time."""

    def lot(member: Any) -> str:
        return content_digest("example", member.id if isinstance(member, Problem) else member.problem.id)

    return sorted(members, key=lot)[:count]


def _shown(problem: Problem) -> dict[str, Any]:
    return {
        "pieces": [
            {"src": Markup(_thumbnail(piece)), "text": ""}
            if isinstance(piece, Image)
            else {"src": "", "text": _cut(piece.text)}
            for piece in problem.prompt
        ],
        "answer": _cut(problem.answer),
        "domain": problem.domain,
        "modality": problem.modality,
        "id": problem.id[:8],
        "difficulty": "" if problem.difficulty is None else f"{problem.difficulty:.2f}",
    }


@cache
def _thumbnail(image: Image) -> str:
    """A small image as a data address; empty where the file is gone or can't be read (the page says so)."""
    try:
        thumbnail = open_image(image)
    except BadImageError:
        return ""
    thumbnail.thumbnail((THUMB_PIXELS, THUMB_PIXELS), Pillow.Resampling.LANCZOS)
    file = io.BytesIO()
    thumbnail.save(file, "PNG" if thumbnail.width * thumbnail.height < 5000 else "JPEG", quality=82)
    kind = "png" if file.getvalue().startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def _rates(funnel: Funnel) -> list[dict[str, Any]]:
    """For every stage that measured pass rates: problems by tenths, 0 and 1 apart."""
    found = []
    for stage in funnel.stages:
        rates = [decision.measured["pass_rate"] for decision in stage.decisions if "pass_rate" in decision.measured]
        if not rates:
            continue
        bins = [0] * 12  # exactly 0, (0, .1), [.1, .2), …, [.9, 1), exactly 1
        for rate in rates:
            bins[0 if rate == 0 else 11 if rate == 1 else 1 + int(rate * 10 + 1e-9)] += 1
        names = ["0", *(f".{low}–.{low + 1}" if low < 9 else ".9–1" for low in range(10)), "1"]
        top = max(bins)
        found.append(
            {
                "stage": stage.name,
                "n": len(rates),
                "mean": f"{sum(rates) / len(rates):.3f}",
                "bars": [{"name": n, "count": c, "height": 100 * c / top} for n, c in zip(names, bins, strict=True)],
            }
        )
    return found


def _families(balance: Mapping[str, Any]) -> list[dict[str, Any]]:
    """By family: share of every label before and after."""
    before, after = balance["read"], balance["kept"]
    found = []
    for family in dict.fromkeys([*before["families"], *after["families"]]):
        first = before["families"].get(family, {"counts": {}})["counts"]
        last = after["families"].get(family, {"counts": {}, "evenness": 1.0, "skewed": False})
        names = list(dict.fromkeys([*last["counts"], *first]))
        if family != "difficulty":
            names.sort(key=lambda name: -max(last["counts"].get(name, 0), first.get(name, 0)))
        rows = [
            {
                "name": name,
                "before": first.get(name, 0),
                "after": last["counts"].get(name, 0),
                "before_width": 100 * first.get(name, 0) / max(before["problems"], 1),
                "after_width": 100 * last["counts"].get(name, 0) / max(after["problems"], 1),
            }
            for name in names[:SHOWN_LABELS]
        ]
        found.append(
            {
                "family": family,
                "rows": rows,
                "more": len(names) - len(rows),
                "evenness": f"{last['evenness']:.2f}",
                "skewed": last["skewed"],
            }
        )
    return found


def _demonstrations(warmup: WarmupSet, count: int) -> list[dict[str, Any]]:
    return [{**_shown(d.problem), "response": _cut(d.response)} for d in _spread(warmup.demonstrations, count)]


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[:MAX_CHARS] + " …"
