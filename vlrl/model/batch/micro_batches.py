"""Rows by micro-batch: like lengths together, within budgets of tokens and memory; rows that share an image near."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vlrl.model.batch.example import Example

Bytes = Callable[[Sequence[Example]], float]


def rows_by_micro_batch(
    examples: Sequence[Example],
    token_budget: int,
    byte_budget: float | None = None,
    bytes_of: Bytes | None = None,
    packed: bool = False,
) -> list[list[int]]:
    """Indices of examples by micro-batch, at most `token_budget` tokens, padding counted, and `byte_budget` bytes each.

    Rows are ordered by length, longest first, and rows that show a common image stand together, so that its features
    are held for as short as may be. A single row above a budget makes a micro-batch of its own. Rows `packed` have
    no padding.
    """
    groups = _sharing_images(examples)
    longest = {g: max(examples[i].num_tokens for i in range(len(examples)) if groups[i] == g) for g in set(groups)}
    order = sorted(range(len(examples)), key=lambda i: (-longest[groups[i]], groups[i], -examples[i].num_tokens, i))

    def too_large(chosen: Sequence[int]) -> bool:
        some = [examples[i] for i in chosen]
        return byte_budget is not None and bytes_of is not None and bytes_of(some) > byte_budget

    return _filled(order, [example.num_tokens for example in examples], token_budget, packed, too_large)


def batches_by_length(
    lengths: Sequence[int],
    token_budget: int,
    packed: bool = False,
    too_large: Callable[[Sequence[int]], bool] = lambda _: False,
) -> list[list[int]]:
    """The same by lengths alone, as `vlrl plan` counts them; `too_large` says of indices whether they exceed memory."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    return _filled(order, lengths, token_budget, packed, too_large)


def _filled(
    order: Sequence[int],
    lengths: Sequence[int],
    token_budget: int,
    packed: bool,
    too_large: Callable[[Sequence[int]], bool],
) -> list[list[int]]:
    """Indices in `order`, as many together as fit."""
    found: list[list[int]] = []
    width = used = 0
    for i in order:
        if found:
            held = used + lengths[i] if packed else max(width, lengths[i]) * (len(found[-1]) + 1)
        if not found or held > token_budget or too_large([*found[-1], i]):
            found.append([])
            width = used = 0
        width = max(width, lengths[i])
        used += lengths[i]
        found[-1].append(i)
    return found


def _sharing_images(examples: Sequence[Example]) -> list[int]:
    """For each example the number of its group: examples joined by common images, directly or through others."""
    parent = list(range(len(examples)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i, example in enumerate(examples):
        for image in example.images:
            other = root(first.setdefault(image.digest, i))
            mine = root(i)
            parent[max(other, mine)] = min(other, mine)
    return [root(i) for i in range(len(examples))]


def split_responses(
    prompt_tokens: int,
    lengths: Sequence[int],
    token_budget: int,
    together: int = 1,
    too_large: Callable[[range], bool] = lambda _: False,
) -> list[range]:
    """Consecutive responses that fit behind one copy of their prompt; one that doesn't fit alone stands alone.

    `together` responses at a time are never parted (2 for losses on pairs); `too_large` says of responses whether their
    row exceeds memory.
    """
    found: list[range] = []
    start, used = 0, prompt_tokens
    for j in range(0, len(lengths), together):
        length = sum(lengths[j : j + together])
        if j > start and (used + length > token_budget or too_large(range(start, min(j + together, len(lengths))))):
            found.append(range(start, j))
            start, used = j, prompt_tokens
        used += length
    found.append(range(start, len(lengths)))
    return found


def padding_waste(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """Share of padded tokens that are padding, over all micro-batches."""
    padded = sum(max(lengths[i] for i in chosen) * len(chosen) for chosen in batches)
    return 1 - sum(lengths) / padded if padded else 0.0
