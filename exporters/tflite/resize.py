"""Resize: TFLite's flags are chosen by comparing the pixels that they read with those of ONNX.

If no flags give the right nearest pixels, these are picked one by one with GATHER.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pose_onnx.exporters.tflite import _operators as op
from pose_onnx.exporters.tflite._errors import UnsupportedOperatorError
from pose_onnx.exporters.tflite._view import NHWC
from pose_onnx.exporters.tflite._windows import spatial
from pose_onnx.exporters.tflite.shape import concatenate, take

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pose_onnx.exporters.graph import Node
    from pose_onnx.exporters.tflite._builder import Builder
    from pose_onnx.exporters.tflite._operators import Operator

    Coordinates = NDArray[np.floating[Any]]

# Largest allowed difference of source coordinates, in pixels: far below what float32 resolves at these sizes.
_COORDINATE_TOLERANCE: Final = 1e-6


def _align_corners(places: Coordinates, size: int, count: int, scale: float) -> Coordinates:
    del scale
    return places * (size - 1) / (count - 1) if count > 1 else np.zeros_like(places)


def _asymmetric(places: Coordinates, size: int, count: int, scale: float) -> Coordinates:
    del size, count
    return places / scale


def _half_pixel(places: Coordinates, size: int, count: int, scale: float) -> Coordinates:
    del size, count
    return (places + 0.5) / scale - 0.5


def _pytorch_half_pixel(places: Coordinates, size: int, count: int, scale: float) -> Coordinates:
    return _half_pixel(places, size, count, scale) if count > 1 else np.zeros_like(places)


# The source coordinate of output pixel `place` in the ONNX standard, by coordinate_transformation_mode.
_TRANSFORMS: Final[Mapping[str, Callable[[Coordinates, int, int, float], Coordinates]]] = {
    "align_corners": _align_corners,
    "asymmetric": _asymmetric,
    "half_pixel": _half_pixel,
    "pytorch_half_pixel": _pytorch_half_pixel,
}
# How the ONNX standard rounds a source coordinate to a pixel, by nearest_mode.
_ROUNDINGS: Final[Mapping[str, Callable[[Coordinates], Coordinates]]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
# TFLite's flags (alignCorners, halfPixelCenters), and the operator version that each pair needs.
_BILINEAR: Final[Mapping[tuple[bool, bool], Operator]] = {
    (False, False): op.RESIZE_BILINEAR,
    (True, False): op.RESIZE_BILINEAR,
    (False, True): op.RESIZE_BILINEAR_HALF_PIXEL,
}
_NEAREST: Final[Mapping[tuple[bool, bool], Operator]] = {
    (False, False): op.RESIZE_NEAREST,
    (True, False): op.RESIZE_NEAREST_CENTRED,
    (False, True): op.RESIZE_NEAREST_CENTRED,
}


def lower_resize(node: Node, build: Builder) -> None:
    """Resize of height and width: copied pixels for nearest by whole factors, else TFLite's operators."""
    image, extent = build.image(node)
    target = build.extent(node)
    if extent.sizes[:2] != target.sizes[:2]:
        raise UnsupportedOperatorError(node, "it resizes another axis than height and width")
    if extent.free != target.free:
        raise UnsupportedOperatorError(node, "its sizes do not follow the batch; use scales")
    mode = node.attributes.get("mode", "nearest")
    if mode not in _LOWERINGS:
        raise UnsupportedOperatorError(node, f"its mode is {mode!r}, expected one of {sorted(_LOWERINGS)}")
    for name in ("antialias", "exclude_outside"):
        if node.attributes.get(name, 0):
            raise UnsupportedOperatorError(node, f"its {name} is set")
    sizes = list(zip(spatial(extent), spatial(target), _scales(node, build), strict=True))
    _LOWERINGS[mode](node, build, image, sizes)


_Sizes = list[tuple[int, int, float]]


def _scales(node: Node, build: Builder) -> list[float]:
    """Return the factors of height and width: as given, or computed from the sizes."""
    if node.input(2) and (scales := build.constant(node, 2)).size:
        return [float(scale) for scale in scales[-2:]]
    pairs = zip(spatial(build.extent(node)), spatial(build.extents[node.inputs[0]]), strict=True)
    return [count / size for count, size in pairs]


def _coordinates(node: Node, places: Coordinates, size: int, count: int, scale: float) -> Coordinates:
    mode = node.attributes.get("coordinate_transformation_mode", "half_pixel")
    if mode not in _TRANSFORMS:
        raise UnsupportedOperatorError(
            node, f"its coordinate_transformation_mode is {mode!r}, expected one of {sorted(_TRANSFORMS)}"
        )
    return _TRANSFORMS[mode](places, size, count, scale)


