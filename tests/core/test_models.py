"""The three callable classes on small real models: shapes, edges, and sentences for what cannot be used."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from pose_onnx import (
    BatchTopDownModel,
    CardError,
    Detector,
    EngineError,
    InputError,
    KeypointModel,
    MissingCardError,
    ModelFileError,
    PoseEstimator,
    PoseModel,
    PoseOnnxError,
    TopDownEstimator,
    TopDownModel,
    UnknownNameError,
    draw_poses,
    read_card,
)
from pose_onnx.core.oks import COCO_SIGMAS
from pose_onnx.runtimes import Tensor, TensorSpec, open_runtime


@pytest.fixture
def photo() -> np.ndarray:
    """Return a dark picture with two white squares, read-only."""
    image = np.zeros((128, 192, 3), np.uint8)
    image[16:32, 24:48] = 255
    image[80:96, 120:144] = 255
    image.flags.writeable = False
    return image


@pytest.fixture
def detector(tiny_detector: Path) -> Detector:
    return Detector(tiny_detector, threads=1)


@pytest.fixture
def keypoint_model(tiny_pose: Path) -> KeypointModel:
    return KeypointModel(tiny_pose, threads=1)


def test_detector_finds_the_squares(detector: Detector, photo: np.ndarray) -> None:
    found = detector(photo)
    assert found.boxes.dtype == found.scores.dtype == np.float32
    centers = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    assert sorted(map(tuple, centers.round().tolist())) == [(36, 24), (132, 88)]


def test_boxes_end_at_the_border_unless_equal_to_paddle(tiny_detector: Path) -> None:
    white = np.full((100, 100, 3), 255, np.uint8)
    clipped = Detector(tiny_detector, threads=1)(white).boxes
    free = Detector(tiny_detector, threads=1, preset="paddle")(white).boxes
    assert clipped.min() == 0
    assert clipped.max() == 100
    assert free.min() < 0
    assert free.max() > 100


def test_estimator_is_detector_then_keypoints(
    tiny_detector: Path, tiny_pose: Path, photo: np.ndarray
) -> None:
    with PoseEstimator(tiny_detector, tiny_pose, threads=1) as estimator:
        poses = estimator(photo)
        assert poses.keypoints.shape == (2, 17, 2)
        assert poses.scores.shape == (2, 17)
        assert poses.names[0] == "nose"
        again = estimator(photo, boxes=poses.boxes)
        np.testing.assert_array_equal(again.keypoints, poses.keypoints)
        np.testing.assert_array_equal(again.box_scores, 1)


def test_of_many_classes_only_people_are_taken(
    tiny_detector: Path, tiny_pose: Path, photo: np.ndarray, tmp_path: Path
) -> None:
    """Every cell that is white is a cat, too, and surer so."""
    model = onnx.load(tiny_detector)
    graph = model.graph
    graph.node[1].output[0], graph.node[2].input[0] = "person", "person"
    graph.node.append(onnx.helper.make_node("Concat", ["person", "cat"], ["scores"], axis=2))
    graph.node.insert(2, onnx.helper.make_node("Add", ["person", "sure"], ["cat"]))
    graph.initializer.append(onnx.numpy_helper.from_array(np.full((1, 1, 1), 0.1, np.float32), "sure"))
    graph.output[[output.name for output in graph.output].index("scores")].type.tensor_type.shape.dim[
        2
    ].dim_value = 2
    card = replace(read_card(tiny_detector), classes=("person", "cat"))
    model.metadata_props[0].value = card.to_json()
    onnx.save(model, tmp_path / "two.onnx")
    assert len(Detector(tmp_path / "two.onnx", threads=1)(photo)) == 4
    assert Detector(tmp_path / "two.onnx", threads=1, classes=["cat"])(photo).labels.tolist() == [1, 1]
    assert len(PoseEstimator(tmp_path / "two.onnx", tiny_pose, threads=1)(photo)) == 2


def test_nobody_is_empty_arrays(tiny_detector: Path, tiny_pose: Path) -> None:
    poses = PoseEstimator(tiny_detector, tiny_pose, threads=1)(np.zeros((50, 60, 3), np.uint8))
    assert len(poses) == 0
    assert poses.keypoints.shape == (0, 17, 2)
    assert list(poses) == []


@pytest.mark.parametrize("boxes", [[], np.empty((0, 4)), np.empty((0, 4), np.float32)])
def test_no_boxes(keypoint_model: KeypointModel, photo: np.ndarray, boxes: object) -> None:
    assert keypoint_model(photo, boxes).keypoints.shape == (0, 17, 2)  # type: ignore[arg-type]  # cases


@pytest.mark.parametrize("count", [1, 200])
@pytest.mark.parametrize("preset", ["accurate", "paddle"])
def test_a_person_does_not_depend_on_the_others(
    tiny_pose: Path, photo: np.ndarray, count: int, preset: str
) -> None:
    rng = np.random.default_rng(0)
    low = rng.uniform(-20, 150, (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(5, 80, (count, 2))], axis=1).astype(np.float32)
    boxes.flags.writeable = False
    poses = KeypointModel(tiny_pose, threads=1, preset=preset)(photo, boxes)
    assert len(poses) == count
    assert np.isfinite(poses.keypoints).all()
    alone = KeypointModel(tiny_pose, threads=1, preset=preset, batch_size=1)(photo, boxes[-1:])
    np.testing.assert_allclose(alone.keypoints[0], poses.keypoints[-1], atol=1e-3)  # engines sum in any order


@pytest.mark.parametrize("preset", ["accurate", "paddle"])
@pytest.mark.parametrize(
    "box",
    [
        [-500, -500, -400, -300],
        [1000, 1000, 1100, 1200],
        [-1e6, -1e6, 1e6, 1e6],
        [1e8, 1e8, 2e8, 2e8],
        [20, 20, 20.4, 20.4],
    ],
)
def test_odd_boxes_have_finite_answers(
    tiny_pose: Path, photo: np.ndarray, preset: str, box: list[float]
) -> None:
    poses = KeypointModel(tiny_pose, threads=1, preset=preset)(photo, [box])
    assert np.isfinite(poses.keypoints).all()
    assert np.isfinite(poses.scores).all()


@pytest.mark.parametrize("preset", ["accurate", "paddle"])
def test_a_box_without_area_scores_zero_at_its_centre(
    tiny_pose: Path, photo: np.ndarray, preset: str
) -> None:
    poses = KeypointModel(tiny_pose, threads=1, preset=preset)(photo, [[30, 40, 30, 40], [20, 20, 60, 90]])
    np.testing.assert_array_equal(poses.scores[0], 0)
    np.testing.assert_array_equal(poses.keypoints[0], np.broadcast_to([30, 40], (17, 2)))
    assert poses.scores[1].any()


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        ([[0, 0, 10]], "(1, 3)"),
        ([0, 0, 10, 10], "(4,)"),
        ([[0, 0, math.nan, 10]], "nan"),
        ([[0, 0, math.inf, 10]], "inf"),
        ([[10, 0, 0, 10]], "x1 <= x2"),
        ([["a", "b", "c", "d"]], "not numbers"),
        (np.zeros((2, 3, 4)), "(2, 3, 4)"),
    ],
)
def test_wrong_boxes_are_one_sentence(
    keypoint_model: KeypointModel, photo: np.ndarray, boxes: object, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        keypoint_model(photo, boxes)  # type: ignore[arg-type]  # wrong on purpose
    assert words in str(caught.value)


def test_wrong_box_scores_are_one_sentence(keypoint_model: KeypointModel, photo: np.ndarray) -> None:
    with pytest.raises(InputError, match="one number for each of 1 boxes"):
        keypoint_model(photo, [[0, 0, 10, 10]], box_scores=[1, 2])


def test_color_swaps_the_channels(keypoint_model: KeypointModel) -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 60, 3), np.uint8)
    box = [[5, 5, 50, 70]]
    bgr = keypoint_model(image, box)
    rgb = keypoint_model(np.ascontiguousarray(image[:, :, ::-1]), box, color="rgb")
    np.testing.assert_array_equal(bgr.keypoints, rgb.keypoints)


@pytest.mark.parametrize("threshold", ["0.5", -0.1, 1.5, math.nan])
def test_a_threshold_outside_0_to_1(tiny_detector: Path, threshold: float) -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        Detector(tiny_detector, threshold=threshold)


def test_names_that_nobody_knows(tiny_detector: Path, tiny_pose: Path) -> None:
    with pytest.raises(UnknownNameError, match="tinypose_128x96"):
        KeypointModel("tinypose")
    with pytest.raises(UnknownNameError, match="accurate"):
        Detector(tiny_detector, preset="fast")
    with pytest.raises(UnknownNameError, match="ort"):
        KeypointModel(tiny_pose, backend="onnx")
    with pytest.raises(InputError, match="person"):
        Detector(tiny_detector, classes=("cat",))
    with pytest.raises(InputError, match="batch_size"):
        KeypointModel(tiny_pose, batch_size=0)


def test_a_model_for_the_other_task(tiny_detector: Path, tiny_pose: Path) -> None:
    with pytest.raises(ModelFileError, match="'keypoints'"):
        Detector(tiny_pose)
    with pytest.raises(ModelFileError, match="'detect'"):
        KeypointModel(tiny_detector)


def test_a_card_that_does_not_fit(tiny_pose: Path, tiny_detector: Path) -> None:
    with pytest.raises(ModelFileError, match="tinypose_256x192"):
        KeypointModel(tiny_pose, card="tinypose_256x192")
    card = replace(read_card(tiny_pose), input=replace(read_card(tiny_pose).picture, size=(64, 64)))
    with pytest.raises(ModelFileError, match="outputs"):
        KeypointModel(tiny_detector, card=card)


def test_a_file_without_a_card_names_the_option(tiny_pose: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny_pose)
    del model.metadata_props[:]
    bare = tmp_path / "bare.onnx"
    onnx.save(model, bare)
    with pytest.raises(MissingCardError, match="--model"):
        KeypointModel(bare)
    assert KeypointModel(bare, card=read_card(tiny_pose)).card.name == "tiny_pose"


def test_a_broken_card_inside_a_file(tiny_pose: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny_pose)
    model.metadata_props[0].value = "{"
    onnx.save(model, tmp_path / "broken.onnx")
    with pytest.raises(CardError, match="not JSON"):
        KeypointModel(tmp_path / "broken.onnx")


def test_an_official_name_that_is_not_converted_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSE_ONNX_HOME", str(tmp_path))
    with pytest.raises(ModelFileError, match="pose-onnx models pull tinypose_128x96"):
        KeypointModel("tinypose_128x96")


def test_a_name_finds_its_converted_file(
    tiny_pose: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSE_ONNX_HOME", str(tmp_path))
    (tmp_path / "tinypose_128x96.onnx").write_bytes(tiny_pose.read_bytes())
    assert KeypointModel("tinypose_128x96").card.name == "tiny_pose"


def test_a_loaded_model_takes_the_place_of_a_name(
    tiny_detector: Path, tiny_pose: Path, photo: np.ndarray
) -> None:
    """Halves on different engines, or anything with the four members of a runtime."""
    expected = PoseEstimator(tiny_detector, tiny_pose, threads=1)(photo)
    runtime = open_runtime(tiny_detector, "openvino")
    with (
        Detector(runtime, card=read_card(tiny_detector), threads=2) as detector,
        KeypointModel(tiny_pose, threads=1) as pose,
        PoseEstimator(detector, pose) as estimator,
    ):
        poses = estimator(photo)
        np.testing.assert_allclose(poses.boxes, expected.boxes, atol=1e-3)
        assert len(next(estimator.map([photo]))) == len(expected)
    assert len(pose.runtime.inputs) == 1
    with pytest.raises(EngineError, match="closed"):
        pose(photo, expected.boxes)
    assert runtime.run({"image": np.zeros((1, 3, 64, 64), np.float32)})  # the caller's to close
    runtime.close()


def test_a_fake_costs_three_lines(tiny_pose: Path, photo: np.ndarray) -> None:
    card = replace(read_card(tiny_pose), keypoints=("nose",), flip_pairs=(), skeleton=())
    heatmaps = np.zeros((1, 1, 16, 12), np.float32)
    heatmaps[0, 0, 8, 6] = 0.5
    given, answered = TensorSpec("image", (None, 3, 64, 48)), TensorSpec("heatmaps", (None, 1, 16, 12))
    fake = SimpleNamespace(
        inputs=(given,), outputs=(answered,), run=lambda _: {"heatmaps": heatmaps}, close=print
    )
    poses = KeypointModel(fake, card=card)(photo, [[0, 0, 48, 64]])
    assert poses.names == ("nose",)
    assert poses.scores.tolist() == [[0.5]]


def test_what_does_not_go_with_a_loaded_model(tiny_detector: Path, tiny_pose: Path) -> None:
    runtime = open_runtime(tiny_detector)
    card = read_card(tiny_detector)
    with pytest.raises(InputError, match="card="):
        Detector(runtime)
    with pytest.raises(InputError, match="providers"):
        Detector(runtime, card=card, providers=["CPUExecutionProvider"])
    with pytest.raises(InputError, match=r"a dict; give a name, a path"):
        Detector({}, card=card)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(InputError, match=r"\['threshold'\].*detector"):
        PoseEstimator(Detector(tiny_detector), tiny_pose, threshold=0.3)
    with pytest.raises(InputError, match=r"\['flip'\].*pose"):
        PoseEstimator(tiny_detector, KeypointModel(tiny_pose), flip=True)


def test_only_people_of_a_detector_that_is_given(
    tiny_detector: Path, tiny_pose: Path, photo: np.ndarray
) -> None:
    cats = replace(read_card(tiny_detector), classes=("cat",))
    assert len(PoseEstimator(Detector(tiny_detector, card=cats), tiny_pose)(photo)) == 2  # all that it knows
    both = Detector(FakeBoxes(), card=replace(cats, classes=("cat", "person")))
    assert both(photo).classes == ("cat", "person")
    assert sorted(both(photo).labels.tolist()) == [0, 1]
    estimator = TopDownEstimator(both, tiny_pose)
    assert len(estimator(photo)) == len(next(estimator.map([photo]))) == len(estimator.find_boxes(photo)) == 1


class FakeBoxes:
    """One cat and one person, and NaN where it is told so."""

    inputs = (TensorSpec("image", (None, 3, 64, 64)),)
    outputs = (TensorSpec("boxes", (None, None, 4)), TensorSpec("scores", (None, None, 2)))

    def __init__(self, box: float = 0, score: float = 0.9) -> None:
        self._box, self._score = box, score

    def run(self, feeds: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        assert set(feeds) == {"image"}
        boxes = np.array([[[self._box, 0, 20, 20], [30, 30, 60, 60]]], np.float32)
        return {"boxes": boxes, "scores": np.array([[[self._score, 0], [0, 0.8]]], np.float32)}

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    "wrong", [{"box": math.nan}, {"box": -math.inf}, {"score": math.nan}, {"score": math.inf}]
)
def test_a_detector_that_answers_with_nan_is_not_nobody(
    tiny_detector: Path, photo: np.ndarray, wrong: dict[str, float]
) -> None:
    card = replace(read_card(tiny_detector), classes=("cat", "person"))
    with pytest.raises(InputError, match="NaN or infinity"):
        Detector(FakeBoxes(**wrong), card=card)(photo)


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_box_scores_are_finite(keypoint_model: KeypointModel, photo: np.ndarray, score: float) -> None:
    with pytest.raises(InputError, match="box score 1 is"):
        keypoint_model(photo, [[0, 0, 9, 9]] * 2, box_scores=[1, score])


def test_many_images_are_found_as_one_by_one(keypoint_model: KeypointModel, photo: np.ndarray) -> None:
    boxes = [[[0, 0, 40, 60]], [], [[5, 5, 90, 90], [0, 0, 20, 20]]]
    for found, given in zip(keypoint_model.find_many([photo] * 3, boxes), boxes, strict=True):
        np.testing.assert_array_equal(found.keypoints, keypoint_model(photo, given).keypoints)
    with pytest.raises(InputError, match="2 images, 3 arrays of boxes"):
        keypoint_model.find_many([photo] * 2, boxes)


def test_a_panorama(tiny_detector: Path, tiny_pose: Path) -> None:
    """Wider than OpenCV resamples."""
    photo = np.zeros((64, 40_000, 3), np.uint8)
    photo[16:32, 30_000:] = 255
    poses = PoseEstimator(tiny_detector, tiny_pose, threads=1)(photo)
    assert len(poses)
    assert poses.boxes[:, 0].min() > 20_000
    assert draw_poses(photo, poses).shape == photo.shape


def test_an_estimator_is_a_model_of_poses(tiny_detector: Path, tiny_pose: Path, photo: np.ndarray) -> None:
    estimator: PoseModel = PoseEstimator(tiny_detector, tiny_pose, threads=1)
    card = read_card(tiny_pose)
    assert (estimator.names, estimator.skeleton) == (card.keypoints, card.skeleton)
    assert (estimator.flip_pairs, estimator.sigmas) == (card.flip_pairs, COCO_SIGMAS)
    poses = estimator(photo)
    assert (poses.skeleton, poses.flip_pairs, poses.sigmas) == (card.skeleton, card.flip_pairs, COCO_SIGMAS)
    assert isinstance(estimator, TopDownModel)
    assert isinstance(estimator, BatchTopDownModel)
    again = estimator.find_in_boxes(photo, estimator.find_boxes(photo).boxes, box_scores=poses.box_scores)
    np.testing.assert_array_equal(again.keypoints, poses.keypoints)
    np.testing.assert_array_equal(again.box_scores, poses.box_scores)
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    both = estimator.find_in_boxes_together([photo, mirrored], [poses.boxes, poses.boxes[:1]])
    np.testing.assert_array_equal(both[0].keypoints, poses.keypoints)
    np.testing.assert_array_equal(
        both[1].keypoints, estimator.find_in_boxes(mirrored, poses.boxes[:1]).keypoints
    )
    given = PoseEstimator(tiny_detector, tiny_pose, threads=1)(photo, poses.boxes, box_scores=[0.5, 0.25])
    assert given.box_scores.tolist() == [0.5, 0.25]
    with pytest.raises(InputError, match="without boxes"):
        PoseEstimator(tiny_detector, tiny_pose, threads=1)(photo, box_scores=[1, 1])
    assert not isinstance(Detector(tiny_detector), PoseModel)


def test_a_precision_is_part_of_a_name(
    tiny_pose: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSE_ONNX_HOME", str(tmp_path))
    (tmp_path / "tinypose_128x96_fp16.onnx").write_bytes(tiny_pose.read_bytes())
    assert KeypointModel("tinypose_128x96", precision="fp16").card.name == "tiny_pose"
    with pytest.raises(ModelFileError, match=r"no tinypose_128x96\.onnx in"):
        KeypointModel("tinypose_128x96")


def fixed_batch(pose: Path, batch: int | str, element: int, folder: Path) -> Path:
    """Write the keypoint model with another first axis, or another type of its input."""
    model = onnx.load(pose)
    (image,) = model.graph.input
    image.type.tensor_type.elem_type = element
    for value in (image, *model.graph.output):
        axis = value.type.tensor_type.shape.dim[0]
        axis.Clear()
        setattr(axis, "dim_value" if isinstance(batch, int) else "dim_param", batch)
    if element != onnx.TensorProto.FLOAT:
        cast = onnx.helper.make_node("Cast", ["image"], ["image_float"], to=onnx.TensorProto.FLOAT)
        model.graph.node[0].input[0] = "image_float"
        model.graph.node.insert(0, cast)
    onnx.save(model, folder / "fixed.onnx")
    return folder / "fixed.onnx"


def test_a_file_for_one_crop_takes_people_one_by_one(
    tiny_pose: Path, photo: np.ndarray, tmp_path: Path
) -> None:
    file = fixed_batch(tiny_pose, 1, onnx.TensorProto.FLOAT, tmp_path)
    boxes = np.array([[20, 10, 60, 90], [100, 60, 150, 110], [0, 0, 64, 64]], np.float32)
    with KeypointModel(tiny_pose, threads=1) as free, KeypointModel(file, threads=1) as one:
        np.testing.assert_allclose(one(photo, boxes).keypoints, free(photo, boxes).keypoints, atol=1e-5)
    with pytest.raises(InputError, match="takes one crop at a time"):
        KeypointModel(file, flip=True)


@pytest.mark.parametrize(("batch", "element"), [(4, onnx.TensorProto.FLOAT), ("N", onnx.TensorProto.FLOAT16)])
def test_inputs_that_are_never_fed_are_refused_at_the_start(
    tiny_pose: Path, tmp_path: Path, batch: int | str, element: int
) -> None:
    with pytest.raises(ModelFileError, match="give a file that takes float32 and any number"):
        KeypointModel(fixed_batch(tiny_pose, batch, element, tmp_path))


def test_the_detector_is_closed_if_the_keypoint_model_cannot_be_opened(
    tiny_detector: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Detector] = []
    monkeypatch.setattr(Detector, "close", lambda detector: closed.append(detector))  # noqa: PLW0108 (a method is bound)
    with pytest.raises(ModelFileError, match="does not exist"):
        PoseEstimator(tiny_detector, "nowhere.onnx")
    assert len(closed) == 1


@pytest.mark.parametrize("option", [{"preset": "paddle"}, {"backend": "tflite"}, {"threads": 1}])
def test_options_for_opening_need_something_to_open(
    detector: Detector, keypoint_model: KeypointModel, option: dict[str, object]
) -> None:
    with pytest.raises(InputError, match="were given with an open detector and pose"):
        PoseEstimator(detector, keypoint_model, **option)  # type: ignore[arg-type]


def test_two_presets_are_both_described(detector: Detector, tiny_pose: Path) -> None:
    with PoseEstimator(detector, KeypointModel(tiny_pose, preset="paddle")) as mixed:
        assert (mixed.describe()["preset"], mixed.describe()["pose_preset"]) == ("accurate", "paddle")
    with PoseEstimator(detector, tiny_pose) as same:
        assert "pose_preset" not in same.describe()


@pytest.mark.parametrize("batch_size", [0, 2.5, True, "4"])
def test_batch_sizes_that_are_not(tiny_pose: Path, batch_size: Any) -> None:
    with pytest.raises(InputError, match=f"batch_size={batch_size!r} was given; give a whole number"):
        KeypointModel(tiny_pose, batch_size=batch_size)


@pytest.mark.parametrize("make", [Detector, KeypointModel, lambda name: PoseEstimator(pose=name)])
@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".onnx", "a\0b"])
def test_names_that_no_file_can_have(make: Callable[[str], object], name: str) -> None:
    with pytest.raises(PoseOnnxError, match=r"is not known|cannot be read"):
        make(name)
