"""The settings of an export to int8, checked before any work is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pose_onnx.errors import InputError
from pose_onnx.exporters.quantize.measure import Dev

STATIC: Final = "int8"
WEIGHTS: Final = "int8-dynamic"
INT8: Final = (WEIGHTS, STATIC)


@dataclass(frozen=True, slots=True)
class Quantization:
    """How int8 files are made and judged.

    Attributes:
        calibration: folder of photos of people, for `STATIC`.
        annotations: COCO person keypoint annotations, to measure average precision on.
        images: folder of their pictures.
        force: also write a precision that is too inaccurate or not measured.
    """

    calibration: Path | None = None
    annotations: Path | None = None
    images: Path | None = None
    force: bool = False

    @property
    def dev(self) -> Dev | None:
        """The pictures to measure on, if there are any."""
        return Dev(self.annotations, self.images) if self.annotations and self.images else None

    def check(self, precisions: Iterable[str]) -> None:
        """Refuse settings that cannot be used.

        Raises:
            InputError: a setting cannot be used; one sentence says why.
        """
        asked = [precision for precision in precisions if precision in INT8]
        if (self.annotations is None) != (self.images is None):
            raise InputError(
                "annotations and their folder of pictures are needed together; give both, or neither"
            )
        if STATIC in asked and self.calibration is None:
            raise InputError(
                f"precision {STATIC!r} needs photos of people for its calibration; give a folder of them "
                f"(--calibration), or choose {WEIGHTS!r}, which needs none"
            )
        if asked and self.dev is None and not self.force:
            raise InputError(
                f"precision {asked[0]!r} can ruin a model, so its average precision must be measured; give "
                "COCO person keypoint annotations and their pictures (--annotations, --images), or write "
                "it unmeasured with --force"
            )
