"""What the steps of a stage leave in the run folder, and where a stage that was broken off goes on from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vlrl import interrupts
from vlrl.errors import RunError
from vlrl.model.finite import check_weights
from vlrl.training.lifecycle.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from vlrl.training.session.model_runtime import ModelRuntime
from vlrl.training.session.run_context import RunContext


class StepRecorder:
    """Metrics and checkpoints of one stage.

    logs  the phases of metrics.jsonl that the stage writes; what they hold behind the checkpoint is cut off
    """

    def __init__(self, context: RunContext, model: ModelRuntime, stage: str, logs: tuple[str, ...] = ()) -> None:
        self.context, self.model, self.stage = context, model, stage
        self.logs = logs or (stage,)

    def latest_checkpoint(self) -> Path | None:
        """The newest whole checkpoint, from before what is damaged of the logs; None where the stage begins."""
        context = self.context
        damaged = context.run.damaged_from(*self.logs)
        return latest_checkpoint(context.checkpoints(self.stage), context.say, damaged)

    def resume(self, checkpoint: Path | None, parts: Mapping[str, Any], end: int) -> int:
        """Put the checkpoint's state into `parts` and cut the logs off behind it; the 0-based step to go on with.

        Raises RunError for a checkpoint behind `end`, the last step, and for a damaged image of earlier rollouts.
        """
        context = self.context
        step = 0 if checkpoint is None else load_checkpoint(checkpoint, parts)
        for log in self.logs:
            context.run.truncate_after(log, step)
        context.run.refuse_lost_images()
        if checkpoint is not None:
            context.say(f"resumed from {checkpoint}")
        if step > end:
            said = f"lies behind the stage's end, step {end}"
            raise RunError(str(checkpoint), said, f"give {self.stage} more steps or epochs")
        return step

    def steps(self, first: int, end: int) -> Iterator[int]:
        """The 0-based steps to make; a signal that comes in one of them waits for its end."""
        self.context.progress.start(self.stage, end)
        with interrupts.deferred():
            for step in range(first, end):
                self.context.at = f"{self.stage}, step {step + 1}"
                yield step

    def metrics(self, step: int, metrics: dict[str, float]) -> None:
        """Those of 0-based `step`, in metrics.jsonl and on the display."""
        self.context.progress.step(self.stage, step + 1, self.context.run.metrics(self.stage, step + 1, metrics))

    def checkpoint(self, step: int, parts: Mapping[str, Any], due: bool, last: bool) -> None:
        """The end of 0-based `step`: a checkpoint where one is due or a signal asks for the end. Raises Stopped for the
        latter, and NonFiniteError for weights that no checkpoint may hold.

        One that is due forgets features first, as a run does that goes on from it. One out of turn keeps them, so that
        what goes on from it computes what it would have without the break.
        """
        stops = not last and interrupts.wanted()
        if due:
            self.model.forget_features()
        if due or stops:
            check_weights(parts["policy"].weights(), "checkpoint, weights")
            saved = save_checkpoint(self.context.checkpoints(self.stage), step + 1, parts)
            if stops:
                raise interrupts.stop(f"{self.stage} step {step + 1} is saved in {saved}")
