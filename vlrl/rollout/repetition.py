"""Loops in a response, on token ids while it is written (k1.5 §2.6.2): what repeats without end is cut.

A response loops when its last tokens are a run of one period p: token t equals token t − p, all along a run that holds
`repeats` copies or more and `tokens` tokens or more. The bounds keep what repeats for a reason: rules and tables of
dashes, equal rows, code, periodic decimals, the steps of a long division. What counts up ("step 12, step 13, …") is no
such run and isn't caught.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from pydantic import Field

from vlrl.config import Settings


class Repetition(Settings):
    """When a response counts as a loop. It then ends with `repeat`, at the token that completes the run.

    tokens      least length of the run in tokens, its first copy included
    repeats     least copies of the period in it
    max_period  longest period that is looked for, in tokens
    """

    tokens: int = Field(default=256, ge=2)
    repeats: int = Field(default=4, ge=2)
    max_period: int = Field(default=64, ge=1)

    def run_lengths(self) -> np.ndarray:
        """(P,) for period 1 … P: tokens in a row that equal the one a period earlier when a run is long enough."""
        periods = np.arange(1, self.max_period + 1)
        return np.asarray(np.maximum(self.tokens, self.repeats * periods) - periods)

    @property
    def memory(self) -> int:
        """Last tokens of a begun response that decide when it loops: the longest run, and a period before it."""
        return int(self.run_lengths().max()) + self.max_period

    def first_loop(self, tokens: Sequence[int]) -> int | None:
        """How many tokens a response has when it first counts as a loop, or None. Reads a whole response at once."""
        ids = np.asarray(tokens)
        found: list[int] = []
        for period, needed in enumerate(self.run_lengths().tolist(), 1):
            same = ids[period:] == ids[:-period]  # (T − p,)
            ends = np.flatnonzero(~same)
            first = np.diff(np.concatenate([[-1], ends, [len(same)]])) - 1  # lengths of the runs of equal tokens
            begins = np.concatenate([[-1], ends]) + 1
            long = np.flatnonzero(first >= needed)
            if len(long):
                found.append(period + int(begins[long[0]]) + needed)
        return min(found, default=None)


class LoopWatch:
    """The same question of N responses while they are written, token by token: O(N · P) a step.

    counts (N, P) tokens in a row that equal the one p earlier; recent (N, P) the last tokens, newest first.
    """

    def __init__(self) -> None:
        self._width = 1
        self._counts = np.zeros((0, 1), dtype=np.int32)
        self._needed = np.zeros((0, 1), dtype=np.int32)
        self._recent = np.zeros((0, 1), dtype=np.int64)

    def join(self, written: Sequence[Sequence[int]], settings: Sequence[Repetition | None]) -> None:
        """Watch more responses, from what they hold already; None: this one may repeat."""
        widest = max([self._width, *(s.max_period for s in settings if s is not None)])
        if widest > self._width:
            self._widen(widest)
        counts = np.zeros((len(written), widest), dtype=np.int32)
        recent = np.full((len(written), widest), -1, dtype=np.int64)
        needed = np.full((len(written), widest), np.iinfo(np.int32).max, dtype=np.int32)
        for i, (tokens, one) in enumerate(zip(written, settings, strict=True)):
            if one is not None:
                needed[i, : one.max_period] = one.run_lengths()
            for token in tokens[-one.memory :] if one is not None else ():
                self._push(counts[i : i + 1], recent[i : i + 1], np.array([token]))
        self._counts = np.concatenate([self._counts, counts])
        self._needed = np.concatenate([self._needed, needed])
        self._recent = np.concatenate([self._recent, recent])

    def _widen(self, width: int) -> None:
        grown = len(self._counts), width - self._width
        self._counts = np.concatenate([self._counts, np.zeros(grown, dtype=np.int32)], 1)
        self._needed = np.concatenate([self._needed, np.full(grown, np.iinfo(np.int32).max, dtype=np.int32)], 1)
        self._recent = np.concatenate([self._recent, np.full(grown, -1, dtype=np.int64)], 1)
        self._width = width

    def push(self, tokens: Sequence[int]) -> np.ndarray:
        """(N,) the next token of each response → (N,) whether it completes a loop."""
        self._push(self._counts, self._recent, np.asarray(tokens))
        return np.asarray((self._counts >= self._needed).any(1))

    @staticmethod
    def _push(counts: np.ndarray, recent: np.ndarray, tokens: np.ndarray) -> None:
        """`recent` has the newest token first."""
        counts += 1
        counts *= recent == tokens[:, None]
        recent[:, 1:] = recent[:, :-1].copy()
        recent[:, 0] = tokens

    def keep(self, rows: Collection[int]) -> None:
        """Watch these rows only."""
        kept = np.asarray(list(rows), dtype=np.int64)
        self._counts, self._needed, self._recent = self._counts[kept], self._needed[kept], self._recent[kept]
