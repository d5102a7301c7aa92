"""Problem → tokens and pixels, once, through the Hugging Face processor. One output feeds engine and trainer.

The content hash covers every token and every pixel value; an engine hands it back with the rollouts and the trainer
refuses a mismatch, so what was rolled out is what is trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xxhash

from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.images.open_images import open_image
from vlrl.errors import DataError
from vlrl.model.families.family import family_of
from vlrl.model.families.image_types import Pixels
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.prompt_text import PromptWriter
from vlrl.types import Problem


@dataclass(frozen=True)
class EncodedImage:
    """One image as the vision tower reads it (family.py says how), under a name that stands for its content."""

    digest: str
    pixels: Pixels

    @property
    def patches(self) -> torch.Tensor:
        """Its values, float32."""
        return self.pixels.values

    @property
    def grid(self) -> tuple[int, int, int]:
        """(time or tiles, height, width) in patches."""
        return self.pixels.grid

    @property
    def num_patches(self) -> int:
        """Vision patches, before merging."""
        time, height, width = self.pixels.grid
        return time * height * width


@dataclass(frozen=True)
class Encoded:
    """A prompt as the model reads it.

    token_ids    (T,) with every image expanded to its placeholder tokens
    token_types  (T,) 0 text, 1 image
    images       images in reading order
    """

    problem_id: str
    token_ids: tuple[int, ...]
    token_types: tuple[int, ...]
    images: tuple[EncodedImage, ...]
    content_hash: str

    def hash_again(self) -> str:
        """The content hash of what is held now; an engine returns it, so that it says what the engine reads."""
        return content_hash_of(self.token_ids, self.images)

    @property
    def num_tokens(self) -> int:
        """Prompt length in tokens, image tokens included."""
        return len(self.token_ids)

    @property
    def num_patches(self) -> int:
        """Vision patches over all images (before merging)."""
        return sum(image.num_patches for image in self.images)


def _image(digest: str, pixels: Pixels) -> EncodedImage:
    """One file under two image budgets is two images: the grid is part of its name."""
    return EncodedImage(f"{digest}@{'x'.join(map(str, pixels.grid))}", pixels)


class Encoder:
    """Encodes problems with one model's processor and chat template under one image budget."""

    def __init__(self, loaded: LoadedModel, budget: ImageBudget, system_prompt: str | None = None) -> None:
        self._context = loaded.context
        self._budget = budget
        self._loaded = loaded
        self._family = family_of(loaded.config)
        self._writer = PromptWriter(loaded, system_prompt)

    def encode(self, problems: Sequence[Problem]) -> list[Encoded]:
        """Encoded prompts in order; all images go through the processor in one call.

        Raises DataError for an image that can't be read, a prompt whose texts can't be told from the template's own, or
        a prompt longer than the context.
        """
        if not problems:
            return []
        prompts = self._writer.write(problems)
        images = [[open_image(image, self._budget) for image in problem.images] for problem in problems]
        ids: dict[int, tuple[int, ...]] = {}
        types: dict[int, tuple[int, ...]] = {}
        pixels: dict[int, list[Pixels]] = {}
        # in one call all prompts have images or none has: processors count placeholders prompt by prompt
        for seeing, apart in ((True, False), (True, True), (False, False), (False, True)):
            places = [i for i, row in enumerate(images) if (bool(row), prompts[i].texts is not None) == (seeing, apart)]
            if not places:
                continue
            inputs: dict[str, Any] = {"text": [prompts[i].text for i in places], "add_special_tokens": False}
            if seeing:
                inputs["images"] = [images[i] for i in places]
            processor = self._writer.processor_for([prompts[i] for i in places])
            try:
                output = processor(**inputs)
            except ValueError as error:
                raise self._refused([problems[i] for i in places], error) from error
            for i, row in zip(places, output["input_ids"], strict=True):
                ids[i] = tuple(row)
            given = output.get("mm_token_type_ids")
            for place, i in enumerate(places):
                types[i] = tuple(given[place]) if given is not None else self._types(ids[i])
            if seeing:
                counts = [len(images[i]) for i in places]
                cut = iter(self._family.cut(output, [ids[i] for i in places], counts, self._loaded))
                pixels |= {i: [next(cut) for _ in images[i]] for i in places}
        encoded = []
        for place, problem in enumerate(problems):
            seen = zip(problem.images, pixels.get(place, []), strict=True)
            found = tuple(_image(image.digest, one) for image, one in seen)
            encoded.append(self._finish(problem, ids[place], types[place], found))
        return encoded

    def _refused(self, problems: Sequence[Problem], error: ValueError) -> Exception:
        """What the processor says of a batch, as the error of the one problem that it says it of."""
        if len(problems) > 1:
            for problem in problems:
                self.encode([problem])
            return error
        return DataError(
            f"problem {problems[0].id} ({problems[0].source or problems[0].domain})",
            f"the model's processor refuses it: {' '.join(str(error).split())}",
            "crop or pad its images, or leave the row out (on_bad_row: skip)",
        )

    def text_tokens(self, problem: Problem) -> int:
        """Prompt length with one placeholder an image. Raises DataError as `encode` does for texts."""
        return self._writer.write([problem])[0].tokens

    def _types(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        """Token types where the processor doesn't tell them."""
        image = self._family.image_token(self._loaded.config)
        return tuple(int(i == image) for i in ids)

    def _finish(
        self, problem: Problem, ids: tuple[int, ...], types: tuple[int, ...], images: tuple[EncodedImage, ...]
    ) -> Encoded:
        if len(ids) >= self._context:
            raise DataError(
                f"problem {problem.id} ({problem.source or problem.domain})",
                f"its prompt takes {len(ids)} tokens, the context holds {self._context}",
                "lower the recipe's image.max_pixels or raise model.context",
            )
        return Encoded(
            problem_id=problem.id,
            token_ids=ids,
            token_types=types,
            images=images,
            content_hash=content_hash_of(ids, images),
        )


def content_hash_of(token_ids: Sequence[int], images: Sequence[EncodedImage]) -> str:
    """Hash of every token id and every pixel value, masks of padding included."""
    masks = [image.pixels.mask for image in images if image.pixels.mask is not None]
    return input_hash(token_ids, [*(image.patches for image in images), *masks])


def input_hash(token_ids: Sequence[int], tensors: Iterable[torch.Tensor]) -> str:
    """32 hexadecimal digits of tokens and tensors; where one ends and the next begins matters.

    It finds what was mixed up or damaged, in gigabytes a step; it needn't withstand an attacker.
    """
    found = xxhash.xxh3_128()
    for part in (np.asarray(token_ids, dtype=np.int64), *(one.contiguous().numpy() for one in tensors)):
        found.update(part.nbytes.to_bytes(8, "little"))
        found.update(part.data.cast("B"))
    return found.hexdigest()
