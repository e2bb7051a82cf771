"""Golden vectors (`pose-onnx export --golden`), checked by other code than made them.

That is: the graphs of the end-to-end files, stage by stage, and the Node example.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from pose_onnx import Detector, InputError, ModelFileError, load_card, load_image
from pose_onnx.cli import main
from pose_onnx.core.arrays import Image
from pose_onnx.exporters import export, lay_out
from pose_onnx.exporters.end_to_end import _boxes
from pose_onnx.exporters.end_to_end._assemble import IMAGE
from pose_onnx.exporters.end_to_end._network import PRESET
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.golden import INDEX
from pose_onnx.exporters.graph import TensorInfo
from pose_onnx.pairs import DEFAULT_DETECTOR, DEFAULT_POSE
from tests.end_to_end.conftest import MODELS, PHOTOS, Arrays, Files, part, run
from tests.end_to_end.test_parts import BOXES, HEATMAPS, cut_out, decode, normalize, resize

SURE = 0.2
Index = dict[str, Any]
PEOPLE, ANCHORS = (
    TensorInfo("scores", TensorProto.FLOAT, (1, "A", 1)),
    TensorInfo("boxes", TensorProto.FLOAT, (1, "A", 4)),
)
PIXELS = TensorInfo("pixels", TensorProto.FLOAT, ("N", 3, "h", "w"))


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (folder,) = lay_out([DEFAULT_DETECTOR, DEFAULT_POSE], ["golden"], out=tmp_path_factory.mktemp("golden"))
    return folder


def index_of(folder: Path) -> Index:
    index: Index = json.loads((folder / INDEX).read_text())
    return index


def arrays_of(folder: Path, side: Index) -> Arrays:
    return {name: np.load(folder / entry["file"], allow_pickle=False) for name, entry in side.items()}


def check(folder: Path, stage: Index, found: Arrays) -> None:
    """Hold what a port computed to the tolerances."""
    expected = arrays_of(folder, stage["outputs"])
    for name, array in found.items():
        facts = stage["outputs"][name]
        differences = np.abs(array.astype(np.float64) - expected[name])
        if sure := facts.get("only_where_sure"):
            best = expected[sure].reshape(*array.shape[:-1], -1).max(axis=-1)
            differences = differences[best >= SURE]
        assert differences.max() <= facts["tolerance"], (stage["part"], stage["name"], name)
        assert (differences > 0).mean() <= facts.get("share", 1.0), (stage["part"], stage["name"], name)


def stage_of(folder: Path, model: str, name: str) -> Index:
    (stage,) = (s for s in index_of(folder)["stages"] if (s["part"], s["name"]) == (model, name))
    found: Index = stage
    return found


def select(image: Value, boxes: Value, scores: Value) -> Value:
    return _boxes.select(boxes, scores, image, load_card(DEFAULT_DETECTOR), PRESET)[0]


def channels_first(pixels: NDArray[Any]) -> NDArray[Any]:
    planes: NDArray[Any] = pixels.transpose(0, 3, 1, 2).astype(np.float32)
    return planes


def test_every_file_is_named_and_is_what_is_said_of_it(golden: Path) -> None:
    index = index_of(golden)
    entries = [e for stage in index["stages"] for side in ("inputs", "outputs") for e in stage[side].values()]
    written = {path.relative_to(golden).as_posix() for path in golden.rglob("*") if path.is_file()}
    assert {entry["file"] for entry in entries} | {index["picture"], "README.md", INDEX} == written
    for entry in entries:
        array = np.load(golden / entry["file"], allow_pickle=False)
        assert (list(array.shape), array.dtype.name) == (entry["shape"], entry["dtype"])
        assert array.dtype.byteorder in "<|="
        assert (golden / entry["file"]).read_bytes()[6:8] == b"\x01\x00"
    outputs = [entry for stage in index["stages"] for entry in stage["outputs"].values()]
    assert all(entry["tolerance"] >= 0 and entry["reason"] for entry in outputs)
    assert sum(path.stat().st_size for path in golden.rglob("*.npy")) < 4 << 20


def test_the_picture_is_the_first_input(golden: Path) -> None:
    image = arrays_of(golden, stage_of(golden, "pair", "end_to_end")["inputs"])["image"]
    np.testing.assert_array_equal(load_image(golden / index_of(golden)["picture"])[..., ::-1], image)
    np.testing.assert_array_equal(load_image(PHOTOS[0])[..., ::-1], image)


def port_of_keypoints(folder: Path) -> Iterator[tuple[Index, Arrays]]:
    """Give what the end-to-end file's own steps compute at each stage."""
    card = load_card(DEFAULT_POSE)
    for name, graph, to_feeds in (
        ("crop", part(cut_out, card, IMAGE, BOXES), lambda given: given),
        (
            "normalize",
            part(normalize, card, PIXELS),
            lambda given: {"pixels": channels_first(given["pixels"])},
        ),
        ("decode", part(decode, card, HEATMAPS), lambda given: given),
    ):
        stage = stage_of(folder, DEFAULT_POSE, name)
        result = run(graph, **to_feeds(arrays_of(folder, stage["inputs"])))["result"]
        yield stage, RESULTS[name](result)


