"""What a page on benchmarks shows: some problems of each with responses and verdicts, as a training run's are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vlrl.evaluation.benchmark import BenchmarkResult
from vlrl.runlog.run_folder import RunFolder
from vlrl.types import CreditedGroup, Group, Problem, Rewards, Rollout, ScoredGroup, Verdict

BLOCKS = 13  # evenly over the benchmark, the first and the last problems among them
EACH = 4  # problems of a block


def write_shown(run: RunFolder, result: BenchmarkResult) -> None:
    """Write them to rollouts.jsonl, phase = the benchmark's name, step = where the block begins, counted from 1.

    All responses of all seeds stand together; what an earlier call wrote of this benchmark goes.
    """
    name = result.benchmark.name
    run.truncate_after(name, 0)
    for first, groups in _blocks(result):
        run.rollouts(name, first + 1, groups)


def _blocks(result: BenchmarkResult) -> Iterator[tuple[int, list[CreditedGroup]]]:
    problems = result.benchmark.problems
    starts = sorted({round(i * max(0, len(problems) - EACH) / (BLOCKS - 1)) for i in range(BLOCKS)})
    seen: set[int] = set()
    for start in starts:
        places = [i for i in range(start, min(start + EACH, len(problems))) if i not in seen]
        seen.update(places)
        if places:
            yield start, [_group(problems[i], *_of(result, i)) for i in places]


def _of(result: BenchmarkResult, place: int) -> tuple[list[Rollout], list[Verdict]]:
    rollouts = [one for run in result.rollouts for one in run[place]]
    return rollouts, [one for run in result.verdicts for one in run[place]]


def _group(problem: Problem, rollouts: Sequence[Rollout], verdicts: Sequence[Verdict]) -> CreditedGroup:
    scores = tuple(verdict.score for verdict in verdicts)
    nothing = (0.0,) * len(scores)
    scored = ScoredGroup(Group(problem, tuple(rollouts)), tuple(verdicts))
    return CreditedGroup(scored, Rewards({"score": scores}, scores), nothing, used=(False,) * len(scores))
