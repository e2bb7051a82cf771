"""The gate: writes the first candidate of a precision that keeps its average precision."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pose_onnx.errors import ExportError, InputError
from pose_onnx.exporters.quantize.exceptions import SHARES, UNJUDGED_SHARES
from pose_onnx.exporters.quantize.measure import Dev
from pose_onnx.exporters.quantize.request import INT8
from pose_onnx.exporters.targets.material import Candidate, Material

LARGEST_DROP: Final = 1.0
"""AP, in percent, that a precision may lose against float32."""
UNMEASURED: Final = "AP not measured (forced)"
TOO_LOW: Final = "AP too low (forced)"


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate, measured.

    Attributes:
        float_layers: how many layers stay in float32; None for a precision that does not select layers.
        ap: average precision in percent.
    """

    float_layers: int | None
    ap: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The accuracy cost of a file, for the receipt.

    Attributes:
        file: its name.
        ap: average precision in percent; None if it was not measured.
        drop: difference below the AP of float32; None likewise.
        note: `UNMEASURED`, `TOO_LOW`, or empty.
        layers: how many convolutions the network has.
        float_layers: names of those that stay in float32; None for a precision that does not select layers.
        trials: all measured candidates, in order.
    """

    file: str
    ap: float | None
    drop: float | None
    note: str
    layers: int
    float_layers: tuple[str, ...] | None
    trials: tuple[Trial, ...]


class Gate:
    """Chooses among candidates, and refuses a precision that costs too much.

    Args:
        dev: pictures to measure on; nothing is measured if None.
        force: also write files that are too inaccurate.

    Attributes:
        shares: shares of the layers to keep in float32; a static precision has a candidate for each.
    """

    def __init__(self, dev: Dev | None, *, force: bool) -> None:
        self.shares = SHARES if dev else UNJUDGED_SHARES
        self._dev = dev
        self._force = force
        self._reference: float | None = None

    def judges(self, precision: str) -> bool:
        """Say whether files of a precision are judged: int8 always, float16 if there are pictures."""
        return precision in INT8 or (self._dev is not None and precision != "fp32")

    def choose(
        self, candidates: Iterable[Candidate], file: Path, reference: Path, material: Material
    ) -> Accuracy:
        """Write the first candidate that is accurate enough; if forced and there is none, the best one.

        Args:
            candidates: candidates in the order to try.
            file: file to write.
            reference: the float32 file.
            material: what the candidates are made from.

        Raises:
            ExportError: no candidate is accurate enough.
            InputError: the annotations have nobody to measure AP on.
        """
        card, layers = material.card, len(material.layers)
        if self._dev is None:
            chosen = next(iter(candidates))
            file.write_bytes(chosen.content)
            return Accuracy(file.name, None, None, UNMEASURED, layers, _names(chosen), ())
        if self._reference is None:
            self._reference = self._dev.measure(reference, card)
        if math.isnan(self._reference):
            raise InputError(
                f"there are no annotated people that can be used in {str(self._dev.annotations)!r}; give "
                "annotations of pictures with people"
            )
        lowest = self._reference - LARGEST_DROP
        tried = []
        for candidate in candidates:
            file.write_bytes(candidate.content)
            tried.append((self._dev.measure(file, card), candidate))
            if tried[-1][0] >= lowest:
                break
        ap, chosen = max(tried, key=lambda pair: pair[0])
        is_accurate = ap >= lowest
        if not (is_accurate or self._force):
            raise ExportError(self._refusal(file, ap, chosen, layers))
        file.write_bytes(chosen.content)
        trials = tuple(
            Trial(None if candidate.kept is None else len(candidate.kept), each) for each, candidate in tried
        )
        note = "" if is_accurate else TOO_LOW
        return Accuracy(file.name, ap, self._reference - ap, note, layers, _names(chosen), trials)

    def facts(self) -> dict[str, str | int | float]:
        """Describe the pictures and the AP of float32 for a receipt; empty if nothing was measured."""
        if self._dev is None or self._reference is None:
            return {}
        return {**self._dev.facts(), "largest_drop": LARGEST_DROP, "fp32_ap": self._reference}

    def _refusal(self, file: Path, ap: float, chosen: Candidate, layers: int) -> str:
        kept = f", even with {len(chosen.kept)} of {layers} layers in float32" if chosen.kept else ""
        return (
            f"{file.name} has {ap:.1f} AP instead of float32's {self._reference:.1f}{kept}; a loss of more "
            f"than {LARGEST_DROP} AP is refused, and nothing was written; choose another precision, "
            "calibrate with other photos, or write it anyway with --force"
        )


def _names(candidate: Candidate) -> tuple[str, ...] | None:
    return None if candidate.kept is None else tuple(layer.name for layer in candidate.kept)
