"""Benchmarks on the training curve: what `vlrl eval` asks a finished model, asked at regular intervals of RL steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlrl.config import load_settings
from vlrl.errors import ConfigError
from vlrl.evaluation.benchmark import Benchmark, load_benchmark
from vlrl.evaluation.harness.answering import Answering
from vlrl.evaluation.harness.harness_settings import HarnessTasks
from vlrl.evaluation.harness.run_tasks import HarnessResult, HarnessRun
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.engine import Generates
from vlrl.rollout.engine_registry import EngineSettings
from vlrl.training.monitoring.evaluation_settings import EvaluationSettings, check_played, with_model


@dataclass(frozen=True)
class CurveBenchmark:
    """A benchmark, the name of its figure and how many problems are asked at a time.

    name   the benchmark's, with the protocol's figure and hash behind it where two benchmarks have one name
    """

    name: str
    benchmark: Benchmark
    batch: int


def load_curve_benchmarks(files: Sequence[str] | None, engine: EngineSettings) -> list[CurveBenchmark]:
    """All benchmarks of these evaluation configs, rows and images read. Needs no model.

    Raises ConfigError or DataError; a benchmark that is named twice under one protocol is an error, and one that the
    run's engine can't play.
    """
    loaded: list[tuple[str, Benchmark, int]] = []
    for file in files or ():
        settings = load_settings(EvaluationSettings, file)
        check_played(settings.benchmarks, engine)
        loaded += [(file, load_benchmark(one), settings.batch) for one in settings.benchmarks]
    times = Counter(benchmark.name for _, benchmark, _ in loaded)
    found: dict[str, CurveBenchmark] = {}
    for file, benchmark, batch in loaded:
        protocol = benchmark.protocol
        name = benchmark.name if times[benchmark.name] == 1 else f"{benchmark.name} {protocol.label} {protocol.hash}"
        if name in found:
            raise ConfigError(
                f"eval.benchmarks, {file}", f"asks {benchmark.name!r} twice under one protocol", "leave one of them out"
            )
        found[name] = CurveBenchmark(name, benchmark, batch)
    return list(found.values())


class BenchmarkCurve:
    """The benchmarks of a run, bound to its model and engine."""

    def __init__(
        self,
        benchmarks: Sequence[CurveBenchmark],
        loaded: LoadedModel,
        engine: Generates,
        harness: HarnessTasks | None = None,
        log: Path | None = None,
    ) -> None:
        """`log` takes what the harnesses print."""
        self._engine, self._log = engine, log
        self._harness = None if harness is None else HarnessRun(harness, Answering(loaded, engine))
        self._said: list[HarnessResult] = []
        self._asked: list[tuple[CurveBenchmark, Benchmark, Encoder]] = [
            (one, *with_model(one.benchmark, loaded)) for one in benchmarks
        ]

    def metrics(self) -> dict[str, float]:
        """benchmark/<name> in [0, 1] and benchmark_error/<name>, its standard error where there is one; of harnesses
        harness/<harness> <task> <metric> and harness_error/…, on the harness's own scale.

        Seeds and sampling are the protocol's at every step, so that two points of the curve are paired.
        """
        found: dict[str, float] = {}
        for one, benchmark, encoder in self._asked:
            record = benchmark.run(encoder, self._engine, one.batch).record()
            found[f"benchmark/{one.name}"] = record["value"]
            if record["standard_error"] is not None:
                found[f"benchmark_error/{one.name}"] = record["standard_error"]
        if self._harness is not None:
            self._said = self._harness.results(self._log)
            for result in self._said:
                found |= {f"harness/{result.name} {metric}": value for metric, value in result.figures.items()}
                found |= {f"harness_error/{result.name} {metric}": value for metric, value in result.errors.items()}
        return found

    def said_by_harnesses(self) -> list[dict[str, Any]]:
        """The newest answers of the harnesses, as a run card holds them."""
        return [result.record() for result in self._said]

    def described(self) -> dict[str, dict[str, Any]]:
        """What stands beside the figures in the run card: figure, number of problems, protocol's hash."""
        return {
            one.name: {
                "figure": benchmark.protocol.label,
                "n": len(benchmark.problems),
                "protocol_hash": benchmark.protocol.hash,
            }
            for one, benchmark, _ in self._asked
        }
