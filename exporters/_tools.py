"""Checks that the packages that an export needs are installed, before anything is started."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import product
from typing import Final

from pose_onnx.cards.card import ModelCard
from pose_onnx.errors import DependencyError, InputError
from pose_onnx.exporters.outputs import export_of
from pose_onnx.exporters.targets import REFERENCE, TARGETS, Kind

PADDLE: Final = ("paddle", "paddle2onnx", "yaml")
EXPORT_EXTRA: Final = "run, with Python 3.10 to 3.12: pip install 'pose-onnx[export]'"


def demand_targets(formats: Iterable[str], precisions: Iterable[str]) -> None:
    """Check that the packages needed for these formats and precisions are installed.

    Raises:
        DependencyError: A package is missing; the message names it and the command that installs it.
    """
    for name, precision in product(formats, precisions):
        writer = TARGETS[name].writers[precision]
        if writer.packages:
            _demand(
                f"writing {precision} {name} files", writer.packages, f"run: pip install {writer.install}"
            )
        _demand(
            f"writing {name!r} files", TARGETS[name].packages, f"run: pip install {TARGETS[name].install}"
        )


def formats_of(card: ModelCard) -> tuple[str, ...]:
    """Return the file formats that a model can be written in."""
    return (REFERENCE[0],) if export_of(card).free else tuple(TARGETS)


def demand_possible(card: ModelCard, kinds: Iterable[Kind]) -> None:
    """Check that a model can be written in these formats and precisions.

    Raises:
        InputError: It cannot; one sentence says why.
    """
    if export_of(card).free and {*kinds} != {REFERENCE}:
        raise InputError(
            f"{card.name!r} is a two-stage detector: the number of its boxes depends on the picture, so it"
            " runs on ONNX Runtime only, in fp32; choose the format 'onnx' (export: --to onnx) and the"
            " precision 'fp32'"
        )


def possible_formats(card: ModelCard, precisions: Sequence[str]) -> tuple[str, ...]:
    """Return those that can be written in all of these precisions with the installed packages."""
    found = []
    for name in formats_of(card):
        with contextlib.suppress(DependencyError):
            demand_targets([name], precisions)
            found.append(name)
    return tuple(found)


def demand_paddle() -> None:
    """Check that Paddle's converter is installed.

    Raises:
        DependencyError: A package is missing; the message names it and the command that installs it.
    """
    _demand("exporting through Paddle", PADDLE, EXPORT_EXTRA)


def _demand(purpose: str, packages: Sequence[str], remedy: str) -> None:
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise DependencyError(
            f"{purpose} needs {', '.join(missing)}, which is not installed for Python "
            f"{sys.version_info[0]}.{sys.version_info[1]}; {remedy}"
        )
