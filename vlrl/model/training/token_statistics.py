"""Numbers for every token of written responses that parts of credit ask for by name; only those are computed.

    logprobs    log π(y_t)                    entropy     H of π at t, in nats
    square      Σ_v π(v)²·(log π(v) + H)      teacher     log π_T(y_t)
    kl_teacher  KL(π‖π_T) at t, in nats       previous    log π_previous(y_t), and any other frozen model by its name
    teacher_token  argmax π_T at t, an id

All under the sampling distribution: temperature applied, placeholders masked. 0 of tokens that the policy didn't write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import torch

from vlrl.model.batch.example import Example
from vlrl.model.cost import CHUNK_LOGITS
from vlrl.model.training.forward import PackedForward
from vlrl.model.training.logprob_mismatch import written_by_policy

OF_POLICY = frozenset({"logprobs", "entropy", "square"})
OF_TEACHER = frozenset({"teacher", "kl_teacher", "teacher_token"})
Tokens = tuple[tuple[float, ...], ...]  # per response (T_j,)


@torch.no_grad()
def token_statistics(
    policy: PackedForward,
    rows: Sequence[Example],
    temperature: float,
    names: Collection[str],
    teacher: PackedForward | None = None,
    frozen: Mapping[str, PackedForward] = MappingProxyType({}),
) -> list[dict[str, Tokens]]:
    """Per row, by name, per response: a number for every token. A name that no given model has is a KeyError.

    frozen  models whose log-probabilities are asked for, by name
    """
    pieces = [(r, row.take(chosen)) for r, row in enumerate(rows) for chosen in policy.split(row)]
    parts = [part for _, part in pieces]
    measured: list[dict[str, Tokens]] = [{} for _ in parts]
    for chosen in policy.batches(parts):
        some = [parts[i] for i in chosen]
        found = _of_batch(policy, some, temperature, frozenset(names), teacher)
        for name in frozen.keys() & set(names):
            freely = [row.freely_routed() for row in some]
            flat = [p for row in frozen[name].logprobs(freely, temperature) for response in row for p in response]
            found[name] = torch.tensor(flat)
        for name in names:
            values = iter(found[name].tolist())
            for i in chosen:
                measured[i][name] = tuple(tuple(next(values) for _ in one) for one in parts[i].responses)
    result: list[dict[str, Tokens]] = [dict.fromkeys(names, ()) for _ in rows]
    for (r, _), values_of in zip(pieces, measured, strict=True):
        for name, held in values_of.items():
            result[r][name] += held
    return result


def places_of(length: int, count: int) -> list[int]:
    """At most `count` places of a response of T tokens, spread evenly from its first token on."""
    count = min(count, length)
    return [length * i // count for i in range(count)]


@torch.no_grad()
def hidden_states(policy: PackedForward, rows: Sequence[Example], count: int) -> list[torch.Tensor]:
    """Per row (n, d), float32 on the CPU: the last hidden states that predict the tokens at `places_of` of each of its
    responses, one response after the other.
    """
    pieces = [(r, row.take(chosen)) for r, row in enumerate(rows) for chosen in policy.split(row)]
    parts = [part for _, part in pieces]
    read: dict[int, torch.Tensor] = {}
    for chosen in policy.batches(parts):
        hidden, _ = policy.hidden([parts[i] for i in chosen])
        start = 0
        for i in chosen:
            kept = []
            for response in parts[i].responses:
                kept += [start + place for place in places_of(len(response), count)]
                start += len(response)
            read[i] = hidden[kept].float().cpu()
    by_row: list[list[torch.Tensor]] = [[] for _ in rows]
    for i, (r, _) in enumerate(pieces):
        by_row[r].append(read[i])
    return [torch.cat(states) for states in by_row]


def _of_batch(
    policy: PackedForward,
    rows: Sequence[Example],
    temperature: float,
    names: frozenset[str],
    teacher: PackedForward | None,
) -> dict[str, torch.Tensor]:
    """(M,) each."""
    if not names & (OF_POLICY | OF_TEACHER):
        return {}
    own, targets = policy.hidden(rows)
    theirs = None
    if teacher is not None and names & OF_TEACHER:
        theirs = teacher.hidden([row.freely_routed() for row in rows])[0]
    size = max(1, CHUNK_LOGITS // (2 * policy.vocabulary))
    parts: dict[str, list[torch.Tensor]] = {}
    for start in range(0, len(own), size):
        log_p = policy.distribution(own[start : start + size], temperature).clamp_min(-1e9)  # (m, V)
        picked = targets[start : start + size, None]
        p = log_p.exp()
        entropy = -(p * log_p).sum(-1)
        found = {"logprobs": log_p.gather(1, picked)[:, 0], "entropy": entropy}
        if "square" in names:
            found["square"] = (p.square() * (log_p + entropy[:, None])).sum(-1)
        if theirs is not None and teacher is not None:
            log_t = teacher.distribution(theirs[start : start + size], temperature).clamp_min(-1e9)
            found["teacher"] = log_t.gather(1, picked)[:, 0]
            found["teacher_token"] = log_t.argmax(-1)
            if "kl_teacher" in names:
                found["kl_teacher"] = (p * (log_p - log_t)).sum(-1)
        for name, values in found.items():
            parts.setdefault(name, []).append(values)
    written = written_by_policy(rows)
    mask = torch.ones(len(targets)) if written is None else torch.tensor(written, dtype=torch.float32)
    joined = {name: torch.cat(values) for name, values in parts.items()}
    return joined if written is None else {name: values * mask.to(values.device) for name, values in joined.items()}
