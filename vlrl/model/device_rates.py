"""How fast a device is: a few forward passes of known work, timed. For predictions only.

Nothing that a run computes depends on a measured time: which prompts and rows go through the model together is decided
by counted work, so that a run is the same on a busy machine and on an idle one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from vlrl.model.cost import CostModel, calibrated
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import EncodedImage
from vlrl.model.vision.image_encoding import VisionTower

TEXT_TOKENS = (1, 32, 128, 512)  # of the timed texts; a single token shows what a call costs by itself
TURNS = 3  # the least of them counts, after one to warm up


@torch.inference_mode()
def measured(cost: CostModel, loaded: LoadedModel, images: Sequence[EncodedImage]) -> CostModel:
    """The cost model in seconds of the model's device, from passes over texts and encodings of these images."""
    samples = []
    for tokens in TEXT_TOKENS:
        if tokens <= loaded.context:
            ids = torch.zeros(1, tokens, dtype=torch.long, device=loaded.device)
            seconds = _least_seconds(partial(loaded.model.model, input_ids=ids, use_cache=False), loaded.device)
            samples.append((0.0, cost.language_flops(tokens), seconds))
    for patches in sorted({image.num_patches for image in images}):
        chosen = next(image for image in images if image.num_patches == patches)
        seconds = _least_seconds(partial(VisionTower(loaded.model).encode_images, [chosen]), loaded.device)
        samples.append((cost.vision_flops([patches]), 0.0, seconds))
    return calibrated(cost, samples)


def _least_seconds(work: Callable[[], Any], device: torch.device) -> float:
    work()
    found = []
    for _ in range(TURNS):
        _wait_for(device)
        started = time.perf_counter()
        work()
        _wait_for(device)
        found.append(time.perf_counter() - started)
    return min(found)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
