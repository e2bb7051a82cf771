"""int8 through a whole export: files, receipt, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_onnx import Detector, ExportError, InputError, load_card, load_image, read_card
from pose_onnx.cli import main
from pose_onnx.exporters import export
from pose_onnx.exporters.quantize.gate import UNMEASURED
from pose_onnx.exporters.quantize.request import INT8
from pose_onnx.exporters.stamp import stamp
from pose_onnx.exporters.targets import Kind, candidates
from pose_onnx.exporters.targets.material import Candidate, Material
from pose_onnx.exporters.verify import DAMAGE, LARGEST_DAMAGE

NAME = "picodet_s_192_lcnet_pedestrian"
PHOTO = Path(__file__).resolve().parents[3] / "models" / "photos" / "astronaut.jpg"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    image = load_image(PHOTO)
    for index in range(8):
        cv2.imwrite(str(folder / f"{index}.jpg"), image[:, index * 20 :])
    return folder


@pytest.fixture(scope="module")
def exported(paddle_sources: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("int8")
    source = paddle_sources / f"{NAME}.npz"
    export(source, model=NAME, precision=("int8-dynamic", "int8"), calibration=photos, force=True, out=folder)
    return folder


@pytest.mark.parametrize("suffix", ["int8-dynamic.onnx", "int8.onnx", "int8-dynamic.tflite", "int8.tflite"])
def test_every_file_runs_by_its_path_alone(exported: Path, suffix: str) -> None:
    file = exported / f"{NAME}_{suffix}"
    assert read_card(file) == load_card(NAME)
    with Detector(file, backend="tflite" if suffix.endswith("tflite") else "ort") as detector:
        assert detector(PHOTO).boxes.shape[1] == 4


def test_the_receipt_says_what_was_not_measured_and_what_stayed_float(exported: Path) -> None:
    receipt = json.loads((exported / f"{NAME}.receipt.json").read_text())
    files = {item["file"]: item for item in receipt["accuracy"]["files"]}
    assert files.keys() == receipt["files"].keys()
    assert {item["note"] for item in files.values()} == {UNMEASURED}
    assert {item["ap"] for item in files.values()} == {None}
    counts = {name.removeprefix(NAME): len(item["float_layers"]) for name, item in files.items()}
    assert counts["_int8.onnx"] == counts["_int8.tflite"] == round(files[f"{NAME}_int8.onnx"]["layers"] / 4)
    assert counts["_int8-dynamic.onnx"] == counts["_int8-dynamic.tflite"]
    assert files[f"{NAME}_int8.onnx"]["float_layers"] == files[f"{NAME}_int8.tflite"]["float_layers"]
    errors = [item for item in receipt["errors"] if "int8" in item["stage"]]
    bars = {item["output"]: item["bar"] for item in errors}
    assert bars == {"boxes": None, "scores": None, DAMAGE: LARGEST_DAMAGE}
    assert all(item["error"] > 0 for item in errors)
    assert "ai-edge-quantizer" in receipt["versions"]


def test_a_smaller_format_that_loses_too_much_leaves_no_file(
    paddle_sources: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Random weights have no AP to lose, so the bar is moved below what they have.
    monkeypatch.setattr("pose_onnx.exporters.quantize.gate.LARGEST_DROP", -1.0)
    with pytest.raises(
        ExportError, match=rf"'write' failed .*{NAME}_int8-dynamic\.onnx has 0\.0 AP.*--force"
    ):
        export(
            paddle_sources / f"{NAME}.npz",
            model=NAME,
            to=("onnx",),
            precision=("int8-dynamic",),
            annotations=dataset / "truth.json",
            images=dataset,
            out=tmp_path / "out",
        )
    assert list((tmp_path / "out").iterdir()) == []


def test_a_broken_int8_file_is_refused_even_if_forced(
    paddle_sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(target: Kind, material: Material) -> Iterator[Candidate]:
        if target[1] in INT8:
            graph = material.graph.copy()
            kernels = [name for name, array in graph.constants.items() if array.ndim == 4]
            for name in kernels:
                graph.constants[name] = graph.constants[name] * np.float32(-2)
            yield Candidate(stamp(graph, material.card), ())
        else:
            yield from candidates(target, material)

    monkeypatch.setattr("pose_onnx.exporters.pipeline.candidates", broken)
    source, out = paddle_sources / f"{NAME}.npz", tmp_path / "out"
    with pytest.raises(ExportError, match=r"'verify' failed .* int8-dynamic .*damage of the photo input"):
        export(source, model=NAME, to=("onnx",), precision=("int8-dynamic",), force=True, out=out)
    assert list(out.iterdir()) == []


def test_int8_that_cannot_be_judged_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"average precision must be measured.*--force"):
        export(tmp_path / "nothing", precision=("int8-dynamic",), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_line_takes_annotations_and_prints_what_they_say(
    paddle_sources: Path, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(paddle_sources / f"{NAME}.npz"), "--model", NAME, "--out", str(tmp_path / "out")]
    words += ["--to", "onnx", "--precision", "int8-dynamic"]
    assert main([*words, "--annotations", str(dataset / "truth.json")]) == 2
    assert "give both" in capsys.readouterr().err
    words += ["--annotations", str(dataset / "truth.json"), "--images", str(dataset)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "none: AP decides" in printed
    receipt = json.loads((tmp_path / "out" / f"{NAME}.receipt.json").read_text())
    assert receipt["accuracy"]["on"]["annotations"] == "truth.json"
    (cost,) = receipt["accuracy"]["files"]
    row = next(line.split() for line in printed.splitlines() if line.startswith(cost["file"]))
    kept, layers = len(cost["float_layers"]), cost["layers"]
    assert row[1:6] == [f"{cost['ap']:.2f}", f"{cost['drop']:.2f}", str(kept), "of", str(layers)]
