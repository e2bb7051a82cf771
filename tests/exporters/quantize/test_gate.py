"""What is asked before an export, what it is measured on, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from pose_onnx import ExportError, InputError, load_card, read_card
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.quantize.calibration import FEWEST, SAMPLES, calibration_samples
from pose_onnx.exporters.quantize.exceptions import SHARES, UNJUDGED_SHARES
from pose_onnx.exporters.quantize.gate import LARGEST_DROP, TOO_LOW, UNMEASURED, Gate, Trial
from pose_onnx.exporters.quantize.layers import layers_of
from pose_onnx.exporters.quantize.measure import Dev
from pose_onnx.exporters.quantize.onnx import int8_weights
from pose_onnx.exporters.quantize.request import Quantization
from pose_onnx.exporters.stamp import stamp
from pose_onnx.exporters.targets.material import Candidate, Material
from pose_onnx.image_files import load_image

PHOTOS = Path(__file__).resolve().parents[3] / "models" / "photos"


@pytest.fixture
def dev(dataset: Path) -> Dev:
    return Dev(dataset / "truth.json", dataset)


@pytest.fixture
def material(tiny_pose: Path) -> Material:
    return Material(Graph.from_model(onnx.load(tiny_pose)), read_card(tiny_pose))


def spoilt(material: Material, kept: int) -> Candidate:
    """A file whose points are anywhere: its filters are another model's."""
    graph = material.graph.copy()
    graph.constants["filters"] = graph.constants["filters"][::-1].copy()
    return Candidate(stamp(graph, material.card), layers_of(graph)[:kept])


def good(material: Material, kept: int) -> Candidate:
    return Candidate(stamp(material.graph, material.card), layers_of(material.graph)[:kept])


def test_the_first_candidate_that_holds_is_written_and_no_other_is_made(
    dev: Dev, material: Material, tiny_pose: Path, tmp_path: Path
) -> None:
    def candidates() -> Iterator[Candidate]:
        yield spoilt(material, 0)
        yield good(material, 1)
        pytest.fail("a third candidate was made")

    file = tmp_path / "chosen.onnx"
    gate = Gate(dev, force=False)
    accuracy = gate.choose(candidates(), file, tiny_pose, material)
    assert accuracy.ap == pytest.approx(100)
    assert accuracy.drop == pytest.approx(0)
    assert accuracy.note == ""
    assert accuracy.float_layers == ("heatmaps",)
    assert [trial.float_layers for trial in accuracy.trials] == [0, 1]
    assert accuracy.trials[0].ap < 100 - LARGEST_DROP
    assert file.read_bytes() == good(material, 1).content
    facts = gate.facts()
    assert (facts["annotations"], facts["pictures"]) == ("truth.json", 4)
    assert facts["fp32_ap"] == pytest.approx(100)
    assert len(str(facts["sha256"])) == 64


def test_what_is_too_inaccurate_is_refused_unless_forced(
    dev: Dev, material: Material, tiny_pose: Path, tmp_path: Path
) -> None:
    file = tmp_path / "chosen.onnx"
    with pytest.raises(
        ExportError, match=r"chosen\.onnx has [0-9.]+ AP instead of float32's 100\.0; a loss of more"
    ):
        Gate(dev, force=False).choose([spoilt(material, 0)], file, tiny_pose, material)
    forced = Gate(dev, force=True).choose([spoilt(material, 0)], file, tiny_pose, material)
    assert forced.note == TOO_LOW
    assert forced.drop is not None
    assert forced.drop > LARGEST_DROP
    assert forced.trials == (Trial(0, forced.ap or 0.0),)
    assert file.read_bytes() == spoilt(material, 0).content


@pytest.mark.parametrize("force", [False, True])
def test_annotations_of_nobody_accept_nothing(
    dev: Dev, material: Material, tiny_pose: Path, tmp_path: Path, force: bool
) -> None:
    content = json.loads(dev.annotations.read_text())
    dev.annotations.write_text(json.dumps({**content, "annotations": []}))
    file = tmp_path / "chosen.onnx"
    with pytest.raises(InputError, match=r"no annotated people that can be used in '.*truth\.json'"):
        Gate(dev, force=force).choose([spoilt(material, 0)], file, tiny_pose, material)
    assert not file.exists()


def test_without_pictures_nothing_is_measured_and_the_receipt_says_so(
    dev: Dev, material: Material, tiny_pose: Path, tmp_path: Path
) -> None:
    gate = Gate(None, force=True)
    accuracy = gate.choose([spoilt(material, 0)], tmp_path / "chosen.onnx", tiny_pose, material)
    assert (accuracy.ap, accuracy.drop, accuracy.note) == (None, None, UNMEASURED)
    assert gate.facts() == {}
    assert (gate.shares, Gate(dev, force=True).shares) == (UNJUDGED_SHARES, SHARES)


