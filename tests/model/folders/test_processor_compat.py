"""Processors without torchvision: what transformers asks of a video processor, in the release that is installed."""

from __future__ import annotations

import importlib

import pytest
from transformers.processing_utils import MODALITY_TO_BASE_CLASS_MAPPING

from vlrl.errors import ConfigError
from vlrl.model.folders.processor_compat import (
    allow_processors_without_torchvision,
    new_video_processor,
    torchvision_is_missing,
)


@pytest.mark.skipif(not torchvision_is_missing(), reason="torchvision is installed: nothing stands in")
def test_the_stand_in_is_what_a_processor_of_this_release_asks_for_and_refuses_videos():
    allow_processors_without_torchvision()
    stand_in = new_video_processor("Qwen3VLVideoProcessor", patch_size=16)
    transformers = importlib.import_module("transformers")  # as its processors see it
    assert isinstance(stand_in, getattr(transformers, MODALITY_TO_BASE_CLASS_MAPPING["video_processor"]))
    assert stand_in.to_dict() == {"video_processor_type": "Qwen3VLVideoProcessor", "patch_size": 16}
    with pytest.raises(ConfigError, match="no torchvision"):
        stand_in(videos=[])