def _tflite_coordinates(flags: tuple[bool, bool], size: int, count: int) -> Coordinates:
    align_corners, half_pixel_centers = flags
    places = np.arange(count, dtype=np.float64)
    if align_corners and count > 1:
        return _align_corners(places, size, count, 0.0)
    return _half_pixel(places, size, count, count / size) if half_pixel_centers else places * (size / count)


def _lower_bilinear(node: Node, build: Builder, image: int, sizes: _Sizes) -> None:
    def agrees(flags: tuple[bool, bool]) -> bool:
        return all(
            np.allclose(
                _coordinates(node, np.arange(count, dtype=np.float64), size, count, scale).clip(0, size - 1),
                _tflite_coordinates(flags, size, count).clip(0, size - 1),
                rtol=0,
                atol=_COORDINATE_TOLERANCE,
            )
            for size, count, scale in sizes
        )

    _write(node, build, image, sizes, {flags: _BILINEAR[flags] for flags in _BILINEAR if agrees(flags)})


def _lower_nearest(node: Node, build: Builder, image: int, sizes: _Sizes) -> None:
    rounding = _ROUNDINGS[node.attributes.get("nearest_mode", "round_prefer_floor")]
    # In float32 as in ONNX Runtime: 2 / 0.6666667 is then 3, which is another pixel than 2.9999999.
    wanted = [
        rounding(_coordinates(node, np.arange(count, dtype=np.float32), size, count, scale)).clip(0, size - 1)
        for size, count, scale in sizes
    ]
    factors = [count // size for size, count, _ in sizes]
    if all(
        np.array_equal(pixels, np.repeat(np.arange(size), factor))
        for pixels, (size, _, _), factor in zip(wanted, sizes, factors, strict=True)
    ):
        _repeat(node, build, image, factors)
        return

    def agrees(flags: tuple[bool, bool]) -> bool:
        return all(
            np.array_equal(pixels, _tflite_nearest(flags, size, count))
            for pixels, (size, count, _) in zip(wanted, sizes, strict=True)
        )

    choices = {flags: _NEAREST[flags] for flags in _NEAREST if agrees(flags)}
    if choices:
        _write(node, build, image, sizes, choices)
    else:
        _pick(node, build, image, wanted)


def _tflite_nearest(flags: tuple[bool, bool], size: int, count: int) -> Coordinates:
    """Return the pixels that RESIZE_NEAREST_NEIGHBOR reads; it computes in float32."""
    align_corners, half_pixel_centers = flags
    places = np.arange(count, dtype=np.float32) + np.float32(0.5 if half_pixel_centers else 0.0)
    if align_corners and count > 1:
        pixels = np.floor(places * np.float32((size - 1) / (count - 1)) + np.float32(0.5))
    else:
        pixels = np.floor(places * np.float32(size / count))
    return np.asarray(pixels.clip(0, size - 1))


def _repeat(node: Node, build: Builder, image: int, factors: list[int]) -> None:
    """Repeat every pixel by concatenation: XNNPACK runs that, but not the resize.

    After concatenation along the channels, each pixel is followed by its copies; along the width, each line.
    """
    rows, columns = factors
    name = node.outputs[0]
    wide = concatenate(build, [image] * columns, NHWC.index(1), f"{name}/columns")
    tall = concatenate(build, [wide] * rows, NHWC.index(3), f"{name}/rows")
    build.define(node, build.reshape(tall, build.extent(node).permuted(NHWC), name), NHWC)


def _pick(node: Node, build: Builder, image: int, pixels: Sequence[Coordinates]) -> None:
    """Pick these lines and columns of the image."""
    for axis, chosen in zip((2, 3), pixels, strict=True):
        image = take(build, image, NHWC.index(axis), chosen, node.outputs[0])
    build.define(node, image, NHWC)


def _write(
    node: Node, build: Builder, image: int, sizes: _Sizes, choices: Mapping[tuple[bool, bool], Operator]
) -> None:
    if not choices:
        kept = ("mode", "coordinate_transformation_mode", "nearest_mode")
        stated = {name: node.attributes[name] for name in kept if name in node.attributes}
        steps = ", ".join(f"{size} to {count}" for size, count, _ in sizes)
        raise UnsupportedOperatorError(node, f"TFLite reads other pixels than {stated} when resizing {steps}")
    (align_corners, half_pixel_centers), operator = next(iter(choices.items()))
    counts = np.asarray([count for _, count, _ in sizes], np.int32)
    options: dict[str, Any] = {"alignCorners": align_corners, "halfPixelCenters": half_pixel_centers}
    build.produce(node, operator, [image, build.file.add_constant("size", counts)], NHWC, **options)


_LOWERINGS: Final[Mapping[str, Callable[[Node, Builder, int, _Sizes], None]]] = {
    "linear": _lower_bilinear,
    "nearest": _lower_nearest,
}
