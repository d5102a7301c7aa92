"""Decoding with recurrent layers: a prompt is read once, and what it leaves starts each of its k responses.

Prompts of one length are read together, and rows with equally many tokens behind them are decoded together: unlike
lengths would need padding, which a recurrent state would take in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import torch

from vlrl.model.batch.example import read_rollouts
from vlrl.model.decoding.prompt_state import PromptState, read_behind, read_prompts
from vlrl.model.decoding.state_rows import behind_prompt
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.vision.image_encoding import VisionTower
from vlrl.rollout.engine import Request
from vlrl.rollout.transformers.expert_recording import Recorder
from vlrl.rollout.transformers.running_batch import RunningBatch, RunningResponse

# the next token of each row, and its log-probability
Draw = Callable[[RunningBatch], tuple[torch.Tensor, torch.Tensor]]
Write = Callable[[RunningBatch, Sequence[int], Sequence[float], Sequence[Request]], list[bool]]


class StateBatch(RunningBatch):
    """N rows with equally many tokens, behind equally long prompts, each with what it has left in the layers so far."""

    def __init__(
        self,
        rows: Sequence[RunningResponse],
        state: PromptState,
        hidden: torch.Tensor,
        following: torch.Tensor,
        device: torch.device,
    ) -> None:
        """`hidden` (N, d) predicts the tokens at the positions `following` (N,)."""
        super().__init__(device, per_group=1)
        self.state = state
        written = len(rows[0].tokens)
        nothing = torch.zeros(len(rows), dtype=torch.long, device=device)
        self._add(rows, nothing, hidden, nothing + written, following)

    def _settle(self) -> None:
        self._settle_sampling()

    def keep_going(self, going: Sequence[bool]) -> torch.Tensor:
        """Drop the rows that don't go on; returns the (n,) old indices of those that stay."""
        kept = torch.tensor([i for i, g in enumerate(going) if g], dtype=torch.long, device=self._device)
        if len(kept) == len(self.rows):
            return kept
        self.rows = [row for row, g in zip(self.rows, going, strict=True) if g]
        if self.rows:
            for name in ("position", "step", "_seeds", "_temperatures", "_top_p", "_ahead"):
                setattr(self, name, getattr(self, name)[kept])
            self.watch.keep(kept.tolist())
            self.state = self.state.take(kept)
            self._settle()
        return kept


class StateDecoding:
    """Responses of one call of the engine; `max_num_seqs` of them decode at once, at most."""

    def __init__(self, loaded: LoadedModel, tower: VisionTower, rule: PositionRule, max_num_seqs: int) -> None:
        self._model, self._device, self._tower, self._rule = loaded.model, loaded.device, tower, rule
        self._most = max_num_seqs
        self.tokens = self.steps = 0

    def run(
        self,
        requests: Sequence[Request],
        row_of: Callable[[Request, int, int], RunningResponse],
        draw: Draw,
        write: Write,
        experts: Recorder,
    ) -> list[RunningResponse]:
        """Write every response that has room, until it ends or its room is used up."""
        started = []
        for together in _of_one_prompt_length(requests, self._most):
            prompts = [requests[r].encoded for r in together]
            features = self._tower.encode_images([image for encoded in prompts for image in encoded.images])
            shown = [features[image.digest] for encoded in prompts for image in encoded.images]
            with self._tower.given(shown) as image_inputs:
                state, hidden = read_prompts(self._model, prompts, self._rule, image_inputs)
            experts.read_rows(requests, [(r, ()) for r in together])
            rows = [
                row_of(requests[r], r, i)
                for r in together
                for i in range(requests[r].num_rollouts)
                if requests[r].room(i)
            ]
            for alike in _of_one_length(rows, self._most):
                prompt_of = torch.tensor([together.index(row.request) for row in alike], device=self._device)
                live = self._begin(requests, alike, state.take(prompt_of), hidden[prompt_of, -1])
                if alike[0].tokens:
                    experts.read_resumed(alike)
                self._decode(live, requests, draw, write, experts)
            started += rows
        return started

    def _begin(
        self, requests: Sequence[Request], rows: Sequence[RunningResponse], state: PromptState, hidden: torch.Tensor
    ) -> StateBatch:
        """`state` and `hidden` (N, d) are what each row's prompt has left."""
        if not rows[0].tokens:
            after = {r: self._rule.after(self._rule.prompt(requests[r].encoded)) for r in {row.request for row in rows}}
            following = torch.tensor([after[row.request] for row in rows], device=self._device)
            return StateBatch(rows, state, hidden, following, self._device)
        resumed = []
        for r, some in groupby(rows, key=lambda row: row.request):
            before = requests[r].resume_from
            assert before is not None
            resumed.append(read_rollouts(requests[r].encoded, [before[row.index] for row in some]))
        places = [behind_prompt(self._rule, one, j) for one in resumed for j in range(len(one.responses))]
        positions = torch.stack(places, 1).to(self._device)
        images = [image for one in resumed for image in one.images[len(one.encoded.images) :]]
        features = self._tower.encode_images(images)
        with self._tower.given([features[image.digest] for image in images]) as image_inputs:
            ids = torch.tensor([tokens for one in resumed for tokens in one.responses], device=self._device)
            read = read_behind(self._model, ids, positions, self._rule, state, image_inputs)
        return StateBatch(rows, state, read[:, -1], positions.amax((0, 2)) + 1, self._device)

    def _decode(
        self, live: StateBatch, requests: Sequence[Request], draw: Draw, write: Write, experts: Recorder
    ) -> None:
        while live.rows:
            tokens, chosen = draw(live)
            self.steps, self.tokens = self.steps + 1, self.tokens + len(live.rows)
            tokens = tokens[live.keep_going(write(live, tokens.tolist(), chosen.tolist(), requests))]
            if live.rows:
                live.hidden = read_behind(self._model, tokens[:, None], live.position[:, None], self._rule, live.state)[
                    :, 0
                ]
                experts.read_written(live.rows)
                live.position, live.step = live.position + 1, live.step + 1


def _of_one_prompt_length(requests: Sequence[Request], most: int) -> list[list[int]]:
    """Numbers of the requests that have room, by how long their prompts are, as many as have `most` rows at once."""
    open_groups: dict[int, tuple[list[int], int]] = {}
    found = []
    for r, request in enumerate(requests):
        count = sum(request.room(i) > 0 for i in range(request.num_rollouts))
        if not count:
            continue
        together, rows = open_groups.get(request.encoded.num_tokens, ([], most))
        if rows + count > most:
            together, rows = [], 0
            found.append(together)
        together.append(r)
        open_groups[request.encoded.num_tokens] = (together, rows + count)
    return found


def _of_one_length(rows: Sequence[RunningResponse], most: int) -> list[list[Any]]:
    """Rows by how many tokens they have, `most` at once."""
    by_length: dict[int, list[RunningResponse]] = {}
    for row in rows:
        by_length.setdefault(len(row.tokens), []).append(row)
    return [some[i : i + most] for some in by_length.values() for i in range(0, len(some), most)]
