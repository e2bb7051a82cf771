"""What people do, on every frame of a video: with a network of one multiplication, in both modes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pose_onnx import Action, ActionModel, InputError, ModelFileError, Poses, draw_poses, load_card
from pose_onnx.action_windows import EVERY, LONGEST_GAP
from pose_onnx.core.arrays import Image
from pose_onnx.core.images import Color
from pose_onnx.formats import FrameRecord, FramesHeader, FrameWriter, read_frames, write_csv
from pose_onnx.image_files import ImageSource
from pose_onnx.video import Frame, VideoPoseEstimator
from pose_onnx.video.actions import MODES, SHOWN_FRAMES, Actions, Latest, Shown

CARD = load_card("stgcn_pphuman")
FPS = 25.0


class Walker:
    """A `PoseModel`: one person whose nose goes up and down in the box, and who is away now and then."""

    names, skeleton, flip_pairs, sigmas = CARD.keypoints, CARD.skeleton, CARD.flip_pairs, (0.05,) * 17

    def __init__(self, low: range, away: range = range(0)) -> None:
        self._low, self._away, self._index = low, away, -1

    def __call__(self, image: ImageSource, *, color: Color = "bgr") -> Poses:
        del image, color
        self._index += 1
        count = 0 if self._index in self._away else 1
        box = np.array([[20, 20, 60, 120]], np.float32)[:count]
        keypoints = np.linspace((25, 90), (55, 110), 17, dtype=np.float32)[None][:count].copy()
        keypoints[:, 0, 1] = 118 if self._index in self._low else 22
        ones = np.ones((count, 17), np.float32)
        return Poses(keypoints, ones, box, ones[:, 0], self.names, sigmas=self.sigmas)

    def describe(self) -> dict[str, Any]:
        return {"pose": "walker"}

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ActionModel]:
    """A model that says "falling" where the nose is low in the box, at the mean over the window."""
    path = tmp_path_factory.mktemp("actions") / "nose.onnx"
    weights = np.zeros((2 * 50 * 17, 2), np.float32)
    weights[50 * 17 :: 17] = np.array([1, -1]) / (50 * 64)  # channel 1 is y, joint 0 the nose
    bias = np.array([-2, 2], np.float32)  # of 4 at half the box's height
    constants = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")]
    nodes = [
        helper.make_node("Flatten", ["window"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "nose",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, ["N", 2, 50, 17, 1])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 2])],
        constants,
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    own = replace(CARD.without_claims("nose", "made by the tests"), architecture="none")
    network.metadata_props.add(key="pose_onnx.card", value=own.to_json())
    onnx.save(network, path)
    with ActionModel(path, threads=1) as loaded:
        yield loaded


def clip(count: int, fps: float = FPS) -> Iterator[tuple[float, Image]]:
    return ((index / fps, np.zeros((130, 80, 3), np.uint8)) for index in range(count))


def labels(frames: Sequence[Frame]) -> list[str]:
    """Return what is said of the person in each frame; "" of nothing, "-" of nobody."""
    said = []
    for frame in frames:
        assert frame.poses.actions is not None
        said.append("".join("" if each is None else each.label for each in frame.poses.actions))
        said[-1] = said[-1] if len(frame.poses) else "-"
    return said


def video(model: ActionModel, walker: Walker, mode: str = "sliding") -> VideoPoseEstimator:
    return VideoPoseEstimator(walker, smooth=None, actions=model, action_windows=mode)


def test_sliding_over_real_time(model: ActionModel) -> None:
    frames = list(video(model, Walker(range(75, 150))).run(clip(150)))
    found = labels(frames)
    assert found[:25] == [""] * 25
    assert found[25:75] == ["other"] * 50
    first = found.index("falling")
    assert (first - 75) / FPS <= 1 + EVERY  # when half of the window is low, and at the next question
    assert found[first:] == ["falling"] * (150 - first)
    assert frames[-1].poses.actions is not None
    (last,) = frames[-1].poses.actions
    assert last is not None
    assert last.probability == last.probabilities[0] == last.probabilities.max()


@pytest.mark.parametrize("fps", [8.0, 12.5, 30.0, 60.0])
def test_sliding_whatever_the_frame_rate(model: ActionModel, fps: float) -> None:
    low = range(round(3 * fps), round(6 * fps))
    found = labels(list(video(model, Walker(low)).run(clip(round(6 * fps), fps))))
    assert 3 < found.index("falling") / fps <= 3 + 1 + EVERY + 1 / fps


def test_an_answer_is_shown_over_a_short_gap_and_not_after_a_long_one(model: ActionModel) -> None:
    found = labels(list(video(model, Walker(range(0), range(60, 66))).run(clip(90))))
    assert found[59:67] == ["other", *["-"] * 6, "other"]
    found = labels(list(video(model, Walker(range(0), range(60, 100))).run(clip(150))))
    assert found[100:125] == [""] * 25
    assert found[-1] == "other"


def test_as_pp_human(model: ActionModel) -> None:
    """Full after 50 frames; the fall is of the second window, and nothing takes its place for 80 frames."""
    found = labels(list(video(model, Walker(range(60, 100)), "paddle").run(clip(250))))
    assert found[:49] == [""] * 49
    assert found[49:99] == ["other"] * 50
    assert found[99 : 99 + SHOWN_FRAMES] == ["falling"] * SHOWN_FRAMES
    assert set(found[99 + SHOWN_FRAMES : 199]) == {""}
    assert set(found[199:]) == {"other"}


@pytest.mark.parametrize("mode", MODES)
def test_a_video_goes_on_with_its_state(model: ActionModel, mode: str) -> None:
    one = video(model, Walker(range(60, 100)), mode)
    live, expected, found = one.start(), [], []
    for index, (time, image) in enumerate(clip(200)):
        frame = live(image, time)
        expected.append(frame)
        if index == 110:
            state = json.loads(json.dumps(live.state()))
    live = one.start(state)
    one.estimator._index = 110  # type: ignore[attr-defined]  # the walker goes back
    found = [live(image, time) for time, image in list(clip(200))[111:]]
    assert labels(found) == labels(expected)[111:]


def test_a_fall_is_shown_for_80_frames_and_nothing_takes_its_place() -> None:
    shown = Shown("falling")
    fall, other = Action("falling", 0.9), Action("other", 0.8)
    answers = {0: {1: other, 2: other}, 5: {1: fall}, 50: {1: other}}
    frames = [shown.update(answers.get(frame, {}), 0.0) for frame in range(100)]
    assert frames[0] == {1: other, 2: other}
    assert [frame for frame, people in enumerate(frames) if people.get(1) is fall] == list(
        range(5, 5 + SHOWN_FRAMES)
    )
    assert [frame for frame, people in enumerate(frames) if 2 in people] == list(range(SHOWN_FRAMES))
    assert shown.update({1: fall}, 0.0) == shown.update({1: other}, 0.0) == {1: fall}


def test_the_latest_answer_is_shown_until_it_is_old() -> None:
    latest, action = Latest("falling"), Action("other", 0.8)
    assert latest.update({1: action}, 3.0) == {1: action}
    assert latest.update({}, 3.0 + EVERY + LONGEST_GAP) == {1: action}
    assert latest.update({}, 3.1 + EVERY + LONGEST_GAP) == {}
    latest.update({1: action}, 5.0)
    assert latest.update({}, 0.0) == {}  # another video


def test_in_every_output(model: ActionModel, tmp_path: Path) -> None:
    frames = list(video(model, Walker(range(0))).run(clip(40)))
    lines, table = tmp_path / "o.jsonl", tmp_path / "o.csv"
    with FrameWriter(lines, FramesHeader("walk", CARD.keypoints)) as writer:
        for frame in frames:
            writer.write(FrameRecord.of(frame))
    read = list(read_frames(lines))
    assert [each.poses.actions is not None for each in read] == [False] * 25 + [True] * 15
    assert read[30].poses.actions is not None
    assert frames[30].poses.actions is not None
    (kept,), (said,) = read[30].poses.actions, frames[30].poses.actions
    assert kept is not None
    assert said is not None
    assert kept.label == said.label == "other"
    assert kept.probability == pytest.approx(said.probability, abs=1e-4)
    write_csv(table, read, CARD.keypoints, actions=True)
    rows = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines()]
    assert rows[0][-2:] == ["action", "action_probability"]
    assert rows[1][-2:] == ["", ""]
    assert rows[31][-2:] == ["other", str(kept.probability)]
    without = replace(frames[30].poses, actions=None)
    assert (draw_poses(frames[30].image, frames[30].poses) != draw_poses(frames[30].image, without)).any()


def test_people_are_selected_with_what_they_do() -> None:
    action = Action("other", 0.8)
    poses = Poses(
        np.zeros((2, 1, 2), np.float32), np.ones((2, 1), np.float32), np.zeros((2, 4), np.float32),
        np.ones(2, np.float32), ("nose",), np.array([1, 2]), actions=(None, action),
    )  # fmt: skip
    assert poses[1].actions == poses[-1].actions == poses[np.array([False, True])].actions == (action,)
    assert poses[::-1].actions == (action, None)
    with pytest.raises(InputError, match="1 actions were given; give one, or None, for each of 2"):
        replace(poses, actions=(None,))


def test_someone_whose_place_is_not_known_is_not_looked_at(model: ActionModel) -> None:
    actions = Actions(model, "sliding", CARD.keypoints)
    walker, found = Walker(range(0)), []
    for index in range(40):
        poses = replace(walker(np.zeros((9, 9, 3), np.uint8)), ids=np.array([1]))
        if index == 30:
            poses.keypoints[0, 3] = np.nan
        found.append(actions(poses, index / FPS).actions)
    assert all(each != (None,) for each in found[25:])


def test_joints_are_found_by_their_names(model: ActionModel) -> None:
    names = ("extra", *reversed(CARD.keypoints))
    mixed, straight = (Actions(model, "sliding", each) for each in (names, CARD.keypoints))
    walker = Walker(range(20, 99))
    for index in range(60):
        poses = replace(walker(np.zeros((9, 9, 3), np.uint8)), ids=np.array([1]))
        keypoints = np.concatenate([np.zeros((1, 1, 2), np.float32), poses.keypoints[:, ::-1]], axis=1)
        other = Poses(
            keypoints, np.ones((1, 18), np.float32), poses.boxes, poses.box_scores, names, poses.ids
        )
        (one,), (two,) = (
            each.actions or () for each in (straight(poses, index / FPS), mixed(other, index / FPS))
        )
        assert (one and one.probability) == (two and two.probability)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (
            {"action_windows": "often"},
            InputError,
            r"action_windows='often' was given; give one of \['sliding'",
        ),
        ({"actions": "tinypose_128x96_distilled"}, ModelFileError, "give one for 'actions'"),
    ],
)
def test_what_cannot_be(
    model: ActionModel, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        VideoPoseEstimator(Walker(range(0)), **{"actions": model, **options})


def test_poses_without_the_joints_are_refused(model: ActionModel) -> None:
    with pytest.raises(InputError, match=r"needs the keypoints \['left_eye'"):
        Actions(model, "sliding", ("nose",))
