"""Encoded prompts as vLLM takes them behind its own processor: the encoder's tokens and patches, nothing made twice.

vLLM accepts prompts whose images are already processed. So its processor never runs, k responses of a prompt share
one tensor, and the engine reads what the trainer reads. The content hash is computed again from what is handed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from vlrl.errors import EngineError
from vlrl.model.prompts.encode import Encoded, EncodedImage, input_hash


class PromptReader:
    """Makes vLLM's inputs; an image that occurs several times in one call is wrapped once.

    image_token  id of the placeholder of images
    merge        vision patches that become one token
    """

    def __init__(self, image_token: int | None, merge: int) -> None:
        from vllm.inputs.engine import mm_input, tokens_input
        from vllm.multimodal.inputs import MultiModalFieldConfig, MultiModalKwargsItems, PlaceholderRange

        self._image_token, self._merge = image_token, merge
        self._text, self._mixed = tokens_input, mm_input
        self._field, self._items, self._range = MultiModalFieldConfig, MultiModalKwargsItems, PlaceholderRange
        self._wrapped: dict[str, Any] = {}

    def read(self, encoded: Encoded, written: Sequence[int] = ()) -> Any:
        """vLLM's input: the prompt, and behind it the tokens of an unfinished response."""
        ids = [*encoded.token_ids, *written]
        if not encoded.images:
            self._places(encoded)
            return self._text(ids)
        return self._mixed(
            ids,
            self._items({"image": self._images(encoded)}),
            {"image": [image.digest for image in encoded.images]},
            {"image": self._places(encoded)},
        )

    def content_hash(self, encoded: Encoded, observed: Sequence[EncodedImage] = ()) -> str:
        """Hash of the tokens and pixels that vLLM is given, made as the encoder makes its own; `observed` images stand
        behind the prompt.
        """
        items = [*self._images(encoded), *(self._wrap(image.digest, image.patches, image.grid) for image in observed)]
        pixels = [item.get_data()["pixel_values"] for item in items]
        return input_hash(self.read(encoded)["prompt_token_ids"], pixels)

    def forget(self) -> None:
        """Drop the images of the last call."""
        self._wrapped.clear()

    def _images(self, encoded: Encoded) -> list[Any]:
        return [self._wrap(image.digest, image.patches, image.grid) for image in encoded.images]

    def _wrap(self, digest: str, patches: torch.Tensor, grid: tuple[int, int, int]) -> Any:
        if digest not in self._wrapped:
            made = self._items.from_hf_inputs(
                {"pixel_values": patches, "image_grid_thw": torch.tensor([grid])},
                {
                    "pixel_values": self._field.flat_from_sizes("image", torch.tensor([len(patches)])),
                    "image_grid_thw": self._field.batched("image", keep_on_cpu=True),
                },
            )
            self._wrapped[digest] = made["image"][0]
        return self._wrapped[digest]

    def _places(self, encoded: Encoded) -> list[Any]:
        """Where each image's placeholder tokens stand. Raises EngineError unless they are whole and unbroken runs."""
        at = [i for i, token in enumerate(encoded.token_ids) if token == self._image_token]
        ranges, used = [], 0
        for image in encoded.images:
            length = len(image.patches) // self._merge
            run = at[used : used + length]
            if len(run) < length or run[-1] - run[0] != length - 1:
                raise EngineError(
                    f"problem {encoded.problem_id}",
                    f"image {image.digest} wants {length} placeholder tokens in a row, the prompt has {len(run)}",
                    "encode the problem with this model's own processor",
                )
            ranges.append(self._range(offset=run[0], length=length))
            used += length
        if used != len(at):
            raise EngineError(
                f"problem {encoded.problem_id}",
                f"{len(at)} placeholder tokens in the prompt, its images take {used}",
                "encode the problem with this model's own processor",
            )
        return ranges
