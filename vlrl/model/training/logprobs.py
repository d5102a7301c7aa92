"""Log-probabilities of response tokens under the sampling distribution; the (T, V) logits never exist whole."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch.utils.checkpoint import checkpoint

from vlrl.model.attention.prompt_attention import attention_inputs
from vlrl.model.batch.packing import Batch
from vlrl.model.cost import CHUNK_LOGITS
from vlrl.model.decoding.state_rows import state_hidden
from vlrl.model.families.image_types import ImageFeatures
from vlrl.model.vision.image_encoding import VisionTower


class TokenLogprobs(NamedTuple):
    """Of the M response tokens of a packed batch, under the sampling distribution.

    logprobs          (M,) natural logarithms
    entropy           (M,) of the distribution that each token is drawn from, in nats, without gradient
    teacher_logprobs  (M,) of a teacher's tokens at the same places; None where none were given
    """

    logprobs: torch.Tensor
    entropy: torch.Tensor
    teacher_logprobs: torch.Tensor | None = None


def response_logprobs(
    model: Any,
    tower: VisionTower,
    batch: Batch,
    features: dict[str, ImageFeatures],
    forbidden: torch.Tensor,
    temperature: float = 1.0,
    chunks: int | None = None,
    teacher_token_ids: torch.Tensor | None = None,
) -> TokenLogprobs:
    """Log-probability of every response token of a packed batch; 0, without gradient, of one that the policy didn't
    write, and so is its entropy.

    features           of every image of the batch, by digest
    forbidden          (F,) ids that can't be sampled (image placeholders): masked here exactly as in the engine
    temperature        of the sampling distribution; > 0
    chunks             calls of the head, e.g. the number that all ranks make; default: as many as needed
    teacher_token_ids  (M,) ids of other tokens whose log-probabilities are wanted at the same places
    """
    picked = response_hidden(model, tower, batch, features)
    wanted = (
        batch.targets[:, None] if teacher_token_ids is None else torch.stack([batch.targets, teacher_token_ids], 1)
    )  # (M, 1 or 2)
    if batch.written is not None:
        picked, wanted = picked[batch.written], wanted[batch.written]  # (W, …)
    vocabulary = int(model.lm_head.out_features)
    size, parts = _chunk_size(vocabulary), []
    chunks = chunks_of(vocabulary, len(picked)) if chunks is None else chunks
    for start in range(0, chunks * size, size):
        hidden, targets = picked[start : start + size], wanted[start : start + size]
        if chunks > 1 and torch.is_grad_enabled():
            parts.append(
                checkpoint(_logprobs_and_entropy, model, hidden, targets, forbidden, temperature, use_reentrant=False)
            )
        else:
            parts.append(_logprobs_and_entropy(model, hidden, targets, forbidden, temperature))
    logprobs, entropy = torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])  # (M, 1 or 2) and (M,)
    if batch.written is not None:
        logprobs, entropy = (_in_place(one, batch.written, len(batch.targets)) for one in (logprobs, entropy))
    return TokenLogprobs(logprobs[:, 0], entropy, None if teacher_token_ids is None else logprobs[:, 1])


def _in_place(values: torch.Tensor, places: torch.Tensor, count: int) -> torch.Tensor:
    """(W, …) at their places among `count`, zeros elsewhere."""
    return values.new_zeros(count, *values.shape[1:]).index_copy(0, places, values)


def chunks_of(vocabulary: int, tokens: int) -> int:
    """How many calls of the head this many response tokens (at least one) take."""
    return -(-tokens // _chunk_size(vocabulary))


def _chunk_size(vocabulary: int) -> int:
    return max(1, CHUNK_LOGITS // vocabulary)


def response_hidden(model: Any, tower: VisionTower, batch: Batch, features: dict[str, ImageFeatures]) -> torch.Tensor:
    """(M, d) last hidden states at the positions that predict the response tokens of a packed batch."""
    if batch.apart is not None:
        return state_hidden(model, tower, batch.apart.examples, batch.apart.rule, features)
    with tower.given([features[image.digest] for image in batch.images]) as images:
        hidden = model.model(
            input_ids=batch.token_ids,
            position_ids=batch.positions,
            use_cache=False,
            **images,
            **attention_inputs(model, batch),
        ).last_hidden_state
    picked: torch.Tensor = hidden.reshape(-1, hidden.shape[-1])[batch.at]
    return picked


def head_logits(model: Any, hidden: torch.Tensor) -> torch.Tensor:
    """(…, d) states → (…, V) logits, with the soft cap that the model's own forward pass puts on them, if any."""
    logits: torch.Tensor = model.lm_head(hidden)
    cap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    if cap is None or not _caps_logits(type(model).forward):
        return logits
    capped: torch.Tensor = (logits / cap).tanh() * cap
    return capped


@cache
def _caps_logits(forward: Callable[..., Any]) -> bool:
    return "final_logit_softcapping" in inspect.getsource(forward)


def _logprobs_and_entropy(
    model: Any, hidden: torch.Tensor, targets: torch.Tensor, forbidden: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """(m, d) states and (m, n) token ids → (m, n) log-probabilities, and (m,) entropies in nats without gradient."""
    logp = sampling_logprobs(head_logits(model, hidden), forbidden, temperature)
    with torch.no_grad():
        entropy = -(logp.exp() * logp.clamp_min(-1e9)).sum(-1)
    return logp.gather(1, targets), entropy


def sampling_logprobs(logits: torch.Tensor, forbidden: torch.Tensor, temperature: float) -> torch.Tensor:
    """(…, V) logits → log-probabilities of the sampling distribution, in float32; forbidden ids get −inf."""
    logits = logits.float()
    if temperature != 1.0:
        logits = logits / temperature
    logits = logits.index_fill(-1, forbidden, float("-inf"))
    return torch.log_softmax(logits, -1)
