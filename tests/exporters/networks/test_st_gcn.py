"""ST-GCN as PP-Human has it: the checkpoint's way and the folder's way give the reference's logits."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_onnx import ActionModel, ModelCard, ModelFileError, load_card
from pose_onnx.core.windows import Window
from pose_onnx.errors import ExportError, InputError
from pose_onnx.exporters import export
from pose_onnx.exporters.networks._links import adjacency
from pose_onnx.exporters.templates import find_template
from pose_onnx.outputs.action_logits import ActionLogitsOutput
from pose_onnx.runtimes import backend_for, open_runtime

CARD = load_card("stgcn_pphuman")
NEAR = 2e-4
"""Of the largest logit: float32 against float64 differs by 3e-5 in networks filled like this
(../shared/docs/centernet-and-stgcn.md, section 5); a tenth more in one tensor makes 4.8e-4."""

Arrays = dict[str, NDArray[np.float32]]


def fill(names_and_shapes: list[tuple[str, tuple[int, ...]]], adjacency: NDArray[np.float64]) -> Arrays:
    """Fill a state dict by the rule of the shared document, section 5."""
    pool = np.random.default_rng(7).standard_normal(4099).astype(np.float32)
    state = {"backbone.A": adjacency.astype(np.float32)}
    for index, (name, shape) in enumerate(names_and_shapes):
        base = np.resize(np.roll(pool, 37 * index), int(np.prod(shape))).reshape(shape).astype(np.float64)
        kinds = {
            "_variance": 1 + 0.1 * abs(base),
            "_mean": 0.05 * base,
            "edge_importance": 1 + 0.1 * base,
            "" if len(shape) > 1 else "no": base * np.sqrt(2 / np.prod(shape[1:])),
            ".weight": 1 + 0.1 * base,
            ".bias": 0.05 * base,
        }
        kind = next(kind for kind in kinds if kind in name)
        state.setdefault(name, kinds[kind].astype(np.float32))
    return state


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, NDArray[np.float64]]:
    with np.load(shared / "golden" / "stgcn.npz") as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def state(golden: dict[str, NDArray[np.float64]]) -> Arrays:
    described = json.loads(str(golden["state_json"]))
    filled = fill([(name, tuple(shape)) for name, shape, _ in described], golden["adjacency"])
    sums = [array.astype(np.float64).sum() for array in filled.values()]
    np.testing.assert_allclose(sums, golden["fill_sums"], atol=1e-9)
    return filled


@pytest.fixture(scope="module")
def files(state: Arrays, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """The checkpoint, exported without Paddle."""
    folder = tmp_path_factory.mktemp("st_gcn")
    np.savez(folder / "stgcn_pphuman.npz", **state)  # type: ignore[arg-type]  # keywords are arrays here
    return export(folder / "stgcn_pphuman.npz", out=folder).files


def logits(file: Path, window: NDArray[np.float64]) -> NDArray[np.float32]:
    runtime = open_runtime(file, backend_for(file), threads=1)
    try:
        return runtime.run({"window": window.astype(np.float32)})["logits"]
    finally:
        runtime.close()


@pytest.mark.parametrize("index", [0, 1])
def test_the_checkpoints_way(
    files: tuple[Path, ...], golden: dict[str, NDArray[np.float64]], index: int
) -> None:
    file = files[index]
    pairs = [
        ("input", "logits"),
        *((f"win_{name}_tensor", f"logits_win_{name}") for name in ("full", "trim")),
    ]
    for given, expected in pairs:
        found = logits(file, golden[given])
        np.testing.assert_allclose(found, golden[expected], atol=NEAR * abs(golden[expected]).max())
    # The reference takes the mean over persons before its last layer, which is linear.
    pair = golden["input_batch3_person2"]
    mean = (logits(file, pair[..., :1]) + logits(file, pair[..., 1:])) / 2
    np.testing.assert_allclose(mean, golden["logits_batch3_person2"], atol=NEAR)


def test_the_folders_way(shared: Path, tmp_path: Path, golden: dict[str, NDArray[np.float64]]) -> None:
    """An inference folder as PaddleVideo saves it; a folder that does not name its kind is never guessed."""
    pytest.importorskip("paddle", reason="extra 'export', Python 3.10 to 3.12", exc_type=ImportError)
    with tarfile.open(shared / "golden" / "stgcn.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    (file,) = export(tmp_path / "stgcn", model="stgcn_pphuman", out=tmp_path, to=("onnx",)).files
    assert file.name == "stgcn_pphuman.onnx"
    found = logits(file, golden["input"])
    np.testing.assert_allclose(found, golden["logits"], atol=NEAR * abs(golden["logits"]).max())


def test_actions_of_ones_own_need_no_paddle(tmp_path: Path) -> None:
    """Another number of classes takes the same template, in both formats."""
    card = replace(CARD.without_claims("own", "made by the tests"), classes=("stand", "walk", "wave"))
    template = find_template(card)
    assert template is not None
    weights = fill([*template.shapes(card).items()], adjacency().astype(np.float64))
    assert weights["head.fcn.weight"].shape == (3, 256, 1, 1)
    np.savez(tmp_path / "own.npz", **weights)  # type: ignore[arg-type]  # keywords are arrays here
    files = export(tmp_path / "own.npz", card=card, out=tmp_path).files
    assert [file.suffix for file in files] == [".onnx", ".tflite"]
    window = np.random.default_rng(1).standard_normal((2, *card.input_shape))
    one, other = (logits(file, window) for file in files)
    assert one.shape == (2, 3)
    np.testing.assert_allclose(one, other, atol=NEAR)
    wrong = {**weights, "head.fcn.bias": np.zeros(2, np.float32)}
    np.savez(tmp_path / "wrong.npz", **wrong)  # type: ignore[arg-type]  # likewise
    with pytest.raises(ModelFileError, match=r"head\.fcn\.bias"):
        export(tmp_path / "wrong.npz", card=card, out=tmp_path)


def test_actions_of_ones_own_are_those_that_paddle_makes(tmp_path: Path) -> None:
    pytest.importorskip("paddle", reason="extra 'export', Python 3.10 to 3.12", exc_type=ImportError)
    card = replace(CARD.without_claims("own", "made by the tests"), classes=("stand", "walk", "wave"))
    template = find_template(card)
    assert template is not None
    weights = fill([*template.shapes(card).items()], adjacency().astype(np.float64))
    np.savez(tmp_path / "own.npz", **weights)  # type: ignore[arg-type]  # keywords are arrays here
    ways: tuple[Literal["template", "paddle"], ...] = ("template", "paddle")
    one, other = (
        export(tmp_path / "own.npz", card=card, out=tmp_path / way, to=("onnx",), via=way).files[0]
        for way in ways
    )
    assert one.read_bytes() == other.read_bytes()


def test_the_adjacency(golden: dict[str, NDArray[np.float64]]) -> None:
    np.testing.assert_allclose(adjacency(), golden["adjacency"], atol=1e-7)


def test_the_action_model(files: tuple[Path, ...], golden: dict[str, NDArray[np.float64]]) -> None:
    names = ("full", "short", "trim")
    windows = [
        Window(
            golden[f"win_{name}_keypoints"].astype(np.float32), golden[f"win_{name}_boxes"].astype(np.float32)
        )
        for name in names
    ]
    with ActionModel(files[0], threads=1) as model:
        alone = [model(window) for window in windows]
        together = model.find_all(windows)
        assert model.find_all([]) == []
        for one, other, name in zip(alone, together, names, strict=True):
            expected = golden[f"logits_win_{name}"][0]
            powers = np.exp(expected - expected.max())
            assert one.label == CARD.classes[int(expected.argmax())] == other.label
            assert one.probability == one.probabilities.max()
            np.testing.assert_allclose(one.probabilities, powers / powers.sum(), atol=1e-5)
            np.testing.assert_allclose(other.probabilities, one.probabilities, atol=1e-5)
        few = Window(windows[0].keypoints[:, :5], windows[0].boxes)
        with pytest.raises(InputError, match=r"keypoints of shape \(50, 5, 2\).*give \(T, 17, 2\)"):
            model(few)
        holes = Window(np.full_like(windows[0].keypoints, np.nan), windows[0].boxes)
        with pytest.raises(InputError, match="not finite"):
            model(holes)


def test_probabilities_of_large_logits_are_finite() -> None:
    found = ActionLogitsOutput().read({"logits": np.array([[1e4, -1e4], [0, 0]], np.float32)})
    np.testing.assert_array_equal(found, [[1, 0], [0.5, 0.5]])


def test_the_card_tells_its_input() -> None:
    assert CARD.input_shape == (2, 50, 17, 1)
    assert CARD.task == "actions"
    assert ModelCard.from_json(CARD.to_json()) == CARD


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"end_to_end": True}, (InputError, ExportError), "made into an end-to-end file"),
        ({"model": "tinypose_128x96"}, ModelFileError, "does not fit the network"),
    ],
)
def test_what_cannot_be(
    state: Arrays, tmp_path: Path, options: dict[str, object], error: type[Exception], words: str
) -> None:
    np.savez(tmp_path / "stgcn_pphuman.npz", **state)  # type: ignore[arg-type]  # keywords are arrays here
    with pytest.raises(error, match=words):
        export(tmp_path / "stgcn_pphuman.npz", out=tmp_path / "out", to=("onnx",), **options)  # type: ignore[arg-type]
    assert not list((tmp_path / "out").glob("*"))
