"""The responses being written now, as tensors: rows join when a slot is free and leave when they have ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from vlrl.model.attention.shared_prefix import SharedPrefix, seats
from vlrl.model.families.attention_patterns import LayerPattern
from vlrl.model.training.logprobs import sampling_logprobs
from vlrl.rollout.repetition import LoopWatch, Repetition
from vlrl.rollout.token_sampling import draw_tokens, row_uniforms
from vlrl.rollout.transformers.prefill import ReadPrompts, ReadResponse
from vlrl.rollout.transformers.response_kv_cache import OwnTokensCache
from vlrl.types import FinishReason

AHEAD = 32  # steps whose random numbers are drawn at once
RUN_PADDING = 512  # tokens of keys; reading them takes about as long as one more product with its softmax


@dataclass
class RunningResponse:
    """One response being written. `room` tokens may be added in this call, `budget` is that of all its segments.

    tokens, logprobs  all tokens so far, and the log-probabilities of those that this call wrote
    turn              where among the tokens the turn begins that is being written
    experts           of the tokens that this call wrote and read, where they are recorded: (L, k) each
    """

    request: int
    index: int
    seed: int
    budget: int
    room: int
    temperature: float
    top_p: float
    repetition: Repetition | None
    tokens: list[int]
    logprobs: list[float] = field(default_factory=list)
    finish_reason: FinishReason = "unfinished"
    turn: int = 0
    experts: list[np.ndarray] = field(default_factory=list)

    @property
    def may_write(self) -> int:
        """Tokens that this call may still add."""
        return min(self.budget - len(self.tokens), self.room - len(self.logprobs))

    @property
    def goes_on(self) -> bool:
        """Whether this call writes another token."""
        return self.finish_reason == "unfinished" and len(self.logprobs) < self.room


class RunningBatch:
    """N rows that decode together against the prompts that they share.

    rows          in the order of all tensors here
    hidden        (N, d) the decoder's output that predicts each row's next token
    position      (N,) of that token
    step          (N,) its number within the response, from 0
    start         (N,) first column of the own-tokens cache that is the row's
    prompt_of     (N,) which held prompt a row belongs to
    temperature_divisor  (N, 1) temperatures, 1 for greedy rows; None where all are 1
    top_p         (N,); None where it is 1 for all
    greedy        (N,) bool; None where none is. `all_greedy`: whether all are
    layout        another number whenever rows or prompts have come or gone
    """

    def __init__(
        self,
        device: torch.device,
        per_group: int,
        patterns: Sequence[LayerPattern] = (),
        sources: Sequence[int] = (),
    ) -> None:
        """`per_group` queries read one head of keys; `patterns` and `sources` as in SharedPrefix."""
        self._device, self._per_group = device, per_group
        self._patterns, self._sources = patterns, sources
        self.rows: list[RunningResponse] = []
        self.prompts: list[int] = []  # request of each held prompt
        self.cache = OwnTokensCache(0)
        self.layout = 0
        self._reset()

    def _reset(self) -> None:
        self.position, self.step, self.start, self.prompt_of, self._seeds = (
            torch.empty(0, dtype=torch.long, device=self._device) for _ in range(5)
        )
        self._temperatures, self._top_p, self._ahead = (torch.empty(0, device=self._device) for _ in range(3))
        self._column = 0
        self.hidden = torch.empty(0)
        self.watch = LoopWatch()

    @property
    def watched(self) -> bool:
        """Whether any row may not loop."""
        return any(row.repetition is not None for row in self.rows)

    def held(self) -> dict[int, int]:
        """Tokens of every held prompt by its request."""
        return dict(zip(self.prompts, self._lengths.tolist(), strict=True)) if self.prompts else {}

    # -- coming -------------------------------------------------------------------------------------------------------

    def hold(self, requests: Sequence[int], read: ReadPrompts) -> None:
        """Keep prompts that were read, for rows that join now or later; those that are held already, once."""
        new = [p for p, request in enumerate(requests) if request not in self.prompts and request not in requests[:p]]
        if not new:
            return
        at = torch.tensor(new, device=self._device)
        keys, values = read.keys, read.values
        if len(new) < len(requests):
            keys, values = ([layer[at] for layer in some] for some in (keys, values))
        lengths, following, hidden = read.lengths[at], read.following[at], read.hidden[at]
        if not self.prompts:
            nowhere = torch.empty(0, dtype=torch.long)
            self.prefix = SharedPrefix(
                keys, values, None, (), nowhere, nowhere, patterns=self._patterns, sources=self._sources
            )
            self._lengths, self._following, self._prompt_hidden = lengths, following, hidden
        else:
            prefix = self.prefix
            prefix.keys = [_padded(a, b) for a, b in zip(prefix.keys, keys, strict=True)]
            prefix.values = [_padded(a, b) for a, b in zip(prefix.values, values, strict=True)]
            self._lengths = torch.cat([self._lengths, lengths])
            self._following = torch.cat([self._following, following])
            self._prompt_hidden = torch.cat([self._prompt_hidden, hidden])
        self.prompts += [requests[p] for p in new]
        self._mask_prompts()

    def join(self, rows: Sequence[RunningResponse]) -> None:
        """Add rows that begin behind held prompts."""
        index_of = {request: p for p, request in enumerate(self.prompts)}
        prompt_of = torch.tensor([index_of[row.request] for row in rows], device=self._device)
        if not self.rows:
            self.cache = OwnTokensCache(len(self.prefix.keys))
        nothing = [k.new_empty((len(rows), k.shape[1], 0, k.shape[3])) for k in self.prefix.keys]
        self.cache.join(nothing, nothing)
        nothing_written = torch.zeros_like(prompt_of)
        self._add(rows, prompt_of, self._prompt_hidden[prompt_of], nothing_written, self._following[prompt_of])

    def join_resumed(self, rows: Sequence[RunningResponse], read: Sequence[ReadResponse]) -> None:
        """Add rows of held prompts that go on behind what was read of them."""
        index_of = {request: p for p, request in enumerate(self.prompts)}
        prompt_of = torch.tensor([index_of[row.request] for row in rows], device=self._device)
        lengths = torch.tensor([len(row.tokens) for row in rows], device=self._device)
        width = int(lengths.max())
        layers = range(len(self.prefix.keys))
        keys = [_stacked([one.keys[layer] for one in read], width) for layer in layers]
        values = [_stacked([one.values[layer] for one in read], width) for layer in layers]
        if not self.rows:
            self.cache = OwnTokensCache(len(keys))
        before = self.cache.length if self.rows else 0
        self.cache.join(keys, values)
        self.start = self.start + (self.cache.length - before)
        following = torch.tensor([one.following for one in read], device=self._device)
        self._add(rows, prompt_of, torch.stack([one.hidden for one in read]), lengths, following)

    def _add(
        self,
        rows: Sequence[RunningResponse],
        prompt_of: torch.Tensor,
        hidden: torch.Tensor,
        written: torch.Tensor,
        following: torch.Tensor,
    ) -> None:
        """`written` (n,) tokens that each row has already, `following` (n,) the position of its next one."""
        start = self.cache.length - written
        seeds = torch.tensor([row.seed for row in rows], dtype=torch.long, device=self._device)
        more = {
            "position": following,
            "step": written,
            "start": start,
            "prompt_of": prompt_of,
            "_seeds": seeds,
            "_ahead": self._draw(seeds, written - self._column),
            "_temperatures": torch.tensor([row.temperature for row in rows], device=self._device),
            "_top_p": torch.tensor([row.top_p for row in rows], device=self._device),
            "hidden": hidden,
        }
        for name, values in more.items():
            setattr(self, name, torch.cat([getattr(self, name), values]) if self.rows else values)
        self.rows += rows
        self.cache.expect(max(row.may_write for row in self.rows))
        self.watch.join([row.tokens[row.turn :] for row in rows], [row.repetition for row in rows])
        self._settle()

    # -- going --------------------------------------------------------------------------------------------------------

    def keep(self, going: Sequence[bool], waits: Collection[int]) -> torch.Tensor:
        """Drop the rows that don't go on, and prompts without rows unless their request is in `waits`.

        Returns the (n,) old indices of the rows that stay.
        """
        kept = torch.tensor([i for i, g in enumerate(going) if g], dtype=torch.long, device=self._device)
        self.rows = [row for row, g in zip(self.rows, going, strict=True) if g]
        if not self.rows:
            self._reset()
            if not waits:
                self.prompts = []
                return kept
        else:
            oldest = int(self.start[kept].min())
            self.cache.keep(kept, oldest)
            for name in ("position", "step", "start", "prompt_of", "_seeds", "_temperatures", "_top_p", "_ahead"):
                setattr(self, name, getattr(self, name)[kept])
            self.start = self.start - oldest
            self.watch.keep(kept.tolist())
        self._drop_prompts(waits)
        if self.rows:
            self._settle()
        return kept

    def _drop_prompts(self, waits: Collection[int]) -> None:
        """Cut out prompts that nobody needs once they are a quarter of all."""
        needed = set(self.prompt_of.tolist()) | {p for p, request in enumerate(self.prompts) if request in waits}
        if len(needed) > len(self.prompts) * 0.75:
            return
        kept = sorted(needed)
        if not kept:
            self.prompts = []
            return
        alive = torch.tensor(kept, device=self._device)
        renumbered = torch.full((len(self.prompts),), -1, dtype=torch.long, device=self._device)
        renumbered[alive] = torch.arange(len(kept), device=self._device)
        self.prompt_of = renumbered[self.prompt_of]
        self.prompts = [self.prompts[p] for p in kept]
        self._lengths, self._following = self._lengths[alive], self._following[alive]
        self._prompt_hidden = self._prompt_hidden[alive]
        width = int(self._lengths.max())
        self.prefix.keys = [keys[:, :, :width].index_select(0, alive) for keys in self.prefix.keys]
        self.prefix.values = [values[:, :, :width].index_select(0, alive) for values in self.prefix.values]
        self._mask_prompts()

    # -- what sampling needs to know ----------------------------------------------------------------------------------

    def draw(self, logits: torch.Tensor, forbidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, V) logits → (N,) the next token of every row, and its log-probability."""
        if self.temperature_divisor is not None:
            logits = logits.float() / self.temperature_divisor
        logp, drawn = sampling_logprobs(logits, forbidden, 1.0), self.uniforms()
        tokens = logp.argmax(-1) if self.all_greedy else draw_tokens(logp, drawn, self.top_p, self.greedy)
        # logits that aren't finite have no token in the vocabulary: the engine names them
        return tokens, logp.gather(1, tokens.clamp(max=logp.shape[1] - 1)[:, None])[:, 0]

    def uniforms(self) -> torch.Tensor:
        """(N,) the number in (0, 1) that draws each row's next token; drawn AHEAD steps at once."""
        if self._column == AHEAD:
            self._ahead, self._column = self._draw(self._seeds, self.step), 0
        self._column += 1
        return self._ahead[:, self._column - 1]

    def _draw(self, seeds: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """(n,) seeds and steps → (n, AHEAD) numbers of this step and those that follow."""
        return row_uniforms(seeds[:, None], step[:, None] + torch.arange(AHEAD, device=self._device))

    # -- what attention needs to know ---------------------------------------------------------------------------------

    def mask_own(self) -> None:
        """Before a forward pass: hide the columns before each row's first token, where rows began at unlike times."""
        self.prefix.start = self.start
        self.prefix.reach = self._reach + self.cache.length + 1
        if not self._unlike:
            self.prefix.own_mask = None
            return
        columns = torch.arange(self.cache.length + 1, device=self._device)
        groups = self.prefix.keys[0].shape[1]
        mask = additive(columns < self.start[:, None], self.prefix.keys[0].dtype)
        self.prefix.own_mask = mask.repeat_interleave(groups, 0)[:, None]

    def _mask_prompts(self) -> None:
        self.prefix.runs = runs_of(self._lengths.tolist())
        width = self.prefix.keys[0].shape[2]
        padding = torch.arange(width, device=self._device)[None] >= self._lengths[:, None]
        padded = any(bool(padding[first:stop, :longest].any()) for first, stop, longest in self.prefix.runs)
        self.prefix.mask = additive(padding, self.prefix.keys[0].dtype)[:, None, None] if padded else None
        self.layout += 1

    def _settle(self) -> None:
        """What holds for the rows until one comes or goes; the device is asked here, not in every step."""
        self.layout += 1
        prefix, groups = self.prefix, self.prefix.keys[0].shape[1]
        prefix.taken, prefix.given = seats(self.prompt_of, len(self.prompts), groups, self._per_group)
        self._unlike = bool(self.start.any())
        prefix.prompt_of, prefix.lengths = self.prompt_of, self._lengths
        self._reach = int((self._lengths[self.prompt_of] - self.start).max())  # without own columns
        self._settle_sampling()

    def _settle_sampling(self) -> None:
        temperatures = set(self._temperatures.tolist())
        self.all_greedy = temperatures == {0.0}
        self.greedy = self._temperatures == 0 if 0.0 in temperatures else None
        self.temperature_divisor = (
            self._temperatures.where(self._temperatures != 0, 1.0)[:, None] if temperatures - {0.0, 1.0} else None
        )
        self.top_p = self._top_p if any(row.top_p < 1.0 for row in self.rows) else None


def additive(hidden: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """bool → −inf where it is true, else 0."""
    return torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill(hidden, float("-inf"))


def runs_of(lengths: Sequence[int]) -> list[tuple[int, int, int]]:
    """Neighbouring prompts by run (first, one after the last, longest), at most RUN_PADDING padded tokens in each."""
    found: list[tuple[int, int, int]] = []
    for p, length in enumerate(lengths):
        if found:
            first, stop, width = found[-1]
            wider = max(width, length)
            if wider * (stop + 1 - first) - sum(lengths[first : stop + 1]) <= RUN_PADDING:
                found[-1] = (first, p + 1, wider)
                continue
        found.append((p, p + 1, length))
    return found


def _padded(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """(P, G, L, D) and (Q, G, M, D) → (P + Q, G, max(L, M), D), zeros at the right."""
    width = max(first.shape[2], second.shape[2])
    both = [torch.nn.functional.pad(one, (0, 0, 0, width - one.shape[2])) for one in (first, second)]
    return torch.cat(both)


def _stacked(rows: Sequence[torch.Tensor], width: int) -> torch.Tensor:
    """n of (G, T, D) → (n, G, width, D), zeros at the left."""
    return torch.stack([torch.nn.functional.pad(one, (0, 0, width - one.shape[1], 0)) for one in rows])
