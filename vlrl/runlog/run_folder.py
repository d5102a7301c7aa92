"""The run folder: what a run writes while it lives, readable by anything that reads JSON.

    run.yaml          the resolved settings            run_card.json   what ran, where, on what (from the first second)
    metrics.jsonl     one line a step, `area/what`     rollouts.jsonl  groups with responses, verdicts and credit
    problems.jsonl    what each step drew              images/         images of rollouts.jsonl, by digest
    results.json      final figures                    run_card.md     the card in words
    checkpoints/      step_000123/, whole or absent    model/          Hugging Face format        report.html

Every line of the JSONL files carries `schema`; a reader refuses a number it doesn't know.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from vlrl.installation.host import describe_code, describe_machine, describe_versions
from vlrl.runlog import own_files
from vlrl.runlog.atomic_files import write_atomically as write_atomically  # what others write into a run folder, too
from vlrl.runlog.card_digest import DIGEST, card_digest
from vlrl.runlog.codecs import episode_row, problem_row, verdict_row
from vlrl.runlog.kept_images import kept_images, refuse_lost_images
from vlrl.runlog.log_lines import SCHEMA as SCHEMA
from vlrl.runlog.log_lines import mend_jsonl
from vlrl.runlog.log_lines import read_jsonl as read_jsonl
from vlrl.runlog.shown_rollouts import ShownRollout, shown_of
from vlrl.types import Image, ScoredGroup

PROBLEMS = "problems.jsonl"
LOGS = ("metrics.jsonl", "rollouts.jsonl", PROBLEMS)


def group_record(group: ScoredGroup, trained: bool = True) -> dict[str, Any]:
    """A group as it stands in rollouts.jsonl; images by digest, without what only the verifier reads.

    trained  whether judged responses are used in an update
    """
    problem = problem_row(group.problem, lambda image: {"image": image.digest})
    del problem["metadata"]
    rows = [
        {
            "text": rollout.text,
            "tokens": rollout.num_policy_tokens,
            "finish_reason": rollout.finish_reason,
            **verdict_row(verdict),
            "reward": group.rewards[i],
            "reward_parts": {name: values[i] for name, values in group.reward_parts.items()},
            "advantage": group.advantages[i],
            "used": trained and group.judged[i],
            **episode_row(rollout),
        }
        for i, (rollout, verdict) in enumerate(zip(group.rollouts, group.verdicts, strict=True))
    ]
    return {"problem": problem, "rollouts": rows}


def image_suffix(data: bytes) -> str:
    """The file suffix that the first bytes of an encoded image call for."""
    if data.startswith(b"\x89PNG"):
        return ".png"
    if data.startswith(b"\xff\xd8"):
        return ".jpg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    return ".gif" if data.startswith(b"GIF8") else ".img"


class RunFolder:
    """One run on disk. Opening it writes run.yaml and starts the run card; `finish` completes the card."""

    def __init__(
        self,
        path: str | Path,
        settings: Mapping[str, Any],
        command: Sequence[str] = (),
        also: Callable[[str, int, Mapping[str, Any]], None] | None = None,
        say: Callable[[str], None] = print,
        shown: Callable[[str, int, Sequence[ShownRollout]], None] | None = None,
    ) -> None:
        """`also` is told every line of metrics, e.g. an experiment tracker, and `shown` a few of the rollouts that are
        logged; `say` what was found damaged and mended.

        `damaged` has, of every damaged log, (phase, step) of the line before the first damaged one.
        """
        self.path = Path(path)
        self._also, self._say, self._shown = also, say, shown
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "images").mkdir(exist_ok=True)
        self._started = time.monotonic()
        found = [mend_jsonl(self.path / name, say) for name in LOGS]
        self.damaged = [one for one in found if one is not None]
        self._images_kept = {file.stem for file, whole in kept_images(self.path) if whole}  # others are written again
        write_atomically(self.path / "run.yaml", yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True))
        earlier = self._read_card()
        self.card: dict[str, Any] = {
            "schema": SCHEMA,
            "status": "running",
            "command": list(command),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "sessions": [*earlier.get("sessions", [])],
            "seed": settings.get("seed"),
            "settings": dict(settings),
            "machine": describe_machine(),
            "versions": describe_versions(),
            "code": describe_code(),
        }
        if earlier:
            self.card = {**{k: v for k, v in earlier.items() if k not in self.card}, **self.card}
            self.card["started"] = earlier.get("started", self.card["started"])
        self.card["sessions"].append({"started": datetime.now(UTC).isoformat(timespec="seconds")})
        self._write_card()

    def _read_card(self) -> dict[str, Any]:
        file = self.path / "run_card.json"
        if not file.is_file():
            return {}
        try:
            held = json.loads(file.read_bytes())
            if isinstance(held, dict) and isinstance(held.get("sessions", []), list):
                return held
            reason = "it is no run card"
        except ValueError as error:
            reason = str(error)
        self._say(f"{file} is damaged ({reason}): a new one is begun, without the sessions before this one")
        return {}

    def _write_card(self) -> None:
        self.card[DIGEST] = card_digest(self.card)
        write_atomically(self.path / "run_card.json", json.dumps(self.card, indent=2, ensure_ascii=False) + "\n")

    def note(self, **fields: Any) -> None:
        """Add fields to the run card now (model, data, tokens …); mappings are merged one level deep."""
        for key, value in fields.items():
            held = self.card.get(key)
            self.card[key] = {**held, **value} if isinstance(held, dict) and isinstance(value, dict) else value
        self._write_card()

    def note_session(self, **fields: Any) -> None:
        """Add fields to the present session's entry in the run card."""
        self.card["sessions"][-1].update(fields)
        self._write_card()

    def metrics(self, phase: str, step: int, values: Mapping[str, float | int | str | None]) -> dict[str, Any]:
        """Append one line to metrics.jsonl and return it. A non-finite number is written as null."""
        clean = {k: (None if isinstance(v, float) and not math.isfinite(v) else v) for k, v in values.items()}
        seconds = round(time.monotonic() - self._started, 3)
        record = {"schema": SCHEMA, "phase": phase, "step": step, "seconds": seconds, **clean}
        self._append("metrics.jsonl", [record])
        if self._also is not None:
            self._also(phase, step, record)
        return record

    def rollouts(self, phase: str, step: int, groups: Sequence[ScoredGroup], trained: bool = True) -> None:
        """Append groups to rollouts.jsonl and keep their images once each under images/."""
        for group in groups:
            self._keep_images(group.problem.images)
            self._keep_images(image for rollout in group.rollouts for image in rollout.images)
        known = {"schema": SCHEMA, "phase": phase, "step": step}
        self._append("rollouts.jsonl", [known | group_record(group, trained) for group in groups])
        if self._shown is not None and groups:
            self._shown(phase, step, shown_of(groups, self._image_file))

    def problems(self, phase: str, step: int, line: Mapping[str, Any]) -> None:
        """Append what a step learned from to problems.jsonl: `line` as vlrl.training.monitoring.data_overlap has it."""
        self._append(PROBLEMS, [{"schema": SCHEMA, "phase": phase, "step": step, **line}])

    def _image_file(self, digest: str) -> Path | None:
        return next((self.path / "images").glob(f"{digest}.*"), None)

    def _keep_images(self, images: Iterable[Image]) -> None:
        for image in images:
            if image.digest not in self._images_kept:
                data = image.read_bytes()
                write_atomically(self.path / "images" / f"{image.digest}{image_suffix(data)}", data)
                self._images_kept.add(image.digest)

    def _append(self, name: str, records: Sequence[Mapping[str, Any]]) -> None:
        lines = "".join(json.dumps(r, ensure_ascii=False, allow_nan=False) + "\n" for r in records)
        with open(self.path / name, "ab") as file:
            end = file.tell()
            try:
                file.write(lines.encode("utf-8"))
                file.flush()
            except OSError as error:  # a full disk: no half line stays
                with suppress(OSError):
                    file.truncate(end)
                error.filename = error.filename or str(self.path / name)
                raise
        own_files.note_grown(self.path / name)

    def truncate_after(self, phase: str, step: int) -> None:
        """Drop lines of `phase` later than `step` from the JSONL files: a resumed run writes them again."""
        for name in LOGS:
            file = self.path / name
            if file.is_file():
                kept = [r for r in read_jsonl(file) if r["phase"] != phase or r["step"] <= step]
                write_atomically(file, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in kept))

    def refuse_lost_images(self, phases: Collection[str] | None = None) -> None:
        """Raises RunError for an image that is damaged and that no rollouts to come will write again.

        phases  whose rollouts stay; None: all that there are
        """
        refuse_lost_images(self.path, self._say, self._images_kept, phases)

    def results(self, results: Mapping[str, Any]) -> None:
        """Write results.json whole."""
        write_atomically(self.path / "results.json", json.dumps(results, indent=2, ensure_ascii=False) + "\n")

    def damaged_from(self, *phases: str) -> int | None:
        """The step of these phases from which on a log was damaged, None where it is whole."""
        return min((step for phase, step in self.damaged if phase in phases), default=None)

    def finish(self, status: str, reason: str | None = None, **fields: Any) -> None:
        """Complete the run card: status `finished`, `failed` or `interrupted`, the last two with a reason."""
        self.card["status"] = status
        self.card.pop("reason", None)
        if reason is not None:
            self.card["reason"] = reason
        self.card["sessions"][-1]["ended"] = datetime.now(UTC).isoformat(timespec="seconds")
        self.card["sessions"][-1]["seconds"] = round(time.monotonic() - self._started, 1)
        self.note(**fields)


class FollowedRun(RunFolder):
    """The run folder as the ranks after the first have it: the same calls, and nothing is written."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._also, self._say, self._shown, self.damaged = None, _nothing, None, []
        self._started = time.monotonic()
        self.card = {"sessions": [{}]}

    def _write_card(self) -> None:
        pass

    def _append(self, name: str, records: Sequence[Mapping[str, Any]]) -> None:
        pass

    def _keep_images(self, images: Iterable[Image]) -> None:
        pass

    def truncate_after(self, phase: str, step: int) -> None:
        """Left to the first rank."""

    def refuse_lost_images(self, phases: Collection[str] | None = None) -> None:
        """Left to the first rank."""

    def results(self, results: Mapping[str, Any]) -> None:
        """Left to the first rank."""


def _nothing(text: str) -> None:
    """What the ranks after the first say."""
