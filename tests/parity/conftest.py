"""Every parity test reports what it measured; the figures are printed as one table at the end.

python -m pytest tests/parity
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Figure:
    """One measured error and the bar that it must stay under."""

    stage: str
    what: str
    value: float
    bar: float
    unit: str


FIGURES: list[Figure] = []

Check = Callable[[str, str, float, float, str], None]


@pytest.fixture
def check() -> Check:
    """Return a function that notes a figure, then holds it against its bar."""

    def note(stage: str, what: str, value: float, bar: float, unit: str) -> None:
        FIGURES.append(Figure(stage, what, float(value), bar, unit))
        assert value <= bar, f"{stage}, {what}: {value:.3g} {unit} is above the bar of {bar:.3g}"

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("parity: largest absolute differences")
        terminalreporter.write_line(f"{'stage':<34} {'what':<62} {'measured':>9} {'bar':>9}  unit")
        for figure in sorted(FIGURES, key=lambda item: (item.stage, item.what)):
            terminalreporter.write_line(
                f"{figure.stage:<34} {figure.what:<62} {figure.value:>9.2g} {figure.bar:>9.2g}  {figure.unit}"
            )
