"""Made-up weights of CenterNet's networks, as the golden files were computed with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POOL: int = 65537


@dataclass(frozen=True)
class Rule:
    """What differs between the networks: power of a convolution, and factors by a part of a name."""

    gain: float
    factors: tuple[tuple[str, float], ...] = ()


RULES: Mapping[str, Rule] = {
    "res50": Rule(1.3),
    "dla34": Rule(2, ((".up_", 4.0), ("conv_offset_mask.weight", 0.05))),
    "hourglass": Rule(1),
}


def reference_weights(
    network: str, golden: Mapping[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float32]]:
    """Fill a network's floating point parameters; their sums are those of the golden file."""
    pool = np.random.default_rng(7).standard_normal(POOL).astype(np.float32)
    filled: dict[str, NDArray[np.float32]] = {}
    for (name, shape, dtype), expected in zip(
        json.loads(str(golden["state_json"])), golden["fill_sums"], strict=True
    ):
        if not dtype.startswith("float"):
            continue
        base = np.resize(np.roll(pool, 37 * len(filled)), int(np.prod(shape))).reshape(shape)
        filled[name] = _value(name, base.astype(np.float64), RULES[network]).astype(np.float32)
        np.testing.assert_allclose(filled[name].sum(dtype=np.float64), expected, rtol=1e-9, atol=1e-6)
    return filled


def _value(name: str, base: NDArray[np.float64], rule: Rule) -> NDArray[np.float64]:
    if name.endswith("running_var"):
        return 1 + 0.1 * np.abs(base)
    if base.ndim > 1:
        value: NDArray[np.float64] = base * np.sqrt(rule.gain / np.prod(base.shape[1:]))
        for part, factor in rule.factors:
            if part in name:
                value *= factor
        return value
    if name.endswith(".weight"):
        return 1 + 0.1 * base
    return 0.05 * base