RESULTS: dict[str, Callable[[NDArray[Any]], Arrays]] = {
    "crop": lambda result: {"pixels": result.transpose(0, 2, 3, 1)},
    "resize": lambda result: {"pixels": result.transpose(0, 2, 3, 1)},
    "normalize": lambda result: {"tensor": result},
    "decode": lambda result: {"points": result[..., :2], "scores": result[..., 2]},
}


def test_another_implementation_of_keypoints_passes(golden: Path) -> None:
    for stage, found in port_of_keypoints(golden):
        check(golden, stage, found)


def test_keypoints_come_to_the_image_by_the_maps_that_are_given(golden: Path) -> None:
    stage = stage_of(golden, DEFAULT_POSE, "to_image")
    given = arrays_of(golden, stage["inputs"])
    ones = np.ones((*given["points"].shape[:2], 1))
    keypoints = np.einsum(
        "nij,nkj->nki", given["heatmap_to_image"], np.concatenate([given["points"], ones], axis=2)
    )
    check(golden, stage, {"keypoints": keypoints, "scores": given["scores"] * given["valid"][:, None]})
    assert given["valid"].tolist() == [True, True, True, False]


def test_another_implementation_of_a_detector_passes(golden: Path) -> None:
    card = load_card(DEFAULT_DETECTOR)
    stage = stage_of(golden, DEFAULT_DETECTOR, "resize")
    image = arrays_of(golden, stage["inputs"])["image"]
    check(golden, stage, RESULTS["resize"](run(part(resize, card, IMAGE), image[..., ::-1])["result"]))
    stage = stage_of(golden, DEFAULT_DETECTOR, "normalize")
    pixels = channels_first(arrays_of(golden, stage["inputs"])["pixels"])
    check(golden, stage, RESULTS["normalize"](run(part(normalize, card, PIXELS), pixels=pixels)["result"]))
    stage = stage_of(golden, DEFAULT_DETECTOR, "decode")
    given, numbers = arrays_of(golden, stage["inputs"]), stage["parameters"]
    graph = part(lambda image, boxes, scores, _: select(image, boxes, scores), card, IMAGE, ANCHORS, PEOPLE)
    picture = np.zeros((*numbers["image_size"], 3), np.uint8)  # its size alone counts
    boxes = run(graph, picture, **given)["result"]
    check(golden, stage, {"boxes": boxes})


def test_wrong_ports_fail(golden: Path) -> None:
    """Half a pixel, another order of colours, another rounding: each shows at its own stage."""
    for stage, found in port_of_keypoints(golden):
        (name, array), *_ = found.items()
        wrong = {"crop": array[..., ::-1], "normalize": array[:, ::-1], "decode": array + 0.5}[stage["name"]]
        with pytest.raises(AssertionError, match=stage["name"]):
            check(golden, stage, {name: wrong})


