"""Read `infer_cfg.yml`, which PaddleDetection writes beside an exported program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.input import InputSpec
from pose_onnx.cards.inputs import Input
from pose_onnx.errors import ModelFileError

FILE_NAME: Final = "infer_cfg.yml"
PIXEL_MAX: Final = 255.0
Triple: TypeAlias = tuple[float, float, float]
"""One number for each colour channel."""

TASKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "HRNet": "keypoints",
        "GFL": "detect",
        "PicoDet": "detect",
        "YOLO": "detect",
        "PPYOLOE": "detect",
        "STGCN": "actions",
    }
)
"""What the `arch` of a config means (PaddleDetection, ppdet/engine/export_utils.py)."""


@dataclass(frozen=True, slots=True)
class InferConfig:
    """The part of a config that matters here.

    Attributes:
        arch: PaddleDetection's word for the kind of model.
        input_size: (H, W) of the network's input, or (T,) of a window, if the config says so.
        mean: subtracted from pixels of 0 to 1; None if the config has no normalisation at all.
        std: divided by after that.
        labels: how many classes the config names. 80 may stand beside a detector of one class.
    """

    arch: str
    input_size: tuple[int, ...] | None
    mean: Triple | None
    std: Triple | None
    labels: int

    @property
    def task(self) -> str | None:
        """What the model does, if the architecture is known."""
        return TASKS.get(self.arch)

    def is_like(self, card: ModelCard) -> bool:
        """Whether nothing in the config speaks against this model."""
        one_class = self.task == "detect" and self.labels == 1
        return (
            card.task == self.task
            and self._size_of(card.input) == self.input_size
            and not (one_class and len(card.classes) > 1)
        )

    @staticmethod
    def _size_of(spec: Input) -> tuple[int, ...]:
        return spec.size if isinstance(spec, InputSpec) else (spec.frames,)

    def adapt(self, card: ModelCard) -> ModelCard:
        """Return the card with this config's normalisation.

        A config without one is of a graph that normalises by itself and wants pixels of 0 to 255.
        """
        if not isinstance(card.input, InputSpec):
            return card
        if self.mean is None or self.std is None:
            return replace(card, input=replace(card.picture, mean=(0.0, 0.0, 0.0), std=(1 / PIXEL_MAX,) * 3))
        return replace(card, input=replace(card.picture, mean=self.mean, std=self.std))


def read_infer_cfg(folder: Path) -> InferConfig | None:
    """Read the config of a Paddle inference folder; None if it has none.

    Raises:
        ModelFileError: it cannot be read, or has not the form of such a config.
    """
    import yaml  # noqa: PLC0415  # of the extra "export", needed for this one file only

    path = folder / FILE_NAME
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelFileError(
            f"{str(path)!r} cannot be read as YAML ({error}); export the model again"
        ) from error
    try:
        steps = {step["type"]: step for step in data.get("Preprocess", [])}
        mean, std = _normalisation(steps.get("NormalizeImage"))
        labels = len(data.get("label_list", ()))
        return InferConfig(str(data.get("arch", "")), _input_size(steps), mean, std, labels)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{str(path)!r} has not the form that PaddleDetection writes ({type(error).__name__}: {error}); "
            "export the model again, or remove the file and name the model"
        ) from error


def _input_size(steps: Mapping[str, Any]) -> tuple[int, ...] | None:
    if "Resize" in steps:
        height, width = map(int, steps["Resize"]["target_size"])
        return height, width
    if "TopDownEvalAffine" in steps:
        width, height = map(int, steps["TopDownEvalAffine"]["trainsize"])
        return height, width
    if "AutoPadding" in steps:
        return (int(steps["AutoPadding"]["window_size"]),)
    return None


def _normalisation(
    step: Mapping[str, Any] | None,
) -> tuple[Triple | None, Triple | None]:
    if step is None:
        return None, None
    scale = 1.0 if step.get("is_scale", True) else PIXEL_MAX
    if step.get("norm_type", "mean_std") == "none":
        return _triple((0, 0, 0), scale), _triple((1, 1, 1), scale)
    return _triple(step["mean"], scale), _triple(step["std"], scale)


def _triple(values: Any, scale: float) -> Triple:
    red, green, blue = (float(value) / scale for value in values)
    return red, green, blue
