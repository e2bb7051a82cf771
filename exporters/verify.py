"""Compares the outputs of Paddle, ONNX Runtime and TFLite for the same inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.input import InputSpec
from pose_onnx.cards.inputs import Input
from pose_onnx.cards.window import WindowSpec
from pose_onnx.core.arrays import F32, Image
from pose_onnx.core.opencv import cv2
from pose_onnx.errors import ExportError
from pose_onnx.exporters._memory import return_freed_memory
from pose_onnx.exporters.outputs import export_of
from pose_onnx.image_files import load_image
from pose_onnx.resizing import MULTIPLE, next_multiple
from pose_onnx.runtimes import backend_for, open_runtime

Key = TypeVar("Key")
Arrays = Mapping[str, NDArray[np.float32]]
Outputs = Mapping[str, Arrays]
"""Output arrays by name, for each named input."""
SEED: Final = 0
RANDOM_BATCH: Final = 2
"""More than one image, so that a batch is tried too."""
DEMO_PHOTO: Final = "astronaut.jpg"
"""The photo of a person that comes with the package."""

LAST_BIT: Final = 2.0**-23  # relative spacing of float32
ROUNDING: Final[Mapping[str, float]] = MappingProxyType({"fp32": 32, "fp16": 8 * 2.0**12})
"""A difference is also allowed if it is at most this many times the effect of the last bit of every input.

The network limits how exact an engine can be. On 60 photos ONNX Runtime and TFLite differ by up to 5.2e-3 px,
2.3e-5 in score and 1.0e-5 in heatmaps: typically 2 times the effect of flipping last bits of the input, at
worst 23 times where that effect is large enough to matter. Paddle, ONNX Runtime and TFLite are equally far
from the same network in float64. A float16 weight has 2^12 times the rounding of a float32 one; twice that
was measured with weights that float16 cannot represent exactly.
"""


DAMAGE: Final = "damage"
"""Name in the receipt of the one figure for all outputs of an int8 file; see `OutputExport.damage`."""
LARGEST_DAMAGE: Final = 0.5
"""Largest damage of int8 against float32 on the photo, even with --force.

Empty heatmaps have a damage of 1, and so have boxes that are off by their own size: such a file is broken,
not just inaccurate. Half of that is far above the damage of usable files (docs/precision.md).
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """The largest difference of one output between two steps.

    Attributes:
        stage: "what vs what".
        inputs: which inputs both were fed.
        output: name of the output.
        error: largest absolute difference.
        bar: largest allowed error; None if a difference of tensors says nothing about accuracy.
        rounding: error that is allowed anyway, because float32 cannot be more exact here; see ROUNDING.
    """

    stage: str
    inputs: str
    output: str
    error: float
    bar: float | None
    rounding: float = 0.0

    @property
    def passes(self) -> bool:
        """Whether the bar holds. NaN is never below it."""
        return self.error <= max(math.inf if self.bar is None else self.bar, self.rounding)


