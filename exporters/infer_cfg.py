"""Reads `infer_cfg.yml`, which PaddleDetection writes beside an exported program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.input import InputSpec
from pose_onnx.errors import ModelFileError
from pose_onnx.resizing import MULTIPLE

FILE_NAME: Final = "infer_cfg.yml"
PIXEL_MAX: Final = 255.0
INTER_CUBIC: Final = 2  # OpenCV's number, which the file contains
Triple: TypeAlias = tuple[float, float, float]
"""One number for each colour channel."""


@dataclass(frozen=True, slots=True)
class InferConfig:
    """The part of a config that is used here.

    Attributes:
        metric: PaddleDetection's name for how the model is evaluated; empty if the config does not say.
        input_size: (H, W) of the network's input, if the config gives it.
        resize: how pictures are resized to that size, as in `InputSpec.resize`; empty if it is not known.
        color: order of the network's colour channels.
        strange: steps before the network that this package does not know, in a few words each.
        mean: subtracted from pixels in 0 to 1; None if the config has no normalisation.
        std: divisor after subtracting the mean.
        labels: names of the classes. A detector of one class may still list 80.
        strides: input pixels per cell of each level of a detector's head; empty if the config does not say.
        nms: options of the suppression for a program without one: nms_threshold, keep_top_k.
        dark: whether keypoints are refined by DARK, as is PaddleDetection's default.
    """

    metric: str
    input_size: tuple[int, int] | None
    resize: str
    color: Literal["rgb", "bgr"]
    strange: tuple[str, ...]
    mean: Triple | None
    std: Triple | None
    labels: tuple[str, ...]
    strides: tuple[int, ...]
    nms: Mapping[str, float]
    dark: bool

    def adapt(self, card: ModelCard) -> ModelCard:
        """Return the card with this config's normalisation.

        If the config has none, the graph normalises pixels itself and takes values in 0 to 255.
        """
        if not isinstance(card.input, InputSpec):
            return card
        mean, std = self.normalisation
        return replace(card, input=replace(card.picture, mean=mean, std=std))

    @property
    def normalisation(self) -> tuple[Triple, Triple]:
        """Mean and standard deviation of pixels in 0 to 1."""
        if self.mean is None or self.std is None:
            return (0.0, 0.0, 0.0), (1 / PIXEL_MAX,) * 3
        return self.mean, self.std


def read_infer_cfg(folder: Path) -> InferConfig | None:
    """Read the config of a Paddle inference folder; None if it has none.

    Raises:
        ModelFileError: it cannot be read, or does not have the form of such a config.
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
        return _config(data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{str(path)!r} does not have the form that PaddleDetection writes ({type(error).__name__}: "
            f"{error}); export the model again, or remove the file and name the model"
        ) from error


def _config(data: Mapping[str, Any]) -> InferConfig:
    steps = {step["type"]: step for step in data.get("Preprocess") or ()}
    mean, std = _normalisation(steps.get("NormalizeImage"))
    ways = {_SIZING[kind][0](step) for kind, step in steps.items() if kind in _SIZING}
    resize = ways.pop() if len(ways) == 1 else ""
    size = _input_size(steps)
    nms = data.get("NMS") or {}
    return InferConfig(
        metric=str(data.get("metric", "")),
        input_size=size,
        resize=resize,
        # Pictures are RGB until this step (PaddleDetection, deploy/python/preprocess.py).
        color="bgr" if "WarpAffine" in steps else "rgb",
        strange=tuple(words for kind, step in steps.items() if (words := _strange(kind, step, resize))),
        mean=mean,
        std=std,
        labels=tuple(map(str, data.get("label_list") or ())),
        strides=tuple(map(int, data.get("fpn_stride") or ())),
        nms={key: float(nms[key]) for key in ("nms_threshold", "keep_top_k") if key in nms},
        dark=bool(data.get("use_dark", True)),
    )


def _resize_way(step: Mapping[str, Any]) -> str:
    # Defaults, here and below: deploy/python/preprocess.py of PaddleDetection, keep_ratio=True and interp=1.
    return "pad" if step.get("keep_ratio", True) else "stretch"


def _is_cubic(step: Mapping[str, Any]) -> bool:
    return bool(step.get("interp", 1) == INTER_CUBIC)


_Step = Mapping[str, Any]
_SIZING: Final[Mapping[str, tuple[Callable[[_Step], str], Callable[[_Step], bool]]]] = MappingProxyType(
    {
        "Resize": (_resize_way, _is_cubic),
        "TopDownEvalAffine": (lambda _: "affine_crop", lambda step: not step.get("use_udp", False)),
        "WarpAffine": (lambda step: "fit" if step.get("keep_res", False) else "fix", lambda _: True),
    }
)
"""Steps that bring a picture to the input's size: our name, and whether the options are supported."""
_OTHER_STEPS: Final = ("NormalizeImage", "Permute")
_PAD_STRIDE: Final = "PadStride"
"""Known where pictures keep their ratio."""


def _strange(kind: str, step: Mapping[str, Any], resize: str) -> str:
    """Describe an unsupported step; return an empty string if it is supported."""
    if kind in _OTHER_STEPS or (kind in _SIZING and _SIZING[kind][1](step)):
        return ""
    if kind == _PAD_STRIDE and resize == "pad" and int(step["stride"]) == MULTIPLE:
        return ""
    options = {key: value for key, value in step.items() if key != "type"}
    return f"{kind} {options}"


def _input_size(steps: Mapping[str, Any]) -> tuple[int, int] | None:
    if "Resize" in steps:
        height, width = map(int, steps["Resize"]["target_size"])
        return height, width
    if "WarpAffine" in steps:
        return int(steps["WarpAffine"]["input_h"]), int(steps["WarpAffine"]["input_w"])
    if "TopDownEvalAffine" in steps:
        width, height = map(int, steps["TopDownEvalAffine"]["trainsize"])
        return height, width
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
