"""What an ablation found, as Markdown with its figures: absolute values, paired differences, win matrix, rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from vlrl.evaluation.comparison import Difference
from vlrl.evaluation.scores import Interval, holm, t_interval

Floats = NDArray[np.float64]
BEFORE = "before RL"  # the row of the warm-up that arms share, and its name in `matrices`
HOLM = (
    "p is that of a paired t test over seeds, adjusted by Holm for the {} comparisons of this page; a difference is "
    "called shown where p is below .05 and both intervals lie on one side of zero."
)


@dataclass(frozen=True)
class AblationReport:
    """Everything that the page says.

    outcomes  name → arm → S arrays                matrices  name → (row, column) → row − column
    measured  the day of the last run
    before    name → S arrays of the warm-up that arms share, where they do; `matrices` holds its difference from the
              reference then
    budgets   response tokens that an arm's RL may sample; None: its steps end it
    spent     response tokens that it sampled, by seed
    swept     what every rate reached on the sweep's seeds
    slopes    accuracy on validation problems over their mean response tokens, by seed, where it is asked for
    """

    title: str
    command: str
    expected: str
    budgets: Mapping[str, int | None]
    spent: Mapping[str, Sequence[float]]
    measured: str
    seeds: Sequence[int]
    reference: str
    arms: Mapping[str, str]
    rates: Mapping[str, float | None]
    swept: Mapping[str, Mapping[float, float]]
    sweep_seeds: Sequence[int]
    outcomes: Mapping[str, Mapping[str, Sequence[Floats]]]
    before: Mapping[str, Sequence[Floats]]
    matrices: Mapping[str, Mapping[tuple[str, str], Difference]]
    figures: Mapping[str, str]
    slopes: Mapping[str, Sequence[float]] = field(default_factory=dict)


def ablation_page(found: AblationReport) -> str:
    """The page. A difference whose interval spans zero, or whose p is too large among the page's comparisons, is called
    `no difference shown`."""
    count = len(found.seeds)
    lines = [
        f"# {found.title}",
        "",
        f"Made by `{found.command}`, measured {found.measured}. {count} seed{'s' if count != 1 else ''} "
        f"({', '.join(map(str, found.seeds))}); {_budget(found)}. "
        "Arms of a seed get the same problems and the same test; differences are paired.",
        "",
    ]
    if found.expected:
        lines += [f"Expected before it was run: {found.expected}", ""]
    if count == 1:
        lines += ["**One seed: nothing is shown.**", ""]
    lines += ["| arm | differs from the base config by | response tokens of RL, by seed |", "|---|---|---|"]
    lines += [f"| {name} | {words} | {_tokens(found.spent[name])} |" for name, words in found.arms.items()]
    lines += [f"\n{words}" for words in _shortfalls(found)]
    adjusted = _adjusted(found)
    lines += ["", HOLM.format(len(adjusted))]
    for name, arms in found.outcomes.items():
        lines += ["", f"## {name}", "", *_values_table(name, arms, found, adjusted)]
        if len(arms) > 2:
            lines += ["", *_matrix_table(list(arms), found.matrices[name], _of_pairs(name, found, adjusted))]
    for caption, path in found.figures.items():
        lines += ["", f"![{caption}]({path})"]
    if found.slopes:
        lines += ["", *_slopes_table(found.slopes)]
    if any(found.swept.values()):
        lines += ["", *_rates_table(found)]
    return "\n".join(lines) + "\n"


def _budget(found: AblationReport) -> str:
    """What was matched, as far as it was."""
    held = set(found.budgets.values())
    if held == {None}:
        return "equal steps, which needn't be equal response tokens"
    if len(held) > 1:
        each = (f"{arm} {'by its steps' if tokens is None else f'{tokens:,}'}" for arm, tokens in found.budgets.items())
        return f"response tokens by arm: {', '.join(each)}"
    words = "budget not spent by every arm" if any(_shortfalls(found)) else "matched budget"
    return f"{words}: {held.pop():,} response tokens an arm"


def _shortfalls(found: AblationReport) -> list[str]:
    """Of every arm that its steps ended before its budget was spent, a line."""
    lines = []
    for arm, budget in found.budgets.items():
        short = [
            f"{spent:,.0f} (seed {seed})"
            for seed, spent in zip(found.seeds, found.spent[arm], strict=True)
            if budget is not None and spent < budget
        ]
        if short:
            lines.append(
                f"**Budget not matched:** `rl.steps` ended {arm} before its {budget:,} response tokens: "
                f"{', '.join(short)}. Its differences are of unequal budgets."
            )
    return lines


def _tokens(spent: Sequence[float]) -> str:
    return ", ".join(f"{one:,.0f}" for one in spent)


def _adjusted(found: AblationReport) -> dict[tuple[str, str], float]:
    """By outcome and arm: p against the reference, adjusted for all such comparisons of the page."""
    plain = {
        (name, arm): found.matrices[name][arm, found.reference].p
        for name, arms in found.outcomes.items()
        for arm in (*arms, *([BEFORE] if name in found.before else []))
        if arm != found.reference
    }
    return holm(plain)


def _values_table(
    name: str,
    arms: Mapping[str, Sequence[Floats]],
    found: AblationReport,
    adjusted: Mapping[tuple[str, str], float],
) -> list[str]:
    lines = [
        f"| arm | {name}, mean | by seed | − {found.reference} "
        "| 95 % over seeds | 95 % over seeds and problems | p | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    before = {BEFORE: found.before[name]} if name in found.before else {}
    for arm, rows in {**before, **arms}.items():
        means = [float(row.mean()) for row in rows]
        each = ", ".join(_figure(mean) for mean in means)
        cells = [""] * 5
        if arm != found.reference:
            gap = found.matrices[name][arm, found.reference]
            p = adjusted[name, arm]
            ends = [_ends(gap.by_seed), _ends(gap.by_problem)]
            cells = [_signed(gap.mean), *ends, _p(p), gap.verdict(p)]
        lines.append(f"| {arm} | {_figure(float(np.mean(means)))} | {each} | {' | '.join(cells)} |")
    return lines


def _of_pairs(
    name: str, found: AblationReport, adjusted: Mapping[tuple[str, str], float]
) -> dict[tuple[str, str], float]:
    """p of every pair of arms of an outcome: that of its row where one is the reference, else adjusted for all pairs of
    the page.
    """
    every = holm(
        {
            (outcome, *pair): found.matrices[outcome][pair].p
            for outcome, arms in found.outcomes.items()
            for pair in combinations(arms, 2)
        }
    )
    values: dict[tuple[str, str], float] = {}
    for pair in combinations(found.outcomes[name], 2):
        others = [arm for arm in pair if arm != found.reference]
        p = adjusted[name, others[0]] if len(others) == 1 else every[name, *pair]
        values[pair] = values[pair[1], pair[0]] = p
    return values


def _matrix_table(
    arms: list[str], matrix: Mapping[tuple[str, str], Difference], adjusted: Mapping[tuple[str, str], float]
) -> list[str]:
    lines = [f"| row − column | {' | '.join(arms)} |", "|---" * (len(arms) + 1) + "|"]
    for row in arms:
        cells = []
        for column in arms:
            gap = matrix.get((row, column))
            shown = gap is not None and gap.is_shown(adjusted[row, column])
            cells.append("" if gap is None else f"{_signed(gap.mean)}{'' if shown else ' (not shown)'}")
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return lines


def _slopes_table(slopes: Mapping[str, Sequence[float]]) -> list[str]:
    """Mean slopes with Student's interval over the seeds that have one."""
    lines = [
        "Accuracy over length while training: the slope of a least-squares line through each run's validations, points "
        "of accuracy (of 100) a response token; it says how both moved together, not that one moved the other.",
        "",
        "| arm | slope, mean | 95 % over seeds | seeds |",
        "|---|---|---|---|",
    ]
    for arm, held in slopes.items():
        points = 100 * np.asarray(held)
        mean = f"{points.mean():+.2f}" if len(points) else "lengths never changed"
        ends = "" if len(points) < 2 else "{:+.2f} … {:+.2f}".format(*t_interval(points))
        lines.append(f"| {arm} | {mean} | {ends} | {len(points)} |")
    return lines


