"""`vlrl prepare`: a run's fixed sets as files, to look at, to share, and to train on without the recipe."""

from __future__ import annotations

from vlrl.data.export_problems import SetCounts, write_problems
from vlrl.data.recipe import load_recipe
from vlrl.runlog.run_folder import RunFolder
from vlrl.training.monitoring.progress import Progress
from vlrl.training.run_settings import RunSettings


def run_prepare(settings: RunSettings, run: RunFolder, progress: Progress) -> None:
    """Write demonstrations, held-out sets and a sample of training problems under data/; no model is loaded."""
    counts = SetCounts(
        demonstrations=settings.sft.demonstrations,
        validation_per_modality=settings.eval.curve_problems,
        test_per_modality=settings.eval.problems,
    )
    recipe = load_recipe(settings.data)
    sets = write_problems(recipe, settings.seed, run.path / "data", counts)
    for written in sets:
        by_source = ", ".join(f"{name} {count}" for name, count in written.by_source.items())
        progress.say(f"{written.path}: {sum(written.by_source.values())} problems ({by_source})")
    worked = next((one.by_source for one in sets if one.path.stem == "demonstrations"), {})
    wanted = counts.demonstrations if isinstance(counts.demonstrations, dict) else recipe.shares
    if lacking := [name for name in wanted if wanted[name] and name not in worked]:
        progress.say(
            f"no demonstrations are in {', '.join(lacking)}: name a column `thought` or `response` for the stage sft, "
            "or start from a model that answers some of the questions with stages: [rl, eval]"
        )
