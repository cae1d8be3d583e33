"""Numbers and tables in markdown. It measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A markdown table; all but the first column are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows])


def number(value: float | None, digits: int = 1) -> str:
    """With thousands separated; what was not measured is a dash."""
    return "–" if value is None else f"{value:,.{digits}f}"


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median, the least and the most."""
    low, high = number(min(values), digits), number(max(values), digits)
    return f"{number(median(values), digits)} ({low}–{high})"


def middle(values: Sequence[float | None], digits: int = 1) -> str:
    """The median of what was measured."""
    known = [value for value in values if value is not None]
    return number(median(known) if known else None, digits)


def ratio(values: Sequence[float], reference: Sequence[float] | None) -> str:
    """Of the medians."""
    return f"{median(values) / median(reference):.2f}" if reference else "–"