def _rates_table(found: AblationReport) -> list[str]:
    rates = sorted({rate for held in found.swept.values() for rate in held})
    seeds = ", ".join(map(str, found.sweep_seeds))
    lines = [f"Learning rates, swept for every arm on seeds of their own ({seeds}); the best is used:", ""]
    lines += [f"| arm | {' | '.join(f'{rate:g}' for rate in rates)} |", "|---" * (len(rates) + 1) + "|"]
    for arm, held in found.swept.items():
        figures = [_figure(held[rate]) if rate in held else "" for rate in rates]
        cells = [
            f"**{words}**" if rate == found.rates[arm] else words for rate, words in zip(rates, figures, strict=True)
        ]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    several = {arm: held for arm, held in found.swept.items() if len(held) > 1}
    highest = [arm for arm, held in several.items() if found.rates[arm] == max(held)]
    lowest = [arm for arm, held in several.items() if found.rates[arm] == min(held)]
    for at, words, beyond in ((highest, "highest", "higher"), (lowest, "lowest", "lower")):
        if at:
            lines += ["", f"The best rate of {' and of '.join(at)} is the {words} tried: a {beyond} one may do better."]
    return lines


def _figure(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _signed(value: float) -> str:
    return f"{value:+.3f}" if abs(value) < 10 else f"{value:+.1f}"


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}"


def _ends(interval: Interval | None) -> str:
    return "one seed" if interval is None else f"{_signed(interval.low)} … {_signed(interval.high)}"
