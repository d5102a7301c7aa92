"""Groups of an earlier run's rollouts.jsonl, read back to be learned from: problems, texts of responses, rewards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlrl.errors import DataError
from vlrl.runlog.log_lines import read_jsonl
from vlrl.types import Image, Problem, Text

FILE = "rollouts.jsonl"


@dataclass(frozen=True)
class StoredResponse:
    """One response that was judged.

    text     as it was decoded, without end token
    tokens   that the policy wrote, the end token included
    ended    whether it ended by itself
    reward   score + shaping, as it was then
    """

    text: str
    tokens: int
    ended: bool
    reward: float


@dataclass(frozen=True)
class StoredGroup:
    """One problem and its judged responses in one step. The problem has no metadata: nothing judges it again.

    problem_id  of the problem as it was asked, metadata included
    """

    problem_id: str
    problem: Problem
    responses: tuple[StoredResponse, ...]


def read_stored_groups(run: Path, from_step: int = 1) -> list[StoredGroup]:
    """Groups that RL logged from a 1-based step on; those of which nothing could be judged are left out.

    Raises DataError for a folder without them, for an image that is gone or damaged, and for episodes of several turns,
    whose observations the file doesn't hold; RunError for a damaged line.
    """
    file = run / FILE
    if not file.is_file():
        raise DataError(str(run), f"holds no {FILE}", "name the folder of a run whose stages had `rl`")
    images: dict[str, Image] = {}
    found = []
    for record in read_jsonl(file):
        if record["phase"] != "rl" or record["step"] < from_step:
            continue
        row = record["problem"]
        place = f"{file}, step {record['step']}, problem {row['id']}"
        if any("episode" in one for one in record["rollouts"]):
            raise DataError(place, "is an episode, whose observations aren't kept as tokens", "leave this run out")
        judged = [one for one in record["rollouts"] if one["fault"] is None and one.get("left_out") is None]
        responses = tuple(
            StoredResponse(one["text"], one["tokens"], one["finish_reason"] == "stop", one["reward"]) for one in judged
        )
        if responses:
            found.append(StoredGroup(row["id"], _problem(row, run, images, place), responses))
    if not found:
        raise DataError(
            str(file), f"holds no judged group of RL from step {from_step} on", "log more, or start earlier"
        )
    return found


def largest_group(runs: Sequence[str], from_step: int = 1) -> int:
    """Responses of the largest group that these runs logged; 1 without any. Raises RunError for a damaged line."""
    files = [file for run in runs if (file := Path(run).expanduser() / FILE).is_file()]
    lines = (line for file in files for line in read_jsonl(file) if line["phase"] == "rl" and line["step"] >= from_step)
    return max((len(line["rollouts"]) for line in lines), default=1)


def _problem(row: Mapping[str, Any], run: Path, images: dict[str, Image], place: str) -> Problem:
    prompt: list[Text | Image] = []
    for piece in row["prompt"]:
        if "text" in piece:
            prompt.append(Text(piece["text"]))
            continue
        digest = piece["image"]
        if digest not in images:
            images[digest] = _image(run, digest, place)
        prompt.append(images[digest])
    plain = {name: row[name] for name in ("answer", "verifier", "modality", "domain", "source", "difficulty", "twin")}
    return Problem(tuple(prompt), **plain, tags=tuple(row["tags"]), system=row.get("system"))


def _image(run: Path, digest: str, place: str) -> Image:
    file = next((run / "images").glob(f"{digest}.*"), None)
    if file is None:
        raise DataError(
            place, f"its image {digest} isn't in {run / 'images'}", "put the file back, or leave this run out"
        )
    image = Image.from_file(str(file))
    if image.digest != digest:
        raise DataError(str(file), "is damaged: its bytes are others than its name says", "put a copy back")
    return image
