"""A small Faster and a small Cascade R-CNN, exported and run beside Paddle (rcnn_folder.py)."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest

from pose_onnx import Detector, InputError, load_image, read_card
from pose_onnx.exporters import export
from pose_onnx.exporters.finished import write_end_to_end_files
from pose_onnx.outputs import ProposalOutput
from pose_onnx.verification import _tensor_differences, verify
from tests.exporters.final_boxes import PHOTO, compare_final_boxes

SCRIPT = Path(__file__).with_name("rcnn_folder.py")


PROGRAMS = {"faster.pdmodel": (1, "0"), "cascade.pdmodel": (3, "0"), "cascade.json": (3, "1")}
"""Looks at the regions, and whether the program is one of PIR."""


@pytest.fixture(scope="module", params=PROGRAMS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("paddle2onnx") is None:
        pytest.skip("Paddle is not installed (extra 'export', Python 3.10 to 3.12)")
    path = tmp_path_factory.mktemp("small_rcnn")
    looks, is_pir = PROGRAMS[request.param]
    subprocess.run(
        [sys.executable, "-W", "ignore", SCRIPT, path, str(looks)],
        check=True,
        capture_output=True,
        env={**os.environ, "FLAGS_enable_pir_api": is_pir, "GLOG_minloglevel": "2"},
    )
    return path


@pytest.fixture(scope="module")
def file(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    done = export(folder, out=tmp_path_factory.mktemp("out"))
    assert [note for note in done.notes if "TFLite cannot run; only ONNX was written" in note]
    (file,) = done.files
    return file


def test_the_card_is_what_the_folder_says(file: Path) -> None:
    card = read_card(file)
    assert card.output == ProposalOutput(nms_iou=0.5, max_boxes=100)
    assert (card.picture.size, card.picture.resize) == ((128, 128), "pad")
    assert card.classes == ("person", "horse", "dog")
    outputs = {value.name: value for value in onnx.load(file).graph.output}
    sizes = {
        name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for name, value in outputs.items()
    }
    assert sizes == {"boxes": [1, "R", 3, 4], "scores": [1, "R", 3]}


@pytest.mark.parametrize("size", [(300, 511), (509, 333)])
def test_final_boxes_are_those_of_paddle(
    folder: Path, file: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    compare_final_boxes(folder, [file], tmp_path, size=size)


def test_a_picture_of_a_few_pixels_by_thousands_still_has_boxes(file: Path) -> None:
    image = np.ascontiguousarray(load_image(PHOTO)[:1, :])
    with Detector(file, threshold=0) as detector:
        found = detector(np.tile(image, (1, 4, 1)))
    assert np.isfinite(found.boxes).all()


def test_noise_has_the_size_of_a_picture(file: Path) -> None:
    """The network cannot run on 2 x 2 pixels."""
    sizes = {(each.stage, each.quantity): each.compared for each in verify([file, file], PHOTO)}
    assert min(sizes["raw tensors, noise", name] for name in ("boxes", "scores")) > 0


def test_files_that_keep_other_regions_are_compared_all_the_same() -> None:
    reference = {"scores": np.zeros((1, 30, 3), np.float32)}
    found = {"scores": np.zeros((1, 31, 3), np.float32)}
    assert _tensor_differences(reference, found) == {"scores": (math.inf, 90)}


@pytest.mark.parametrize("options", [{"to": ["tflite"]}, {"to": ["onnx", "tflite"]}, {"precision": ["fp16"]}])
def test_other_formats_and_precisions_are_refused_at_once(
    folder: Path, tmp_path: Path, options: dict[str, list[str]]
) -> None:
    with pytest.raises(InputError, match=r"runs on ONNX Runtime only, in fp32.*--to onnx"):
        export(folder, out=tmp_path, **options)  # type: ignore[arg-type]  # of several types
    assert not any(tmp_path.iterdir())


def test_the_end_to_end_file_finds_the_same(file: Path, tmp_path: Path) -> None:
    (written,), measured = write_end_to_end_files([str(file)], tmp_path, None)
    assert written.is_file()
    assert {each.output for each in measured} == {"boxes", "scores"}