def node(folder: Path, golden: Path, *models: Path) -> tuple[int, dict[tuple[str, str, str], float]]:
    command = ["node", "check_golden.mjs", str(golden), *map(str, models)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    lines = [line.split() for line in done.stdout.splitlines()]
    return done.returncode, {(part, name, output): float(error) for part, name, output, error, _ in lines}


def test_the_node_example_passes(golden: Path, files: Files, node_folder: Path) -> None:
    code, errors = node(node_folder, golden, *vars(files).values())
    assert code == 0, errors
    stages = [
        stage for stage in index_of(golden)["stages"] if "model_file" in stage or stage["part"] == "pair"
    ]
    assert set(errors) == {(s["part"], s["name"], output) for s in stages for output in s["outputs"]}
    assert len(errors) == 11


def test_the_node_example_sees_another_picture(
    golden: Path, files: Files, node_folder: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(golden, tmp_path / "golden"))
    (entry,) = stage_of(golden, "pair", "end_to_end")["inputs"].values()
    image: Image = np.load(other / entry["file"])
    np.save(other / entry["file"], np.roll(image, 1, axis=1))
    code, errors = node(node_folder, other, files.detector, files.pose)
    assert code == 1
    assert errors["pair", "end_to_end", "boxes"] > 0.5
    assert errors["pair", "end_to_end", "keypoints"] > 0.5


def test_from_the_command_line_with_end_to_end_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: Files
) -> None:
    names = [DEFAULT_POSE, DEFAULT_DETECTOR]
    assert main(["export", *names, "--end-to-end", "--golden", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert f"{tmp_path / 'golden'}\n" in printed
    for file in (files.detector, files.pose):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()
        assert str(tmp_path / file.name) in printed
    parts = [(stage["part"], stage["name"]) for stage in index_of(tmp_path / "golden")["stages"]]
    assert parts[-1] == ("pair", "end_to_end")
    assert len(parts) == 4 + 5 + 2 + 1


def test_an_end_to_end_file_has_that_stage_alone(files: Files, tmp_path: Path) -> None:
    (folder,) = lay_out([files.pose], ["golden"], out=tmp_path, photo=PHOTOS[1])
    (stage,) = index_of(folder)["stages"]
    given = arrays_of(folder, stage["inputs"])
    check(folder, stage, run(files.pose, **given))
    assert index_of(folder)["picture"] == "camera.png"


def test_a_detector_alone(tmp_path: Path, tiny_detector: Path) -> None:
    (folder,) = lay_out([tiny_detector], ["golden"], out=tmp_path)
    stage = stage_of(folder, "tiny_detector", "decode")
    with Detector(tiny_detector) as detector:
        expected = detector(load_image(PHOTOS[0]))
    assert len(expected) > 0
    np.testing.assert_array_equal(arrays_of(folder, stage["outputs"])["boxes"], expected.boxes)


def test_from_a_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("paddle", reason="Paddle is not installed (extra 'export', Python 3.10 to 3.12)")
    source = MODELS.parent / "training" / "checkpoints" / f"{DEFAULT_POSE}.npz"
    options = ["--model", DEFAULT_POSE, "--to", "onnx", "--golden", "--out", str(tmp_path)]
    assert main(["export", str(source), *options]) == 0
    assert stage_of(tmp_path / "golden", DEFAULT_POSE, "network")["model_file"] == f"{DEFAULT_POSE}.onnx"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([DEFAULT_POSE], "say what to make from it"),
        ([DEFAULT_POSE, "--golden", "--precision", "fp16"], "--precision is for a conversion"),
        ([DEFAULT_POSE, DEFAULT_POSE, "--golden"], "give one, or a detector and a keypoint model"),
        (["a.npz", "b.onnx", "--golden"], "export them one by one"),
        (["a.npz", "--golden", "--to", "tflite"], "need the ONNX file in fp32"),
        ([DEFAULT_POSE, "--layout", "tritn"], "choose from triton,deepstream"),
        (["missing.onnx", "--golden"], "missing.onnx"),
        (["text.onnx", "--golden"], "text.onnx"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    words: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.onnx").write_text("not a model")
    assert main(["export", *words]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["text.onnx"]


def test_what_is_there_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paddle calls its folders like the models."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / DEFAULT_POSE).mkdir()
    with pytest.raises(ModelFileError, match=r"\.pdmodel|inference"):
        export(DEFAULT_POSE, to=("onnx",), out=tmp_path)
    assert main(["export", DEFAULT_POSE, "--golden"]) == 2


def test_other_kinds_of_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        lay_out([DEFAULT_POSE, DEFAULT_DETECTOR, DEFAULT_POSE], ["golden"], out=tmp_path)
