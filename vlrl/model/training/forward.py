"""Packed rows through one model: log-probabilities, and one update's gradients micro-batch by micro-batch.

What every policy shares, whatever makes the optimiser step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
import transformers

from vlrl.losses.loss_registry import UpdateLoss
from vlrl.model.attention.prompt_attention import takes_flex
from vlrl.model.batch.example import Example
from vlrl.model.batch.micro_batches import Bytes, rows_by_micro_batch, split_responses
from vlrl.model.batch.packing import Batch, pack
from vlrl.model.batch.rank_schedule import Lockstep, MicroBatchShape
from vlrl.model.experts.expert_load import ExpertLoad
from vlrl.model.experts.routed_tokens import given_experts, real_tokens
from vlrl.model.experts.routers import Routers
from vlrl.model.families.image_types import ImageFeatures
from vlrl.model.finite import cause_of
from vlrl.model.load import LoadedModel
from vlrl.model.optimization.parameter_groups import trained_parts
from vlrl.model.prompts.encode import EncodedImage
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.training.example_tensors import loss_inputs_of, observe, of_all
from vlrl.model.training.logprobs import (
    TokenLogprobs,
    chunks_of,
    head_logits,
    response_hidden,
    response_logprobs,
    sampling_logprobs,
)
from vlrl.model.training.update_metrics import UpdateMetrics
from vlrl.model.vision.image_encoding import VisionTower
from vlrl.model.vision.image_features import ImageFeatureCache

MicroBatch = Callable[[], torch.Tensor]  # one forward pass; returns its share of the loss


def backward(micro_batch: MicroBatch) -> None:
    """Run a micro-batch by plain autograd: gradients add up in the parameters."""
    loss = micro_batch()
    if loss.requires_grad:  # text alone has no gradient where the language part is frozen
        loss.backward()  # type: ignore[no-untyped-call]


class PackedForward:
    """Forward passes of one policy, micro-batch by micro-batch.

    micro_batch_tokens   padded tokens that go through the model at once, at most
    vision_trains        whether updates reach the vision tower or its projector, so that features need gradients
    bytes_of, max_bytes  the memory that rows would take at once, and its limit; None: tokens alone count
    packs_sequences      the rows of a micro-batch stand one behind another, without padding
    lockstep             makes every rank's updates run the same modules; None: each rank takes its own
    vision_tower         encodes images in place of the model's own tower; None: the model's own
    """

    def __init__(
        self,
        loaded: LoadedModel,
        micro_batch_tokens: int,
        vision_trains: bool,
        bytes_of: Bytes | None = None,
        max_bytes: float | None = None,
        packs_sequences: bool = False,
        lockstep: Lockstep | None = None,
        vision_tower: VisionTower | None = None,
    ) -> None:
        self._loaded = loaded
        self._budget = micro_batch_tokens
        self._vision_trains = vision_trains
        self._bytes_of, self._max_bytes = bytes_of, max_bytes
        self._packs_sequences = packs_sequences
        self.tower = VisionTower(loaded.model, loaded.store)
        # without ZeRO there is no lockstep: each rank takes its own micro-batches, and no `_padding`
        self._lockstep, self._vision_tower = lockstep, vision_tower or self.tower
        self._routers = Routers(loaded.model)
        self._forbidden = torch.tensor(loaded.placeholder_ids, device=loaded.device, dtype=torch.long)
        self._pack = partial(
            pack,
            rule=PositionRule(loaded.model),
            pad_id=loaded.tokenizer.pad_token_id or 0,
            device=loaded.device,
            flex=takes_flex(loaded.model),
            packed=packs_sequences,
        )

    @torch.no_grad()
    def logprobs(self, examples: Sequence[Example], temperature: float) -> list[tuple[tuple[float, ...], ...]]:
        """Per example, per response (T_j,): the log-probability of every token. Every image is encoded once."""
        pieces = [(e, chosen) for e, example in enumerate(examples) for chosen in self.split(example)]
        parts = [examples[e].take(chosen) for e, chosen in pieces]
        by_part: list[tuple[tuple[float, ...], ...]] = [()] * len(parts)
        batches = self.batches(parts)
        images = [_images(parts[i] for i in chosen) for chosen in batches]
        feature_cache = ImageFeatureCache(self._vision_tower, images, trains=False)
        for m, chosen in enumerate(batches):
            _, of_tokens = self._logprobs_of([parts[i] for i in chosen], feature_cache.features(m), temperature)
            values = iter(of_tokens.logprobs.tolist())
            for i in chosen:
                by_part[i] = tuple(tuple(next(values) for _ in response) for response in parts[i].responses)
        by_example: list[tuple[tuple[float, ...], ...]] = [()] * len(examples)
        for (e, _), of_part in zip(pieces, by_part, strict=True):
            by_example[e] += of_part
        return by_example

    def split(self, example: Example, together: int = 1) -> list[range]:
        """Indices of responses by piece: an example above a budget is cut into rows that each repeat the prompt.

        together  responses that are never parted, e.g. 2 for pairs
        """
        most, bytes_of = self._max_bytes, self._bytes_of

        def too_large(chosen: range) -> bool:
            return most is not None and bytes_of is not None and bytes_of([example.take(chosen)]) > most

        lengths = [len(response) for response in example.responses]
        return split_responses(example.encoded.num_tokens, lengths, self._budget, together, too_large)

    def batches(self, examples: Sequence[Example]) -> list[list[int]]:
        """Indices of examples by micro-batch."""
        return rows_by_micro_batch(examples, self._budget, self._max_bytes, self._bytes_of, self._packs_sequences)

    @property
    def vocabulary(self) -> int:
        """V: outputs of the model's head."""
        return int(self._loaded.model.lm_head.out_features)

    @torch.no_grad()
    def hidden(self, examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
        """(M, d) last hidden states that predict the response tokens of one micro-batch, and these tokens (M,)."""
        model = self._loaded.model
        batch = self._pack(examples)
        features = ImageFeatureCache(self.tower, [_images(examples)], trains=False).features(0)
        with self._routed(examples, batch):
            return response_hidden(model, self.tower, batch, features), batch.targets

    def learn_from_hidden(
        self, examples: Sequence[Example], loss: Callable[[torch.Tensor, Sequence[int]], torch.Tensor]
    ) -> None:
        """Add up gradients of a loss on last hidden states, micro-batch by micro-batch, for a head beside `lm_head`.

        loss   `loss(hidden, chosen)`: (M, d) states that predict the response tokens of the examples with these
               indices, in order → their share of the loss
        """
        batches = self.batches(examples)
        images = [_images(examples[i] for i in chosen) for chosen in batches]
        feature_cache = ImageFeatureCache(self.tower, images, self._vision_trains)

        def run(m: int) -> torch.Tensor:
            batch = self._pack([examples[i] for i in batches[m]])
            with self._training_graph():
                hidden = response_hidden(self._loaded.model, self.tower, batch, feature_cache.features(m))
            value, carried = loss(hidden, batches[m]), feature_cache.carried(m)
            return value if carried is None else value + carried

        for m in range(len(batches)):
            backward(partial(run, m))
        if self._loaded.store is not None:
            self._loaded.store.learned(trained_parts(self._loaded.model))

    @torch.no_grad()
    def distribution(self, hidden: torch.Tensor, temperature: float) -> torch.Tensor:
        """(m, d) states → (m, V) log-probabilities of the sampling distribution."""
        return sampling_logprobs(head_logits(self._loaded.model, hidden), self._forbidden, temperature)

    def micro_batches(
        self,
        examples: Sequence[Example],
        loss: UpdateLoss,
        temperature: float,
        counted: Sequence[Example],
        sums: UpdateMetrics,
    ) -> Iterator[tuple[MicroBatch, bool]]:
        """The micro-batches of one update, each to be run forward and backward before the next is asked for, and
        whether it is the last.

        Every image is encoded once; in lockstep, once a micro-batch.

        temperature  of the sampling distribution; > 0
        counted      all examples that the loss is averaged over: those of all ranks, and those that needn't run. Any
                     split into micro-batches gives the same gradients
        sums         metrics are added to it
        """
        together = 2 if "pairs" in loss.needs else 1
        parts = [example.take(chosen) for example in examples for chosen in self.split(example, together)]
        batches = self.batches(parts)
        images = [_images(parts[i] for i in chosen) for chosen in batches]
        shapes = [
            MicroBatchShape(
                self._vision_trains and bool(seen),
                chunks_of(self.vocabulary, sum(parts[i].num_response_tokens for i in chosen)),
            )
            for seen, chosen in zip(images, batches, strict=True)
        ]
        if self._lockstep is not None:
            shapes = self._lockstep.agree(shapes)
        feature_cache = ImageFeatureCache(self._vision_tower, images, self._vision_trains, hold=self._lockstep is None)
        for m, shape in enumerate(shapes):
            run = partial(self._padding, shape)
            if m < len(batches):
                chosen = [parts[i] for i in batches[m]]
                run = partial(self._micro_batch, chosen, loss, temperature, counted, shape, feature_cache, m, sums)
            yield run, m + 1 == len(shapes)
        if self._loaded.store is not None:
            self._loaded.store.learned(trained_parts(self._loaded.model))  # a step of the optimiser follows

    def _micro_batch(
        self,
        examples: Sequence[Example],
        loss: UpdateLoss,
        temperature: float,
        counted: Sequence[Example],
        shape: MicroBatchShape,
        feature_cache: ImageFeatureCache,
        m: int,
        sums: UpdateMetrics,
    ) -> torch.Tensor:
        """What micro-batch `m` goes backward from: its share of the loss, and the terms that carry gradients of shared
        images; metrics are added to `sums`.
        """
        extra = []  # scalars whose gradients belong to this micro-batch, too
        features = self._before_lockstep(_images(examples), shape, lambda: feature_cache.features(m))
        with self._training_graph():
            if shape.encodes_images and self._lockstep is not None and not _images(examples):
                extra.append(self._lockstep.dummy_vision_pass(self._vision_tower))
            batch, of_tokens = self._logprobs_of(
                examples,
                feature_cache.features(m) if features is None else features,
                temperature,
                shape.chunks,
                of_all(examples, "teacher_token_ids", self._forbidden),
                sums.expert_load,
            )
        inputs = loss_inputs_of(examples, batch.response, of_tokens.logprobs, counted, of_tokens.teacher_logprobs)
        value: Any = loss(inputs)
        if (carried := feature_cache.carried(m)) is not None:
            extra.append(carried)
        with torch.no_grad():
            observe(sums, examples, inputs, float(value), of_tokens.entropy)
            if sums.cause is None and not (math.isfinite(float(value)) and math.isfinite(sums.kl)):
                sums.cause = cause_of(examples, inputs, float(value))
        return sum(extra, start=value)

    def _before_lockstep(
        self, images: Sequence[EncodedImage], shape: MicroBatchShape, look: Callable[[], dict[str, ImageFeatures]]
    ) -> dict[str, ImageFeatures] | None:
        """Passes of a frozen tower, as many as this rank needs; then come the modules that all ranks run alike.

        Returns the features of a look that needs no gradients; None where it does.
        """
        if self._lockstep is None:
            return None
        if shape.encodes_images:
            self._lockstep.read_frozen(self._vision_tower, images)
        if self._vision_trains:
            return None
        with self._lockstep.reading():
            return look()

    def _padding(self, shape: MicroBatchShape) -> torch.Tensor:
        """A micro-batch of weight zero, where other ranks have more of them than this one."""
        assert self._lockstep is not None
        self._before_lockstep((), shape, dict)
        with self._training_graph():
            extra = [self._lockstep.dummy_vision_pass(self._vision_tower)] if shape.encodes_images else []
            _, of_tokens = self._logprobs_of([self._lockstep.padding], {}, 1.0, shape.chunks)
        return sum(extra, start=of_tokens.logprobs.sum() * 0.0)

    @contextmanager
    def _training_graph(self) -> Iterator[None]:
        model = self._loaded.model
        same = nullcontext() if self._lockstep is None else self._lockstep.one_graph(model)
        with checkpointed_layers(model), same:
            yield

    def _logprobs_of(
        self,
        examples: Sequence[Example],
        features: dict[str, ImageFeatures],
        temperature: float,
        chunks: int | None = None,
        teacher_token_ids: torch.Tensor | None = None,
        load: ExpertLoad | None = None,
    ) -> tuple[Batch, TokenLogprobs]:
        model, batch, forbidden = self._loaded.model, self._pack(examples), self._forbidden
        with self._routed(examples, batch, load):
            return batch, response_logprobs(
                model, self.tower, batch, features, forbidden, temperature, chunks, teacher_token_ids
            )

    @contextmanager
    def _routed(self, examples: Sequence[Example], batch: Batch, load: ExpertLoad | None = None) -> Iterator[None]:
        """In the block tokens go to the experts that the examples name; `load` counts those to which they went."""
        replayed = any(example.routing is not None for example in examples)
        if not self._routers or (load is None and not replayed):
            yield
            return
        with self._routers.watched(given_experts(examples, batch) if replayed else ()) as passes:
            yield
        if load is None:
            return
        for one, real in zip(passes, real_tokens(examples, batch), strict=True):
            load.add(one.chosen(len(self._routers)), real, self._routers.experts)


def _images(examples: Iterable[Example]) -> list[EncodedImage]:
    return [image for example in examples for image in example.images]


@contextmanager
def checkpointed_layers(model: Any) -> Iterator[None]:
    """Within the block, layers with gradient checkpointing switched on use it.

    transformers checkpoints only layers in training mode. Only the layers' own flag is set: their dropout stays off, so
    that the log-probabilities remain those of the sampler.
    """
    layers = [
        m
        for m in model.modules()
        if isinstance(m, transformers.modeling_layers.GradientCheckpointingLayer) and m.gradient_checkpointing
    ]
    before = [layer.training for layer in layers]
    for layer in layers:
        layer.training = True
    try:
        yield
    finally:
        for layer, flag in zip(layers, before, strict=True):
            layer.training = flag
