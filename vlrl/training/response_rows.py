"""Written responses as rows that an update reads: their tokens, and whether they fit into the context."""

from __future__ import annotations

from collections.abc import Sequence

from vlrl.errors import DataError
from vlrl.model.batch.example import Example
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.control_tokens import control_tokens
from vlrl.types import Demonstration, Problem


def response_tokens(loaded: LoadedModel, demonstration: Demonstration, ended: bool = True) -> tuple[int, ...]:
    """Token ids of a demonstration's response, with the end token where it `ended` by itself; names of control tokens
    in it are read as text.

    Raises DataError where the tokenizer can't do that.
    """
    control = control_tokens(loaded.tokenizer, (*loaded.placeholder_ids, *loaded.stop_ids))
    place = f"demonstration of problem {demonstration.problem.id}"
    return (*control.read(demonstration.response, place), *((loaded.stop_ids[0],) if ended else ()))


def check_fits(rows: Sequence[Example], problems: Sequence[Problem], context: int, place: str, remedy: str) -> None:
    """Raises DataError for the first row whose prompt with its longest response exceeds the model's context."""
    for row, problem in zip(rows, problems, strict=True):
        prompt, longest = row.encoded.num_tokens, max(len(response) for response in row.responses)
        if prompt + longest > context:
            raise DataError(
                f"{place}, problem {problem.id} ({problem.source or problem.domain})",
                f"its prompt takes {prompt} tokens and its response {longest}, the context holds {context}",
                f"{remedy}, lower the recipe's image.max_pixels, or raise model.context",
            )
