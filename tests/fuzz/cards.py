"""Cards whose values are strange, alone and inside of model files that they do not fit.

`python -m tests.fuzz.cards [--kind text|onnx|tflite] [--count N] [--first SEED]` tries many.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from onnx import TensorProto

from pose_onnx import (
    BoxOutput,
    Detector,
    HeatmapOutput,
    InputSpec,
    KeypointModel,
    ModelCard,
    PoseOnnxError,
    load_card,
)
from pose_onnx.cards.card import CARD_KEY
from pose_onnx.exporters.graph import Graph, Node, Shape, TensorInfo
from pose_onnx.exporters.tflite import convert
from tests.fuzz.child import Verdict, run_cases

LONGEST: Final = 600
"""Characters of a refusal, at most: whatever the card holds, its error is a sentence."""
STRANGE: Final[tuple[Any, ...]] = (
    None, True, -1, 0, 1e400, math.nan, 10**30, "", "x" * 1000, [], [[[]]], {}, {"kind": {}}, [1, 2],
)  # fmt: skip
"""Values of any type in any place."""
NUMBERS: Final = (-1, 0, 1, 2, 3, 5, 7, 8, 16, 17, 31, 33, 255, 10**6 + 1, 2**31, 2**62 + 1, 10**30)
FLOATS: Final = (-1.0, 0.0, 1e-320, 1e-40, 1e-6, 0.5, 1.0, 2.0, 255.0, 1e6, 1e38, 1e39, 1e300)
TEXTS: Final = (
    "", "x", "nonsense", "stretch", "affine_crop", "heatmaps", "boxes", "box_distributions", "scores",
    "image", "rgb", "bgr", "person", "\0", "\n", "x" * 1000,
)  # fmt: skip
SIDES: Final = (64, 48)
JOINTS: Final = ("nose", "left_eye", "right_eye", "neck")
STRIDE: Final = 8


def damaged_text(seed: int) -> bytes:
    """A card with one to three values of any type."""
    chance = random.Random(seed)  # noqa: S311 (no secret)
    name = chance.choice(("tinypose_128x96", "picodet_s_320_coco"))
    card = json.loads(load_card(name).to_json())
    for _ in range(chance.randint(1, 3)):
        target = card
        while isinstance(target, dict) and target:
            key = chance.choice(sorted(target))
            if isinstance(target[key], dict) and chance.random() < 0.7:
                target = target[key]
                continue
            target[key] = chance.choice(STRANGE)
            break
    return json.dumps(card).encode()


def read_text(case: bytes) -> None:
    """Read a card, write it, and read it again."""
    with _Refusals():
        card = ModelCard.from_json(case)
        assert ModelCard.from_json(card.to_json()) == card


class _Refusals:
    """Fails where a refusal is not one sentence."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        if isinstance(error, PoseOnnxError):
            assert "\n" not in str(error), error
            assert len(str(error)) < LONGEST, error


