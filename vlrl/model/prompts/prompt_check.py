"""Whether a problem can be asked: its images are of a size that the processor takes, its prompt and response fit.

Lengths are worked out from sizes in file headers, so that a problem is checked when it is drawn, by the row it comes
from, and not when it is encoded in the middle of a step.
"""

from __future__ import annotations

from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.images.open_images import BadImageError, size_in_budget, upright_size
from vlrl.errors import DataError
from vlrl.model.families.family import ImageSize, family_of
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encoder
from vlrl.types import Image, Problem


class PromptCheck:
    """Checks problems for one model, image budget and system prompt; what `vlrl.data` calls a Check.

    longest  tokens that a response may take
    """

    def __init__(self, loaded: LoadedModel, encoder: Encoder, budget: ImageBudget, longest: int) -> None:
        self._loaded, self._encoder, self._budget, self.longest = loaded, encoder, budget, longest
        self._family = family_of(loaded.config)
        self._sizes: dict[tuple[int, int], ImageSize | str] = {}

    def __call__(self, problem: Problem) -> None:
        """Raises BadImageError or DataError for a problem that can't be asked."""
        self._fits(problem, self.longest, "responses up to", "lower sampling.max_tokens")

    def with_response(self, problem: Problem, tokens: int, remedy: str) -> None:
        """Raises DataError where the prompt and a response of this many tokens don't fit."""
        self._fits(problem, tokens, "its response", remedy)

    def _fits(self, problem: Problem, tokens: int, what: str, remedy: str) -> None:
        room = self._loaded.context - tokens
        if self.most_tokens(problem) <= room:
            return
        (encoded,) = self._encoder.encode([problem])  # exact, where the bound isn't
        if encoded.num_tokens > room:
            raise DataError(
                f"problem {problem.id} ({problem.source or problem.domain})",
                f"its prompt takes {encoded.num_tokens} tokens and {what} {tokens}, "
                f"the context holds {self._loaded.context}",
                f"{remedy}, lower the recipe's image.max_pixels, or raise model.context",
            )

    def most_tokens(self, problem: Problem) -> int:
        """Tokens that its prompt takes at most. Raises BadImageError, and DataError as encoding does."""
        images = [self.size(image).tokens - 1 for image in problem.images]
        return self._encoder.text_tokens(problem) + sum(images)

    def size(self, image: Image) -> ImageSize:
        """Patches and tokens of an image within the budget. Raises BadImageError for one that the processor refuses."""
        size = size_in_budget(*upright_size(image), self._budget)
        if size not in self._sizes:
            self._sizes[size] = self._ask(size)
        found = self._sizes[size]
        if isinstance(found, str):
            raise BadImageError(
                f"image {image.path or image.digest}",
                f"the model's image processor takes none of {size[0]}×{size[1]} pixels: {found}",
                "crop or pad it, or set `on_bad_image: skip` in its source",
            )
        return found

    def _ask(self, size: tuple[int, int]) -> ImageSize | str:
        """What an image of this size becomes, or why nothing."""
        try:
            return self._family.size_of(self._loaded.config, self._loaded.processor, *size)
        except Exception as error:  # a processor says what it doesn't take by errors of its own
            return " ".join(str(error).split()) or type(error).__name__
