"""TRL's side of the comparison: `GRPOTrainer.train()` on a contest's problems, its steps timed one by one."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from image_heavy import K
from step_contest import Contest, Side
from transformers import AutoModelForImageTextToText, AutoProcessor, PrinterCallback, TrainerCallback

from vlrl.data.images.open_images import open_image
from vlrl.types import Text
from vlrl.verify.judge import judge

try:
    from trl import GRPOConfig, GRPOTrainer
except ImportError:
    sys.exit("TRL is not installed; it comes with the extra bench: pip install -e '.[bench]' -c constraints.txt")


class Theirs:
    """TRL's GRPOTrainer on the same contest; `after_step(self)` runs between its steps and says whether to go on."""

    def __init__(
        self, contest: Contest, batch: int, steps: int, scratch: Path, after_step: Callable[[Theirs], bool]
    ) -> None:
        from datasets import Dataset

        self.contest, self.side = contest, Side()
        self._after_step = after_step
        responses = contest.per_step * K
        batch = min(batch, responses)
        model = AutoModelForImageTextToText.from_pretrained(contest.folder, dtype=torch.float32)
        processor = AutoProcessor.from_pretrained(contest.folder, padding_side="left")
        settings = GRPOConfig(
            output_dir=tempfile.mkdtemp(dir=scratch),
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=responses // batch,
            num_generations=K,
            max_completion_length=contest.max_tokens,
            temperature=1.0,
            top_p=1.0,
            top_k=0,
            generation_kwargs={"suppress_tokens": list(contest.suppressed)},
            beta=0.0,
            loss_type="grpo",
            learning_rate=contest.lr,
            lr_scheduler_type="constant",
            optim="adamw_torch_fused",
            adam_beta2=0.999,
            max_grad_norm=1.0,
            max_steps=steps,
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=contest.loaded.device.type == "cpu",
            shuffle_dataset=False,
            dataloader_pin_memory=False,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        images = [[open_image(i, contest.encoder._budget) for i in p.images] for p in contest.problems]
        rows = {
            "prompt": [
                [{"role": "user", "content": "".join(t.text for t in p.prompt if isinstance(t, Text))}]
                for p in contest.problems
            ],
            "images": images,
            "number": list(range(len(contest.problems))),
        }
        self.trainer = GRPOTrainer(
            model=model,
            reward_funcs=self._reward,
            args=settings,
            train_dataset=Dataset.from_dict(rows),
            processing_class=processor,
            callbacks=[_StepClock(self)],
        )
        self.trainer.remove_callback(PrinterCallback)

    def _reward(self, completions: Any, completion_ids: Any, number: Sequence[int], **more: Any) -> list[float]:
        rewards = [
            judge(self.contest.problems[place], written[0]["content"]).score
            for place, written in zip(number, completions, strict=True)
        ]
        self.side.rewards.append(fmean(rewards))
        self.side.tokens.append(fmean([len(ids) for ids in completion_ids]))
        return rewards


class _StepClock(TrainerCallback):  # type: ignore[misc]
    """Times TRL's steps and gives the other side its turn between them."""

    def __init__(self, theirs: Theirs) -> None:
        self._theirs = theirs

    def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self._started, self._used = time.perf_counter(), time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self._theirs.side.wall.append(time.perf_counter() - self._started)
        self._theirs.side.cpu.append(time.process_time() - self._used)
        if not self._theirs._after_step(self._theirs):
            control.should_training_stop = True
