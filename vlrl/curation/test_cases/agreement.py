"""Which generated cases and which problems are kept: what known solutions agree on (Kimi k1.5, §2.3.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Output = str | None  # what a submission printed; None where it failed


@dataclass(frozen=True)
class Selected:
    """What is left of a problem's cases.

    cases     index of each valid case → the output that submissions agree on
    passing   submissions that print it in every valid case
    """

    cases: dict[int, str]
    passing: tuple[int, ...]


def agreed(outputs: Sequence[Output], least: int) -> Output:
    """The output that at least `least` submissions print, None where there is none, or where two are as frequent."""
    counts = Counter(output for output in outputs if output is not None).most_common(2)
    if not counts or counts[0][1] < least or (len(counts) > 1 and counts[1][1] == counts[0][1]):
        return None
    return counts[0][0]


def select(outputs: Sequence[Sequence[Output]], least: int) -> Selected:
    """`outputs[c][s]` is what submission s printed in case c. A case holds where `least` of them agree."""
    cases = {number: output for number, printed in enumerate(outputs) if (output := agreed(printed, least)) is not None}
    count = len(outputs[0]) if outputs else 0
    passing = [s for s in range(count) if cases and all(outputs[c][s] == output for c, output in cases.items())]
    return Selected(cases, tuple(passing))


def normalized(printed: bytes) -> str:
    """An output without what judges pass over: ends of lines and of the text."""
    text = printed.decode("utf-8", errors="replace")
    return "\n".join(line.rstrip() for line in text.rstrip().split("\n")) + "\n"
