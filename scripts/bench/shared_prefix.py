"""Training rows that share their prompt, against k separate rows: forward and backward, alternating in one process.

    python scripts/bench/shared_prefix.py            # prompt : response 1:1, 2:1, 8:1 at k = 8
    python scripts/bench/shared_prefix.py --mid      # prompt 640, responses of 300: how near the FLOP count's ratio
    python scripts/bench/shared_prefix.py --mid --recurrent  # of Qwen3.5, whose prompt leaves a state
    python scripts/bench/shared_prefix.py --smoke    # tiny model, in seconds

One problem with one image and k responses of equal length; the loss is a weighted sum of the responses'
log-probabilities. Three ways to the same gradient:

* packed: one row [prompt | response 1 | … | response k], the image encoded once (what vlrl trains on);
* separate, encoded once: k rows that each repeat the prompt, with the image's features computed once;
* separate: k rows through the unmodified transformers model, which encodes the image k times.

The random Qwen3-VL shape of about 10 M parameters in float32, no padding anywhere, so nothing but the prompt differs.
The script ends with an error if gradients of the first and the last way differ by more than 1e-5 (relative, over all
parameters together). With `--mid` the model has about 20 M parameters and the script ends with an error below 85 % of
the ratio that the FLOP count allows (packed against separate rows, by CPU time). Beside each ratio stands what the
counts of tokens and of multiply-adds allow; what a dense mask computes and throws away is not among the allowed work.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from alternate import Seconds, alternate, cpu_ratio, machine, ratio
from image_heavy import SHAPE, K, Setting, build, image_problem, side_pixels
from work import Work, language, vision

from vlrl.data.images.image_budget import ImageBudget
from vlrl.model.batch.example import Example
from vlrl.model.batch.packing import pack
from vlrl.model.families.tiny_parts import TinyShape
from vlrl.model.prompts.encode import Encoded, Encoder
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.training.logprobs import response_logprobs
from vlrl.model.vision.image_encoding import VisionTower

TOLERANCE = 1e-5
STATE_TOLERANCE = 1e-4  # a recurrence that begins at another token sums in another order
CASES = (
    (1, 96),
    (2, 160),
    (8, 352),
)  # (prompt : response, side of the image in pixels): about 65 response tokens
SMOKE_CASES = ((1, 48), (8, 96))
MID_SHAPE = TinyShape(
    text_width=512,
    text_layers=5,
    head_size=64,
    key_value_heads=2,
    mlp_width=1536,
    vision_width=256,
    vision_layers=3,
    vision_heads=4,
    context=2048,
)
MID_PROMPT, MID_RESPONSE = 640, 300
BAR, STATE_BAR = 0.85, 0.80


class Ways:
    """One problem, three ways to its gradient."""

    def __init__(self, setting: Setting, encoded: Encoded, length: int) -> None:
        self.setting, self.encoded = setting, encoded
        model = setting.loaded.model
        self.tower = VisionTower(model)
        rule = PositionRule(model)
        draw = torch.Generator().manual_seed(5)
        allowed = [i for i in range(len(setting.loaded.tokenizer)) if i not in setting.suppressed]
        ids = torch.tensor(allowed)[torch.randint(len(allowed), (K, length), generator=draw)]
        self.weights = torch.linspace(-1, 1, K).repeat_interleave(length)  # (k·T,) advantages
        self.responses = tuple(tuple(row) for row in ids.tolist())
        self.forbidden = torch.tensor(setting.loaded.placeholder_ids)
        pad = setting.loaded.tokenizer.pad_token_id
        self.packed_rows = pack([Example(encoded, self.responses)], rule, pad, setting.loaded.device)
        self.single_rows = pack([Example(encoded, (one,)) for one in self.responses], rule, pad, setting.loaded.device)
        prompt = torch.tensor([encoded.token_ids]).expand(K, -1)
        types = torch.tensor([encoded.token_types], dtype=torch.int).expand(K, -1)
        self.inputs = {
            "input_ids": torch.cat([prompt, ids], 1),
            "attention_mask": torch.ones(K, encoded.num_tokens + length, dtype=torch.long),
            "mm_token_type_ids": torch.cat([types, torch.zeros(K, length, dtype=torch.int)], 1),
            "pixel_values": torch.cat([image.patches for image in encoded.images] * K),
            "image_grid_thw": torch.tensor([image.grid for image in encoded.images] * K),
            "logits_to_keep": length + 1,
        }

    def packed(self) -> None:
        """One row."""
        self._own(self.packed_rows)

    def one_look(self) -> None:
        """k rows, the image encoded once."""
        self._own(self.single_rows)

    def _own(self, batch: object) -> None:
        model = self.setting.loaded.model
        model.zero_grad(set_to_none=True)
        features = self.tower.encode_images(batch.images)  # type: ignore[attr-defined]
        found = response_logprobs(model, self.tower, batch, features, self.forbidden)  # type: ignore[arg-type]
        (self.weights * found.logprobs).sum().backward()

    def separate(self) -> None:
        """k rows, k looks, transformers' own forward pass."""
        model = self.setting.plain
        model.zero_grad(set_to_none=True)
        logits = model(**self.inputs, use_cache=False).logits[:, :-1]
        logits = logits.index_fill(-1, self.forbidden, float("-inf"))
        targets = torch.tensor(self.responses)[..., None]
        logprobs = torch.log_softmax(logits, -1).gather(-1, targets).flatten()
        (self.weights * logprobs).sum().backward()

    def gradient_error(self) -> float:
        """‖packed − separate‖ / ‖separate‖ over all parameters."""
        self.packed()
        self.separate()
        own = dict(self.setting.loaded.model.named_parameters())
        apart = whole = 0.0
        for name, parameter in self.setting.plain.named_parameters():
            if parameter.grad is None:
                continue
            apart += float((own[name].grad - parameter.grad).double().square().sum())
            whole += float(parameter.grad.double().square().sum())
        return (apart / whole) ** 0.5


