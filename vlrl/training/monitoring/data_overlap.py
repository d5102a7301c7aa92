"""Overlap of what a run trains on with what it is tested on, problem by problem as they are drawn.

Three comparisons, each dearer than the one before:

content  the words of question and drawn pages, and images byte for byte: of every problem
texts    near-duplicates, as curation's contamination stage finds them: of every problem, while there is time
looks    images place by place, in the same way: of problems of files, while there is time. What a domain draws is
         new by its id, which the mixture refuses where it is held out; its content and text are compared all the same

A line of `problems.jsonl` says of a step which problems were drawn, how far each was compared, and what it is near.
Of a data set that is to be free of a benchmark, `vlrl curate` with the stage `contamination` looks at every row first.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlrl import dist
from vlrl.curation.matching.contamination import SHARED_IMAGE, BenchmarkComparison
from vlrl.curation.matching.text_match import MatchText
from vlrl.curation.matching.text_words import whole_text, wordless_images, words_of
from vlrl.runlog.log_lines import read_jsonl
from vlrl.runlog.run_folder import PROBLEMS, RunFolder
from vlrl.types import Problem, content_digest

SECONDS, RATE = 1.0, 0.01  # of near-duplicates in a run: that long, and that share of the time since it began
SHOWN = 5  # that the card names of each set; all of them are in problems.jsonl
NEAR, TEXTS, CONTENT = "near", "texts", "content"
LEVELS = {
    NEAR: "for near-duplicates",
    TEXTS: "for near-duplicates of text, images byte for byte",
    CONTENT: "by content alone, since the time for more was spent",
}
SAME = "same question"
STOPS = frozenset(".,;:?")  # don't tell two questions apart
KINDS = {SHARED_IMAGE: "image under another question", "text": "near text", "image and text": "near image and text"}


class DataOverlap:
    """Compares what a run trains on with its evaluation sets, by name. Without any it does nothing.

    drawn  names of sources that draw their problems: these are not compared by their looks
    clock  seconds; `SECONDS` and `RATE` are of it
    """

    def __init__(
        self,
        sets: Mapping[str, Sequence[Problem]] | None = None,
        drawn: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sets = {name: problems for name, problems in (sets or {}).items() if problems}
        self._drawn, self._clock, self._start = frozenset(drawn), clock, clock()
        self._near: dict[str, BenchmarkComparison] = {}
        self._of_content: defaultdict[str, dict[str, str]] = defaultdict(dict)  # key → set → row
        self._of_image: defaultdict[str, dict[str, str]] = defaultdict(dict)  # digest → set → row
        self._known: dict[str, tuple[str, list[dict[str, str]]]] = {}  # problems of files come again
        self.seconds = self._spent = 0.0

    def note(self, run: RunFolder, stage: str, step: int, problems: Sequence[Problem]) -> None:
        """Compare the problems that `step` of a stage learns from, and write down how they came out; 0 where a stage
        has one set for all steps. Raises BadImageError for an image that can't be read.
        """
        if not self._sets or not problems or not dist.is_first():
            return
        began = self._clock()
        if not self._of_content:
            self._read_sets()
        compared = [self._compared(problem) for problem in problems]
        ids: dict[str, list[str]] = {}
        for problem, (level, _) in zip(problems, compared, strict=True):
            ids.setdefault(level, []).append(problem.content_id)
        run.problems(stage, step, {"compared": ids, "near": [one for _, near in compared for one in near]})
        self.seconds += self._clock() - began

    def described(self, run: Path, not_compared: Sequence[str] = ()) -> dict[str, Any]:
        """For the run card: `overlap_account`, and

        sets          by name: how many problems each has, and the digest of which
        not_compared  what the run is tested on, too, and no problem was held against
        time          of the present session
        """
        sets = {name: {"problems": len(held), "digest": digest_of(held)} for name, held in self._sets.items()}
        took = f"{self.seconds:.2f} s; of near-duplicates at most {SECONDS:g} s and {RATE:.0%} of the session's time"
        return {**overlap_account(run), "sets": sets, "not_compared": list(not_compared), "time": took}

    def _read_sets(self) -> None:
        for name, problems in self._sets.items():
            for problem in problems:
                for key in _names(problem):
                    self._of_content[key].setdefault(name, problem.id)
                for image in wordless_images(problem):
                    self._of_image[image.digest].setdefault(name, problem.id)

    def _compared(self, problem: Problem) -> tuple[str, list[dict[str, str]]]:
        """(how far, what it is near)"""
        best = TEXTS if problem.source in self._drawn and wordless_images(problem) else NEAR
        known = self._known.get(problem.content_id)
        if known is not None and known[0] == best:
            return known
        near = {name: (SAME, row) for key in _names(problem) for name, row in self._of_content.get(key, {}).items()}
        for image in wordless_images(problem):
            for name, row in self._of_image.get(image.digest, {}).items():
                near.setdefault(name, (KINDS[SHARED_IMAGE], row))
        level = self._look_for_near(problem, best, near) if self._has_time() else CONTENT
        found = [{"id": problem.content_id, "set": name, "kind": k, "row": row} for name, (k, row) in near.items()]
        if problem.source not in self._drawn:
            self._known[problem.content_id] = (level, found)
        return level, found

    def _look_for_near(self, problem: Problem, best: str, near: dict[str, tuple[str, str]]) -> str:
        """Adds to `near`; how far it came. A set that has the very question is not searched for others like it."""
        began, images = self._clock(), wordless_images(problem)
        level, text = NEAR if best == NEAR else TEXTS, MatchText.of(whole_text(problem))
        for name, problems in self._sets.items():
            if near.get(name, ("", ""))[0] == SAME:
                continue
            if name not in self._near:
                self._near[name] = BenchmarkComparison([(f"row {one.id}", one) for one in problems])
            against = self._near[name]
            if images and best == NEAR:
                while self._has_time(began) and against.index_image():
                    pass
                if self._has_time(began):
                    against.look_at(images)
                else:
                    level = TEXTS
            decision = against.decide(problem, text)
            if decision.outcome == "dropped":
                kind = KINDS[decision.reason.removesuffix(" of row")]
                near[name] = (kind, str(decision.measured["row"]).removeprefix("row "))
        self._spent += self._clock() - began
        return level

    def _has_time(self, began: float | None = None) -> bool:
        """Whether near-duplicates may take longer; `began` of those that are looked for now."""
        now = self._clock()
        spent = self._spent + (0.0 if began is None else now - began)
        return spent < SECONDS + RATE * (now - self._start)


def _names(problem: Problem) -> Iterator[str]:
    """By which a problem is known whatever form it is asked in: its words with its images, its ids, its twin."""
    words = " ".join(word for word in words_of(whole_text(problem)) if word not in STOPS)
    yield content_digest(words, *(image.digest for image in wordless_images(problem)))
    yield problem.content_id
    if problem.twin is not None:
        yield problem.twin


def digest_of(problems: Sequence[Problem]) -> str:
    """Of which problems a set has, in order."""
    return content_digest(*(problem.content_id for problem in problems))


def overlap_account(run: Path) -> dict[str, Any]:
    """Of a run's problems.jsonl, each problem once however often it was drawn:

    problems  by stage, how many there were
    compared  how many of all of them how far (`LEVELS`)
    near      by set: how many are near one of its problems, by kind, and the first of them by name
    """
    stages: defaultdict[str, set[str]] = defaultdict(set)
    levels: dict[str, str] = {}
    near: defaultdict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    order = list(LEVELS)
    for line in read_jsonl(run / PROBLEMS) if (run / PROBLEMS).is_file() else ():
        for level, names in line["compared"].items():
            stages[line["phase"]].update(names)
            levels |= {name: min(level, levels.get(name, level), key=order.index) for name in names}
        for one in line["near"]:
            near[one["set"]][one["id"]] = one
    reached = Counter(levels.values())
    return {
        "problems": {stage: len(names) for stage, names in stages.items()},
        "compared": {said: reached[level] for level, said in LEVELS.items() if reached[level]},
        "near": {
            name: {
                "problems": len(found),
                **Counter(one["kind"] for one in found.values()),
                "first": [f"{one['id']}: {one['kind']}, {one['row']}" for one in list(found.values())[:SHOWN]],
            }
            for name, found in sorted(near.items())
        },
    }


def drawn_again(run: Path, sets: Mapping[str, Sequence[Problem]]) -> dict[str, set[str]]:
    """By set: ids of its own problems that the run drew and that problems.jsonl doesn't say are the same."""
    told: defaultdict[str, set[str]] = defaultdict(set)
    ids: set[str] = set()
    for line in read_jsonl(run / PROBLEMS) if (run / PROBLEMS).is_file() else ():
        ids.update(*line["compared"].values())
        for one in line["near"]:
            told[one["set"]].add(one["id"])
    found = {name: ids & {problem.content_id for problem in problems} for name, problems in sets.items()}
    return {name: held - told[name] for name, held in found.items() if held - told[name]}
