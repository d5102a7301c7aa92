"""`vlrl prepare`: a run's fixed sets as files, to look at, to share, and to train on without the recipe."""

from __future__ import annotations

from vlrl.data.prepare import SetCounts, write_problems
from vlrl.data.recipe import load_recipe
from vlrl.runlog import RunFolder
from vlrl.stages.progress import Progress
from vlrl.stages.settings import RunSettings


def run_prepare(settings: RunSettings, run: RunFolder, progress: Progress) -> None:
    """Write demonstrations, held-out sets and a sample of training problems under data/; no model is loaded."""
    counts = SetCounts(
        demonstrations=settings.sft.demonstrations,
        validation_per_modality=settings.eval.curve_problems,
        test_per_modality=settings.eval.problems,
    )
    for written in write_problems(load_recipe(settings.data), settings.seed, run.path / "data", counts):
        by_source = ", ".join(f"{name} {count}" for name, count in written.by_source.items())
        progress.say(f"{written.path}: {sum(written.by_source.values())} problems ({by_source})")