def test_int8_is_always_judged_and_float16_where_it_can_be(dev: Dev) -> None:
    names = ("fp32", "fp16", "int8-dynamic", "int8")
    assert [Gate(dev, force=False).judges(name) for name in names] == [False, True, True, True]
    assert [Gate(None, force=True).judges(name) for name in names] == [False, False, True, True]


def test_a_detector_is_measured_by_its_boxes(dev: Dev, tiny_detector: Path) -> None:
    assert dev.measure(tiny_detector, read_card(tiny_detector)) == pytest.approx(100)


def test_a_picture_that_cannot_be_read_is_an_error(
    dev: Dev, dataset: Path, tiny_pose: Path, tiny_detector: Path
) -> None:
    (dataset / "0.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"0\.png"):
        dev.measure(tiny_pose, read_card(tiny_pose))
    with pytest.raises(InputError, match=r"0\.png"):
        dev.measure(tiny_detector, read_card(tiny_detector))


@pytest.mark.parametrize(
    ("quantization", "precisions", "words"),
    [
        (Quantization(force=True), ["int8"], r"'int8' needs photos of people.*--calibration.*'int8-dynamic'"),
        (Quantization(), ["fp32", "int8-dynamic"], r"'int8-dynamic' can ruin.*--annotations.*--force"),
        (Quantization(calibration=Path()), ["int8"], r"'int8' can ruin a model"),
        (Quantization(annotations=Path("a")), ["fp32"], "give both"),
        (Quantization(images=Path("a"), force=True), ["int8-dynamic"], "give both"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    quantization: Quantization, precisions: list[str], words: str
) -> None:
    with pytest.raises(InputError, match=words) as error:
        quantization.check(precisions)
    assert "\n" not in str(error.value)


def test_what_can_be_done_is_not_refused() -> None:
    measured = Quantization(annotations=Path("a"), images=Path("b"))
    Quantization().check(["fp32", "fp16"])
    Quantization(force=True).check(["int8-dynamic"])
    measured.check(["fp16", "int8-dynamic"])
    replace(measured, calibration=Path("c")).check(["int8"])


def copies(folder: Path, count: int) -> Path:
    photo = cv2.resize(load_image(PHOTOS / "astronaut.jpg"), None, fx=0.5, fy=0.5)
    for index in range(count):
        cv2.imwrite(str(folder / f"{index:03}.jpg"), photo)
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.mark.parametrize(
    ("name", "size"), [("tinypose_128x96", (128, 96)), ("picodet_s_192_lcnet_pedestrian", (192, 192))]
)
def test_photos_become_inputs_of_the_network(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    samples = calibration_samples(copies(tmp_path, SAMPLES + 1), load_card(name))
    assert samples.shape == (SAMPLES, 3, *size)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() < 3  # pixels of 0 to 1, less the mean, over a deviation of 0.225
    assert samples[0].std() > 0.5


@pytest.mark.parametrize("name", ["tinypose_128x96", "picodet_s_192_lcnet_pedestrian"])
def test_too_few_photos_are_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"contains {FEWEST - 1} .*too few to calibrate int8"):
        calibration_samples(copies(tmp_path, FEWEST - 1), load_card(name))
    with pytest.raises(InputError, match="is not a folder"):
        calibration_samples(tmp_path / "none", load_card(name))


def test_the_official_weights_in_int8_keep_their_ap(
    shared: Path, official_models: Path, tmp_path: Path
) -> None:
    content = json.loads((shared / "coco_dev" / "person_keypoints_dev.json").read_bytes())
    content["images"] = content["images"][:60]
    seen = {item["id"] for item in content["images"]}
    content["annotations"] = [item for item in content["annotations"] if item["image_id"] in seen]
    (tmp_path / "some.json").write_text(json.dumps(content))
    reference = official_models / "tinypose_128x96.onnx"
    material = Material(
        Graph.from_model(onnx.load(reference)),
        read_card(reference),
        np.empty((0, 3, 128, 96), np.float32),
        (),
    )
    gate = Gate(Dev(tmp_path / "some.json", shared / "coco_dev" / "images"), force=False)
    file = tmp_path / "int8.onnx"
    accuracy = gate.choose(int8_weights(material), file, reference, material)
    print(accuracy.ap, accuracy.drop)  # noqa: T201
    assert accuracy.drop is not None
    assert accuracy.drop <= LARGEST_DROP
    assert file.stat().st_size < 0.4 * reference.stat().st_size
