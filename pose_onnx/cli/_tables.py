"""Text output: columns, and numbers with their nouns."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of equally many cells as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun; the plural is the noun with an s unless `many` is given."""
    return f"{number} {one if number == 1 else many or one + 's'}"