def make_inputs(card: ModelCard, photo: Path | None = None) -> dict[str, NDArray[np.float32]]:
    """Make the inputs that are given to every step.

    Args:
        card: gives size and normalisation.
        photo: a picture to use; `DEMO_PHOTO` if None.

    Returns:
        "random": two standard normal inputs, or one of half the width for a model that takes one picture of
            any size; and one realistic input, a "photo" or a window of "poses".
    """
    rng = np.random.default_rng(SEED)
    shape = (RANDOM_BATCH, *card.input_shape)
    if export_of(card).free:
        height, width = _whole_size(card)
        shape = (1, card.input_shape[0], height, next_multiple(width // 2, MULTIPLE))
    random = rng.standard_normal(shape).astype(np.float32)
    in_use = _IN_USE[type(card.input)]
    return {"random": random, in_use.name: in_use.make(card, photo)[None]}


def describe_inputs(card: ModelCard, photo: Path | None) -> dict[str, str]:
    """Say what each input of `make_inputs` is, for a receipt."""
    in_use = _IN_USE[type(card.input)]
    random = f"numpy.random.default_rng({SEED}).standard_normal"
    return {"random": random, in_use.name: in_use.describe(photo)}


def _photo(card: ModelCard, photo: Path | None) -> F32:
    """Return (3, H, W): normalised pixels."""
    height, width = _whole_size(card)
    pixels = cv2.resize(comparison_photo(photo), (width, height), interpolation=cv2.INTER_AREA)
    tensor = np.empty((card.input_shape[0], height, width), np.float32)
    card.picture.normalize(pixels, out=tensor)
    return tensor


def _whole_size(card: ModelCard) -> tuple[int, int]:
    """Return the size of an input that a picture fills."""
    if not export_of(card).free:
        return card.picture.size
    height, width = (next_multiple(side, MULTIPLE) for side in card.picture.size)
    return height, width


def _poses(card: ModelCard, photo: Path | None) -> F32:
    """Return (2, T, K, 1): joints that move randomly in the box, a step per frame, for 2/3 of the frames."""
    del photo
    spec = cast("WindowSpec", card.input)
    rng = np.random.default_rng(SEED)
    steps = rng.normal(0, 1 / spec.frames, card.input_shape)
    steps[:, 0] = rng.uniform(0, 1, steps[:, 0].shape)
    places = np.cumsum(steps, axis=1) * np.reshape(spec.box, (-1, 1, 1, 1))
    places[:, 2 * spec.frames // 3 :] = 0  # as a shorter window is filled up
    tensor: F32 = places.astype(np.float32)
    return tensor


class _InUse(NamedTuple):
    """A realistic input: its name, the function that makes it, and the one that describes it."""

    name: str
    make: Callable[[ModelCard, Path | None], F32]
    describe: Callable[[Path | None], str]


_IN_USE: Final[Mapping[type[Input], _InUse]] = MappingProxyType(
    {
        InputSpec: _InUse("photo", _photo, lambda photo: photo.name if photo else DEMO_PHOTO),
        WindowSpec: _InUse("poses", _poses, lambda _photo: "joints that move randomly in their box"),
    }
)


def comparison_photo(photo: Path | None) -> Image:
    """Load the picture to compare on, `DEMO_PHOTO` if None: (H, W, 3) uint8, BGR."""
    with as_file(files("pose_onnx.models") / "photos" / DEMO_PHOTO) as demo:
        return load_image(demo if photo is None else photo)


def run_file(path: Path, inputs: Mapping[Key, NDArray[np.float32]]) -> dict[Key, Arrays]:
    """Run a model file, on the runtime that its suffix belongs to, on every input.

    The outputs are copies: an array of ONNX Runtime keeps all memory of its session.
    """
    runtime = open_runtime(path, backend_for(path))
    return_freed_memory()  # of the copies that an engine makes of weights while it opens a file
    try:
        (spec,) = runtime.inputs
        return {
            name: {output: array.copy() for output, array in runtime.run({spec.name: batch}).items()}
            for name, batch in inputs.items()
        }
    finally:
        runtime.close()
        return_freed_memory()


def run_with_rounding(path: Path, inputs: Arrays, card: ModelCard) -> tuple[Outputs, Outputs]:
    """Run a model file on every input, and measure the effect of the last bit of every input value.

    Args:
        path: the file.
        inputs: (N, ...) by name.
        card: its kind of output says which rows belong together.

    Returns:
        The outputs, and how much they change.
    """
    rng = np.random.default_rng(SEED)
    nudged = {(name, "nudged"): _nudged(array, rng) for name, array in inputs.items()}
    found = run_file(path, {(name, "given"): array for name, array in inputs.items()} | nudged)
    reference = {name: found[name, "given"] for name in inputs}
    return reference, {
        name: _differences(outputs, found[name, "nudged"], card) for name, outputs in reference.items()
    }


def _differences(expected: Arrays, found: Arrays, card: ModelCard) -> Arrays:
    these, others = export_of(card).match(expected, found)
    return {name: np.abs(array - others[name]) for name, array in these.items()}


def _nudged(array: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    signs = rng.choice(np.array([-1, 1], np.float32), array.shape)
    nudged: NDArray[np.float32] = array + array * signs * np.float32(LAST_BIT)
    return nudged


def compare(
    stage: str,
    reference: Outputs,
    other: Outputs,
    *,
    card: ModelCard,
    precision: str,
    rounding: Outputs,
) -> list[Measured]:
    """Measure every output of every input.

    Args:
        stage: what is compared, for the receipt.
        reference: output arrays by name, by input.
        other: the arrays to compare with it, in the same form.
        card: its kind of output defines the bars.
        precision: selects the bars that apply.
        rounding: see `run_with_rounding`.

    Raises:
        ExportError: the outputs have other names or shapes.
    """
    kind = export_of(card)
    bars = kind.bars.get(precision, {})
    measured = []
    for inputs, outputs in reference.items():
        expected, found = kind.match(outputs, other[inputs])
        if expected.keys() != found.keys():
            raise ExportError(f"{stage}: outputs {sorted(found)} instead of {sorted(expected)}")
        for name, array in expected.items():
            if array.shape != found[name].shape:
                raise ExportError(f"{stage}: {name!r} is {found[name].shape} instead of {array.shape}")
            error = float(np.abs(array - found[name]).max())
            allowed = ROUNDING.get(precision, 0) * float(rounding[inputs][name].max())
            bar = bars.get(name)
            measured.append(Measured(stage, inputs, name, error, bar, allowed))
    return measured


def measure_damage(stage: str, reference: Outputs, other: Outputs, card: ModelCard) -> Measured:
    """Measure how much worse an int8 file is on a realistic input, as one figure that has a bar.

    Args:
        stage: what is compared, for the receipt.
        reference: outputs of the float32 file, by input.
        other: outputs of the int8 file, by input.
        card: its kind of output defines damage.
    """
    in_use = _IN_USE[type(card.input)].name
    damage = export_of(card).damage(reference[in_use], other[in_use])
    return Measured(stage, in_use, DAMAGE, damage, LARGEST_DAMAGE)


def demand(measured: Sequence[Measured]) -> None:
    """Check every measurement against its bar.

    Raises:
        ExportError: some exceed their bars; the message lists them.
    """
    failed = [
        f"{m.stage}: {m.output} of the {m.inputs} input differ by {m.error:.3g} "
        f"(bar {'none' if m.bar is None else format(m.bar, 'g')}, rounding explains {m.rounding:.2g})"
        for m in measured
        if not m.passes
    ]
    if failed:
        raise ExportError(
            f"the exported model is not accurate enough, and nothing was written: {'; '.join(failed)}"
        )
