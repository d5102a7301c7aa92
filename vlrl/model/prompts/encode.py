"""Problem → tokens and pixels, once, through the Hugging Face processor. One output feeds engine and trainer.

The content hash covers every token and every pixel value; an engine hands it back with the rollouts and the trainer
refuses a mismatch, so what was rolled out is what is trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import xxhash

from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.images.open_images import BadImageError, open_image
from vlrl.errors import ConfigError, DataError
from vlrl.model.families.family import family_of
from vlrl.model.families.image_types import Pixels
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.observation_text import Observation, ObservationWriter
from vlrl.model.prompts.prompt_text import Prompt, PromptWriter
from vlrl.types import Problem, Segment


@dataclass(frozen=True)
class EncodedImage:
    """One image as the vision tower reads it, under a name that stands for its content.

    digest  of the file and of its size in patches
    pixels  the processor's output for it, in the layout of the model's family (families/family.py)
    """

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

    def hash_again(self, observed: Sequence[EncodedImage] = ()) -> str:
        """Hash the tokens and pixels that are here now: an engine returns this, to show what it read.

        observed  images of the observations behind the prompt, whose pixels are hashed with the prompt's
        """
        return content_hash_of(self.token_ids, (*self.images, *observed))

    def followed_by(
        self, token_ids: Sequence[int], token_types: Sequence[int], images: Sequence[EncodedImage]
    ) -> Encoded:
        """The prompt and what stands behind it, as one. Its content hash is empty."""
        return Encoded(
            self.problem_id,
            (*self.token_ids, *token_ids),
            (*self.token_types, *token_types),
            (*self.images, *images),
            "",
        )

    @property
    def num_tokens(self) -> int:
        """Prompt length in tokens, image tokens included."""
        return len(self.token_ids)

    @property
    def num_patches(self) -> int:
        """Vision patches over all images (before merging)."""
        return sum(image.num_patches for image in self.images)


_Read = tuple[tuple[int, ...], tuple[int, ...], list[Pixels]]  # token ids, token types, images of one prompt
Encode = Callable[[Sequence[Problem]], list[Encoded]]  # what `Encoder.encode` is


class EncodesTurns(Protocol):
    """Encodes prompts (it is an `Encode`), and what an environment says behind the turns of a response."""

    def __call__(self, problems: Sequence[Problem]) -> list[Encoded]: ...

    def observe(self, observations: Sequence[Observation], budget: ImageBudget | None = None) -> list[Segment]: ...

    def text_ids(self, text: str, place: str) -> tuple[int, ...]: ...

    def text_of(self, token_ids: Sequence[int]) -> str: ...

    @property
    def end_ids(self) -> frozenset[int]: ...


def _image(digest: str, pixels: Pixels) -> EncodedImage:
    """One file under two image budgets is two images: the grid is part of its name. So are further inputs of the tower,
    and the pixels with them: some processors cut an image otherwise where a prompt has several.
    """
    name = f"{digest}@{'x'.join(map(str, pixels.grid))}"
    if pixels.inputs:
        name = f"{name}#{input_hash((), [pixels.values, *pixels.inputs.values()])}"
    return EncodedImage(name, pixels)


class Encoder:
    """Encodes problems with one model's processor and chat template under one image budget."""

    def __init__(
        self,
        loaded: LoadedModel,
        budget: ImageBudget,
        system_prompt: str | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """`tools` are JSON schemas, which every prompt describes."""
        self._context = loaded.context
        self._budget = budget
        self._loaded = loaded
        self._family = family_of(loaded.config)
        self._writer = PromptWriter(loaded, system_prompt, tools)
        self._observations = ObservationWriter(loaded, self._family.image_token(loaded.config))

    def __call__(self, problems: Sequence[Problem]) -> list[Encoded]:
        """As `encode`."""
        return self.encode(problems)

    def observe(self, observations: Sequence[Observation], budget: ImageBudget | None = None) -> list[Segment]:
        """Observations as segments behind the turns that they answer, in order.

        budget  of their images; None: that of prompts

        Raises ConfigError for a chat template that can't write them, BadImageError for an image that the model's
        processor doesn't take.
        """
        prompts = [self._observations.write(one) for one in observations]
        images = [[open_image(image, budget or self._budget) for image in one.images] for one in observations]
        made: dict[int, _Read] = {}
        for with_images in (True, False):
            alike = [i for i, some in enumerate(images) if bool(some) == with_images]
            for chosen in self._calls(alike):
                try:
                    read = self._processed([prompts[i] for i in chosen], [images[i] for i in chosen])
                except ValueError as error:
                    raise BadImageError(
                        observations[chosen[0]].place,
                        f"the model's processor refuses images of tools: {' '.join(str(error).split())}",
                        "give tool images an image budget that it takes (environment.image)",
                    ) from error
                made.update(zip(chosen, read, strict=True))
        return [self._segment(one, *made[i]) for i, one in enumerate(observations)]

    def text_ids(self, text: str, place: str) -> tuple[int, ...]:
        """Tokens of a text that is put into a response, none of them a control token. Raises DataError at `place`
        where the tokenizer can't read it so.
        """
        return tuple(self._writer.control.read(text, place))

    def text_of(self, token_ids: Sequence[int]) -> str:
        """Text of a part of a response, without an end token at its end."""
        shown = token_ids[:-1] if token_ids and token_ids[-1] in self.end_ids else token_ids
        text: str = self._loaded.tokenizer.decode(
            list(shown), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    @property
    def end_ids(self) -> frozenset[int]:
        """Tokens that end a turn."""
        return frozenset(self._loaded.stop_ids)

    def _segment(
        self, observation: Observation, ids: tuple[int, ...], types: tuple[int, ...], pixels: Sequence[Pixels]
    ) -> Segment:
        if ids[0] not in self._writer.control.ids:
            raise ConfigError(
                "model.path, chat template",
                "ends the assistant's turn with no control token, so what follows can't be told from the turn's text",
                "mend the template",
            )
        first = int(observation.ended)  # the policy wrote its end token itself
        encoded = tuple(_image(image.digest, p) for image, p in zip(observation.images, pixels, strict=True))
        return Segment(
            ids[first:],
            (0.0,) * len(ids[first:]),
            observation.policy_version,
            "observation",
            types[first:],
            observation.images,
            encoded,
            observation.text,
        )

    def encode(self, problems: Sequence[Problem]) -> list[Encoded]:
        """Encoded prompts in order. Problems that can share a call of the processor go through it together.

        Raises DataError for an image that can't be read, a prompt whose texts can't be told from the template's own, or
        a prompt longer than the context.
        """
        if not problems:
            return []
        prompts = self._writer.write(problems)
        images = [[open_image(image, self._budget) for image in problem.images] for problem in problems]
        encoded: dict[int, Encoded] = {}
        # in one call all prompts have images or none has: processors count placeholders prompt by prompt
        kinds = [(bool(of_prompt), prompt.texts is not None) for of_prompt, prompt in zip(images, prompts, strict=True)]
        for kind in ((True, False), (True, True), (False, False), (False, True)):
            alike = [i for i, kind_of_prompt in enumerate(kinds) if kind_of_prompt == kind]
            for indices in self._calls(alike):
                made = self._read(
                    [problems[i] for i in indices], [prompts[i] for i in indices], [images[i] for i in indices]
                )
                encoded.update(zip(indices, made, strict=True))
        return [encoded[i] for i in range(len(problems))]

    def _calls(self, indices: list[int]) -> list[list[int]]:
        """Prompts by call of the processor: all at once, or one by one where the family reads its output so."""
        if self._family.one_prompt_a_call:
            return [[i] for i in indices]
        return [indices] if indices else []

    def _read(
        self, problems: Sequence[Problem], prompts: Sequence[Prompt], images: Sequence[Sequence[Any]]
    ) -> list[Encoded]:
        """One call of the processor: prompts that all have images, or that all have none."""
        try:
            read = self._processed(prompts, images)
        except ValueError as error:
            raise self._refused(problems, error) from error
        return [self._encoded(problem, *parts) for problem, parts in zip(problems, read, strict=True)]

    def _processed(self, prompts: Sequence[Prompt], images: Sequence[Sequence[Any]]) -> list[_Read]:
        """Token ids, token types and images of prompts that all have images, or that all have none. Raises ValueError
        as the processor does.
        """
        inputs: dict[str, Any] = {"text": [prompt.text for prompt in prompts], "add_special_tokens": False}
        inputs["padding"] = False
        if images[0]:
            inputs["images"] = list(images)
        output = self._writer.processor_for(prompts)(**inputs)
        ids = [tuple(np.asarray(row).tolist()) for row in output["input_ids"]]
        types = output.get("mm_token_type_ids")
        types = (
            [self._types(row) for row in ids] if types is None else [tuple(np.asarray(row).tolist()) for row in types]
        )
        pixels: list[list[Pixels]] = [[] for _ in ids]
        if images[0]:
            cut = iter(self._family.cut_images(output, ids, images, self._loaded))
            pixels = [[next(cut) for _ in of_prompt] for of_prompt in images]
        return list(zip(ids, types, pixels, strict=True))

    def _refused(self, problems: Sequence[Problem], error: ValueError) -> Exception:
        """The processor's error about a batch, as a DataError that names the problem; it is found one by one."""
        if len(problems) > 1:
            for problem in problems:
                self.encode([problem])
            return error
        return DataError(
            f"problem {problems[0].id} ({problems[0].source or problems[0].domain})",
            f"the model's processor refuses it: {' '.join(str(error).split())}",
            f"{'crop or pad its images' if problems[0].images else 'give it an image'}, or leave the row out "
            "(on_bad_row: skip)",
        )

    def text_tokens(self, problem: Problem) -> int:
        """Prompt length with one placeholder an image. Raises DataError as `encode` does for texts."""
        return self._writer.write([problem])[0].tokens

    def _types(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        """(T,) 1 for image tokens, else 0; where the processor doesn't tell."""
        image = self._family.image_token(self._loaded.config)
        return tuple(int(i == image) for i in ids)

    def _encoded(
        self, problem: Problem, ids: tuple[int, ...], types: tuple[int, ...], pixels: Sequence[Pixels]
    ) -> Encoded:
        """One prompt as the processor made it. Raises DataError where it fills the context."""
        if len(ids) >= self._context:
            raise DataError(
                f"problem {problem.id} ({problem.source or problem.domain})",
                f"its prompt takes {len(ids)} tokens, the context holds {self._context}",
                "lower the recipe's image.max_pixels or raise model.context",
            )
        images = tuple(_image(image.digest, p) for image, p in zip(problem.images, pixels, strict=True))
        return Encoded(
            problem_id=problem.id,
            token_ids=ids,
            token_types=types,
            images=images,
            content_hash=content_hash_of(ids, images),
        )


def content_hash_of(token_ids: Sequence[int], images: Sequence[EncodedImage]) -> str:
    """Hash of every token id and every pixel value, masks of padding and further inputs of the tower included."""
    masks = [image.pixels.mask for image in images if image.pixels.mask is not None]
    others = [value for image in images for value in image.pixels.inputs.values()]
    return input_hash(token_ids, [*(image.patches for image in images), *masks, *others])


def input_hash(token_ids: Sequence[int], tensors: Iterable[torch.Tensor]) -> str:
    """32 hexadecimal digits of tokens and tensors; where one ends and the next begins matters.

    A fast hash, for gigabytes a step: it finds what was mixed up or damaged, and needn't withstand an attacker.
    """
    digest = xxhash.xxh3_128()
    for part in (np.asarray(token_ids, dtype=np.int64), *(tensor.contiguous().numpy() for tensor in tensors)):
        digest.update(part.nbytes.to_bytes(8, "little"))
        digest.update(part.data.cast("B"))
    return digest.hexdigest()