def unfit_file(make: Callable[[Graph, dict[str, Any]], bytes], seed: int) -> bytes:
    """A model file whose card is right but for one to three values that could be right elsewhere."""
    chance = random.Random(seed)  # noqa: S311 (no secret)
    graph, card = chance.choice(NETWORKS)()
    data = json.loads(card.to_json())
    for _ in range(chance.choice((1, 1, 2, 3))):
        chance.choice((_change_value, _change_value, _change_length))(data, chance)
    return make(graph, data)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Give every place below a value: the list or object that it is in, and its index or key."""
    for key in list(range(len(value))) if isinstance(value, list) else list(value):
        yield value, key
        if isinstance(value[key], list | dict):
            yield from _places(value[key])


def _change_value(card: dict[str, Any], chance: random.Random) -> None:
    """Give a number or a text of the card another value of its type."""
    kinds = MappingProxyType({int: NUMBERS, float: FLOATS, str: TEXTS})
    holder, key = chance.choice([place for place in _places(card) if type(place[0][place[1]]) in kinds])
    holder[key] = chance.choice(kinds[type(holder[key])])


def _change_length(card: dict[str, Any], chance: random.Random) -> None:
    """Cut a list of the card, or add to it one of its own items."""
    lists = [place for place in _places(card) if isinstance(place[0][place[1]], list)]
    holder, key = chance.choice(lists)
    items = holder[key]
    if items and chance.random() < 0.5:
        del items[chance.randrange(len(items))]
    elif items:
        items.insert(chance.randrange(len(items) + 1), json.loads(json.dumps(chance.choice(items))))
    else:
        items += chance.choice(([0.1] * len(JOINTS), [[0, 1]], [0], ["x"]))


def _pose_network() -> tuple[Graph, ModelCard]:
    """One convolution with heatmaps as its output."""
    card = ModelCard(
        "network", "none", InputSpec(SIDES, "affine_crop"), HeatmapOutput(stride=STRIDE), keypoints=JOINTS,
        flip_pairs=((1, 2),), skeleton=((0, 1), (0, 2), (0, 3)), oks_sigmas=(0.1, 0.2, 0.3, 0.4),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    filters = rng.standard_normal((len(JOINTS), 3, STRIDE, STRIDE)).astype(np.float32)
    nodes = [Node("Conv", ["image", "filters"], ["heatmaps"], {"strides": [STRIDE, STRIDE]})]
    height, width = (side // STRIDE for side in SIDES)
    shape: Shape = ("N", len(JOINTS), height, width)
    return Graph(
        nodes, {"filters": filters}, _input(), [TensorInfo("heatmaps", TensorProto.FLOAT, shape)]
    ), card


def _box_network() -> tuple[Graph, ModelCard]:
    """Two convolutions with boxes and scores of two classes as its outputs."""
    card = ModelCard(
        "network", "none", InputSpec(SIDES, "stretch"), BoxOutput(), classes=("person", "dog")
    )  # fmt: skip
    cells = SIDES[0] * SIDES[1] // STRIDE**2
    rng = np.random.default_rng(0)
    nodes, outputs, constants = [], [], {}
    for name, width in (("boxes", 4), ("scores", 2)):
        constants[f"{name}.filters"] = rng.random((width, 3, STRIDE, STRIDE)).astype(np.float32) / 192
        constants[f"{name}.shape"] = np.array([-1, cells, width])
        nodes += [
            Node("Conv", ["image", f"{name}.filters"], [f"{name}.maps"], {"strides": [STRIDE, STRIDE]}),
            Node("Transpose", [f"{name}.maps"], [f"{name}.last"], {"perm": [0, 2, 3, 1]}),
            Node("Reshape", [f"{name}.last", f"{name}.shape"], [name]),
        ]
        outputs.append(TensorInfo(name, TensorProto.FLOAT, ("N", cells, width)))
    return Graph(nodes, constants, _input(), outputs), card

    return HeatmapOutput(stride=STRIDE)


def _input() -> list[TensorInfo]:
    return [TensorInfo("image", TensorProto.FLOAT, ("N", 3, *SIDES))]


NETWORKS: Final = (_pose_network, _box_network)


def _onnx_file(graph: Graph, card: dict[str, Any]) -> bytes:
    model = graph.to_model()
    model.metadata_props.add(key=CARD_KEY, value=json.dumps(card))
    return bytes(model.SerializeToString())


def _tflite_file(graph: Graph, card: dict[str, Any]) -> bytes:
    return convert(graph.to_model(), metadata={CARD_KEY: json.dumps(card).encode()})


def read_onnx(case: bytes) -> None:
    """Load a model by its file, and run it."""
    _use(case, ".onnx", "ort")


def read_tflite(case: bytes) -> None:
    """Likewise."""
    _use(case, ".tflite", "tflite")


def _use(case: bytes, suffix: str, backend: str) -> None:
    """Load a file for both tasks; what loads must run on a picture."""
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    refusals = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        path.write_bytes(case)
        for kind in (Detector, KeypointModel):
            try:
                with _Refusals():
                    model: Any = kind(path, backend=backend, threads=1)
            except PoseOnnxError as error:
                refusals.append(error)
                continue
            with model:
                try:
                    _run(model, picture)
                except PoseOnnxError as error:  # it was believed when it was loaded
                    raise AssertionError(f"a model that was loaded does not run: {error}") from error
    if len(refusals) > 1:
        raise refusals[0]


def _run(model: Any, picture: np.ndarray) -> None:
    if isinstance(model, Detector):
        found = model(picture)
        assert np.isfinite(found.boxes).all()
        return
    poses = model(picture, [[10, 10, 60, 80], [0, 0, 120, 90]])
    assert poses.keypoints.shape == (2, len(model.names), 2)
    assert np.isfinite(poses.keypoints).all()
    mirrored = KeypointModel(model.runtime, card=model.card, threads=1, flip=True)
    assert np.isfinite(mirrored(picture, [[10, 10, 60, 80]]).keypoints).all()


KINDS: Final[dict[str, Callable[[int], bytes]]] = {
    "text": damaged_text,
    "onnx": functools.partial(unfit_file, _onnx_file),
    "tflite": functools.partial(unfit_file, _tflite_file),
}


def failures(kind: str, seeds: Iterable[int]) -> Iterator[tuple[int, Verdict]]:
    """Yield each seed with what became of its card."""
    seeds = list(seeds)
    yield from zip(seeds, run_cases(f"tests.fuzz.cards:read_{kind}", map(KINDS[kind], seeds)), strict=True)


def main() -> int:
    """Try many seeds; print what fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--count", type=int, default=5_000)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    failed = 0
    for kind in given.kind or KINDS:
        wrong = refused = 0
        for seed, verdict in failures(kind, range(given.first, given.first + given.count)):
            refused += bool(verdict.refusal)
            if verdict.failure:
                wrong += 1
                print(f"{kind} seed {seed}: {verdict.failure}", flush=True)  # noqa: T201
        print(f"{given.count} {kind}, {refused} refused, {wrong} failed", flush=True)  # noqa: T201
        failed += wrong
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
