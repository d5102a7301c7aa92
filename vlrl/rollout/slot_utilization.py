"""How well an engine's slots were used: the metric that every engine tells alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SLOT_UTILISATION = "rollout/slot_utilisation"


class SlotCount:
    """Tokens that were written, over steps × slots; of the calls since it was last read."""

    def __init__(self) -> None:
        self._written = self._room = 0

    def add(self, written: int, steps: int, slots: int) -> None:
        """One call: its tokens, its decode steps and the slots that it could have filled."""
        self._written += written
        self._room += steps * slots

    def pop_metrics(self) -> dict[str, float]:
        """SLOT_UTILISATION, and begin again; nothing where no step was made."""
        found = {SLOT_UTILISATION: self._written / self._room} if self._room else {}
        self._written = self._room = 0
        return found


def mean_utilisation(told: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """SLOT_UTILISATION over several engines that each told theirs; nothing where none did."""
    found = [one[SLOT_UTILISATION] for one in told if SLOT_UTILISATION in one]
    return {SLOT_UTILISATION: sum(found) / len(found)} if found else {}