def allowed(setting: Setting, encoded: Encoded, length: int) -> tuple[Work, Work, Work]:
    """Work of a forward pass: packed, separate with the image encoded once, separate."""
    encode_images = sum((vision(setting.plain, image.num_patches) for image in encoded.images), Work())
    read = language(setting.plain, encoded.num_tokens)
    write = language(setting.plain, length, encoded.num_tokens) * K
    return encode_images + read + write, encode_images + read * K + write, encode_images * K + read * K + write


def main() -> None:
    """Check, time, print."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--smoke", action="store_true", help="a tiny model, in seconds")
    arguments.add_argument("--mid", action="store_true", help="prompt 640, responses of 300, about 20 M parameters")
    arguments.add_argument("--repeats", type=int, default=None, help="turns of each way (default 7)")
    arguments.add_argument("--threads", type=int, default=None, help="torch threads (default: torch's own choice)")
    arguments.add_argument("--recurrent", action="store_true", help="Qwen3.5's layers with a state, not Qwen3-VL's")
    given = arguments.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    repeats = given.repeats or (1 if given.smoke else 7)
    with tempfile.TemporaryDirectory() as folder:
        name = "tiny-qwen3.5" if given.recurrent else "tiny-qwen3-vl"
        setting = build(Path(folder), given.smoke, MID_SHAPE if given.mid else SHAPE, name)
        size = sum(p.numel() for p in setting.plain.parameters()) / 1e6
        print(f"forward and backward at k = {K}, {size:.1f} M parameters, {machine()}")
        names = ("packed", "separate, encoded once", "separate")
        against = ("encoded once / packed (CPU time)", "allowed", "separate / packed (CPU time)", "allowed")
        print(f"| prompt : response | {' | '.join((*names, *against))} | gradient error |")
        print("|---|---|---|---|---|---|---|---|---|", flush=True)
        for encoded, length in cases(setting, given.smoke, given.mid):
            ways = Ways(setting, encoded, length)
            error = ways.gradient_error()
            tolerance = STATE_TOLERANCE if given.recurrent else TOLERANCE
            if error > tolerance:
                sys.exit(f"{length}: packed and separate gradients differ by {error:.1e}, allowed {tolerance}")
            ways.one_look()
            taken = alternate({"packed": ways.packed, "one": ways.one_look, "separate": ways.separate}, repeats)
            work = allowed(setting, encoded, length)
            cells = [f"{encoded.num_tokens} : {length}", *(str(taken[name]) for name in ("packed", "one", "separate"))]
            for name, more in (("one", work[1]), ("separate", work[2])):
                cells += [_against(taken[name], taken["packed"]), _allowed(more, work[0])]
            print(f"| {' | '.join(cells)} | {error:.0e} |", flush=True)
            if given.mid:
                judge(taken, work, STATE_BAR if given.recurrent else BAR)


def cases(setting: Setting, smoke: bool, mid: bool) -> Iterator[tuple[Encoded, int]]:
    """Encoded problems, and the length of their responses."""
    if mid:
        side = side_pixels(smoke)
        encoder = Encoder(setting.loaded, ImageBudget(min_pixels=side * side, max_pixels=side * side))
        (short,) = encoder.encode([image_problem(1, side)])
        prompt = short.num_tokens + 8 if smoke else MID_PROMPT
        (encoded,) = encoder.encode([image_problem(1, side, prompt - short.num_tokens)])
        yield encoded, 12 if smoke else MID_RESPONSE
        return
    for proportion, side in SMOKE_CASES if smoke else CASES:
        encoder = Encoder(setting.loaded, ImageBudget(min_pixels=side * side, max_pixels=side * side))
        (encoded,) = encoder.encode([image_problem(1, side)])
        yield encoded, round(encoded.num_tokens / proportion)


def judge(taken: dict[str, Seconds], work: tuple[Work, Work, Work], bar: float) -> None:
    """Say what share of the allowed ratio is reached; end with an error below the bar (smoke: only say it)."""
    for name, more in (("one", work[1]), ("separate", work[2])):
        reached = [slow / fast for slow, fast in zip(taken[name].cpu, taken["packed"].cpu, strict=True)]
        share = statistics.median(reached) / (more.flops / work[0].flops)
        print(f"{name} / packed by CPU time: {share:.0%} of what the FLOP count allows; bar for separate: {bar:.0%}")
    if share < bar and taken["separate"].median > 1.0:
        sys.exit(1)


def _against(slow: Seconds, fast: Seconds) -> str:
    return f"{ratio(slow, fast)} ({cpu_ratio(slow, fast).split()[0]})"


def _allowed(more: Work, less: Work) -> str:
    return f"tokens {more.tokens / less.tokens:.1f}×, FLOP {more.flops / less.flops:.1f}×"


if __name__ == "__main__":
    main()
