"""Matches the parameters of a checkpoint with those of a network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose_onnx.errors import ModelFileError
from pose_onnx.exporters.checkpoint.numbers import Parameters

LISTED: Final = 12
"""Number of names of one kind in an error message; the rest is only counted."""


def match_parameters(
    given: Mapping[str, NDArray[np.float32]],
    expected: Mapping[str, tuple[int, ...]],
    *,
    aliases: Sequence[tuple[str, str]] = (),
    buffers: Sequence[str] = (),
) -> Parameters:
    """Choose the parameters that a network has.

    Args:
        given: arrays by name.
        expected: shape of each parameter of the network, by name.
        aliases: (pattern, replacement) for other names of the same parameters; the proper name wins.
        buffers: patterns of names that may be present and are not used.

    Returns:
        One array for each name in `expected`.

    Raises:
        ModelFileError: parameters are missing, unexpected or of a different shape; the message lists them.
    """
    known = {_proper(name, aliases): value for name, value in given.items()} | dict(given)
    known = {name: value for name, value in known.items() if _proper(name, aliases) == name}
    extra = [name for name in known.keys() - expected.keys() if not _is_one_of(name, buffers)]
    problems = {
        "missing": sorted(expected.keys() - known.keys()),
        "unexpected": sorted(extra),
        "of another shape": sorted(
            f"{name} {known[name].shape} instead of {tuple(shape)}"
            for name, shape in expected.items()
            if name in known and known[name].shape != tuple(shape)
        ),
    }
    if any(problems.values()):
        found = "; ".join(f"{len(v)} {kind}: {some(v)}" for kind, v in problems.items() if v)
        raise ModelFileError(
            f"the checkpoint does not fit the network ({len(expected)} parameters): {found}; check that "
            "--model is the model of the checkpoint"
        )
    return {name: known[name] for name in expected}


def _proper(name: str, aliases: Iterable[tuple[str, str]]) -> str:
    for pattern, replacement in aliases:
        name = re.sub(pattern, replacement, name)
    return name


def _is_one_of(name: str, patterns: Iterable[str]) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def some(names: Sequence[str]) -> str:
    """Return names in the form in which messages list them."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
