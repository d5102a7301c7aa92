"""The rollouts a report shows: a fair sample of steps and problems, with every image embedded once."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from vlrl.runlog.run_folder import read_jsonl
from vlrl.types import MODALITIES

MOST_STEPS = 13  # of each phase, the first and the last among them
MOST_BYTES = 3_000_000  # of the embedded payload; with curves and text a report stays under 5 MB
MOST_CHARS = 3_000  # of one response
IMAGE_SIDE = 400  # pixels; larger images are reduced
IMAGE_BYTES = 40_000
_IMAGES_FIRST = [*(m for m in MODALITIES if m != "text"), "text"]
_KEPT_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}


def viewer_payload(run_folder: Path) -> dict[str, Any]:
    """What the viewer needs: `entries` (phase, step, groups), `images` by digest, and how much was left out.

    Steps are spread evenly over the run. Of each step the first problems of each modality are taken in the order in
    which the run wrote them; the report makes no choice by outcome. Fewer are taken until the payload fits MOST_BYTES.
    """
    file = run_folder / "rollouts.jsonl"
    if not file.is_file():
        return {"entries": [], "images": {}, "written": 0, "shown": 0}
    steps: dict[str, set[int]] = {}
    written = 0
    for record in read_jsonl(file):
        steps.setdefault(record["phase"], set()).add(int(record["step"]))
        written += 1
    chosen = {(phase, step) for phase, held in steps.items() for step in spread(sorted(held), MOST_STEPS)}
    by_step: dict[tuple[str, int], list[dict[str, Any]]] = {key: [] for key in chosen}
    for record in read_jsonl(file):
        key = (record["phase"], int(record["step"]))
        if key in by_step and _room(by_step[key], record["problem"]["modality"], 4):
            by_step[key].append(record)
    embedded: dict[str, dict[str, Any] | None] = {}
    payload: dict[str, Any] = {}
    for per_modality in (4, 3, 2, 1):
        payload = _assemble(run_folder, by_step, per_modality, embedded, written)
        if len(json.dumps(payload)) <= MOST_BYTES:
            break
    return payload


def spread(values: Sequence[int], most: int) -> list[int]:
    """At most `most` of the values, evenly spaced, both ends among them."""
    if len(values) <= most:
        return list(values)
    return [values[int(i)] for i in np.linspace(0, len(values) - 1, most).round()]


def _room(taken: Sequence[Mapping[str, Any]], modality: str, most: int) -> bool:
    return [record["problem"]["modality"] for record in taken].count(modality) < most


def _assemble(
    folder: Path,
    by_step: Mapping[tuple[str, int], Sequence[Mapping[str, Any]]],
    per_modality: int,
    embedded: dict[str, dict[str, Any] | None],
    written: int,
) -> dict[str, Any]:
    entries: list[dict[str, Any]] = []
    used: set[str] = set()
    for (phase, step), records in sorted(by_step.items()):
        taken: list[Mapping[str, Any]] = []
        for record in records:
            if _room(taken, record["problem"]["modality"], per_modality):
                taken.append(record)
        taken.sort(key=lambda r: (_IMAGES_FIRST.index(r["problem"]["modality"]), r["problem"]["domain"]))
        entries.append({"phase": phase, "step": step, "groups": [_group(record) for record in taken]})
        used |= {d for record in taken for d in _digests(record)}
    for digest in used - set(embedded):
        embedded[digest] = embed_image(folder / "images", digest)
    images = {digest: held for digest in sorted(used) if (held := embedded[digest]) is not None}
    return {
        "entries": entries,
        "images": images,
        "written": written,
        "shown": sum(len(e["groups"]) for e in entries),
    }


def _digests(record: Mapping[str, Any]) -> Iterator[str]:
    yield from (piece["image"] for piece in record["problem"]["prompt"] if "image" in piece)
    for rollout in record["rollouts"]:
        for part in rollout.get("episode", {}).get("parts", ()):
            yield from part.get("images", ())


def _group(record: Mapping[str, Any]) -> dict[str, Any]:
    """A group for the viewer; equal responses with equal credit become one with a count."""
    problem = record["problem"]
    merged: dict[str, dict[str, Any]] = {}
    for rollout in record["rollouts"]:
        shown = {name: value for name, value in rollout.items() if name != "score"} | {
            "text": _shorten(rollout["text"])
        }
        if "episode" in shown:
            parts = [{**part, "text": _shorten(part["text"])} for part in shown["episode"]["parts"]]
            shown["episode"] = {**shown["episode"], "parts": parts}
        merged.setdefault(json.dumps(shown, sort_keys=True), {**shown, "count": 0})["count"] += 1
    kept = ("id", "prompt", "answer", "modality", "domain", "difficulty", "verifier", "twin")
    responses = sorted(merged.values(), key=lambda r: (not r["correct"], -r["count"]))
    return {**{name: problem.get(name) for name in kept}, "responses": responses}


def _shorten(text: str) -> str:
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]} … ({len(text) - MOST_CHARS} more characters)"


def embed_image(folder: Path, digest: str) -> dict[str, Any] | None:
    """An image as a data URI with its own size in pixels; None where the file is missing or is no image."""
    file = next(iter(sorted(folder.glob(f"{digest}.*"))), None)
    if file is None:
        return None
    data = file.read_bytes()
    try:
        with PillowImage.open(io.BytesIO(data)) as image:
            width, height = image.size
            kind = _KEPT_FORMATS.get(image.format or "")
            if kind is None or max(width, height) > IMAGE_SIDE or len(data) > IMAGE_BYTES:
                data, kind = _reduced(image)
    except (UnidentifiedImageError, PillowImage.DecompressionBombError, OSError):
        return None  # the viewer says that the image can't be shown
    uri = f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return {"src": uri, "width": width, "height": height}


def _reduced(image: PillowImage.Image) -> tuple[bytes, str]:
    small = image.convert("RGB")
    small.thumbnail((IMAGE_SIDE, IMAGE_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return buffer.getvalue(), "image/jpeg"


def script_json(payload: Mapping[str, Any]) -> str:
    """JSON that can stand inside a <script> element: no character of it can end the element or start a comment."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
