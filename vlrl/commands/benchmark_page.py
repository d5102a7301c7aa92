"""What a page on benchmarks shows: some problems of each with responses and verdicts, as a training run's are shown."""

from __future__ import annotations

from collections.abc import Iterator

from vlrl.evaluation.benchmark import BenchmarkResult
from vlrl.runlog.run_folder import RunFolder
from vlrl.types import Group, ScoredGroup

BLOCKS = 13  # evenly over the benchmark, the first and the last problems among them
EACH = 4  # problems of a block


def write_shown(run: RunFolder, result: BenchmarkResult) -> None:
    """Write them to rollouts.jsonl, phase = the benchmark's name, step = where the block begins, counted from 1.

    All responses of all seeds stand together; what an earlier call wrote of this benchmark goes.
    """
    name = result.benchmark.name
    run.truncate_after(name, 0)
    for first, groups in _blocks(result):
        run.rollouts(name, first + 1, groups, trained=False)


def _blocks(result: BenchmarkResult) -> Iterator[tuple[int, list[ScoredGroup]]]:
    problems = result.benchmark.problems
    starts = sorted({round(i * max(0, len(problems) - EACH) / (BLOCKS - 1)) for i in range(BLOCKS)})
    seen: set[int] = set()
    for start in starts:
        indices = [i for i in range(start, min(start + EACH, len(problems))) if i not in seen]
        seen.update(indices)
        if indices:
            yield start, [_group(result, i) for i in indices]


def _group(result: BenchmarkResult, index: int) -> ScoredGroup:
    rollouts = tuple(one for run in result.rollouts for one in run[index])
    verdicts = [one for run in result.verdicts for one in run[index]]
    return ScoredGroup.of(Group(result.benchmark.problems[index], rollouts), verdicts)
