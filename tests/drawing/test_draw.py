"""Drawing: what must be seen is seen, nothing else is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pose_onnx import InputError, Poses, draw_poses, load_card
from pose_onnx.drawing.painter import Painter
from pose_onnx.drawing.palette import PERSON_COLORS_RGB
from pose_onnx.image_files import write_image
from pose_onnx.poses import Action

NAMES = load_card("tinypose_128x96").keypoints
SIZE = (240, 320)


def one_person(names: tuple[str, ...], points: list[tuple[float, float]], scores: list[float]) -> Poses:
    return Poses(
        np.array([points], np.float32),
        np.array([scores], np.float32),
        np.array([[20, 20, 300, 220]], np.float32),
        np.ones(1, np.float32),
        names,
    )


@pytest.fixture
def grey() -> np.ndarray:
    image = np.full((*SIZE, 3), 128, np.uint8)
    image.flags.writeable = False  # so that writing to the argument raises
    return image


def test_limbs_are_those_that_the_poses_carry(grey: np.ndarray) -> None:
    poses = one_person(("tip", "root"), [(60, 40), (60, 200)], [1.0, 1.0])
    joined = replace(poses, skeleton=((0, 1),))
    drawn = draw_poses(grey, joined, boxes=False)
    assert np.array_equal(drawn, draw_poses(grey, poses, skeleton=[(0, 1)], boxes=False))
    assert not np.array_equal(drawn, draw_poses(grey, poses, boxes=False))
    assert np.array_equal(
        draw_poses(grey, joined, skeleton=(), boxes=False), draw_poses(grey, poses, boxes=False)
    )


def test_a_picture_comes_back_in_the_order_that_was_asked_for(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    write_image(tmp_path / "a.png", picture)
    poses = one_person(("left_wrist",), [(60, 40)], [1.0])
    bgr = draw_poses(picture, poses)
    for source in (tmp_path / "a.png", (tmp_path / "a.png").read_bytes(), picture[:, :, ::-1]):
        assert np.array_equal(draw_poses(source, poses, color="rgb")[:, :, ::-1], bgr)
    assert np.array_equal(draw_poses(tmp_path / "a.png", poses), bgr)
    with pytest.raises(InputError, match="'RGB'"):
        draw_poses(picture, poses, color="RGB")  # type: ignore[arg-type]  # that is the test


def test_joints_of_the_left_are_warm_and_of_the_right_cold_in_both_channel_orders(grey: np.ndarray) -> None:
    names = ("left_wrist", "left_elbow", "right_wrist", "right_elbow")
    poses = one_person(names, [(60, 40), (60, 200), (200, 40), (200, 200)], [1.0] * 4)
    bgr = draw_poses(grey, poses, skeleton=[(0, 1), (2, 3)], boxes=False)
    rgb = draw_poses(grey, poses, skeleton=[(0, 1), (2, 3)], boxes=False, color="rgb")
    for y in (40, 200):
        blue, _, red = bgr[y, 60].astype(int)
        assert red > blue + 100
        blue, _, red = bgr[y, 200].astype(int)
        assert blue > red + 100
    assert np.array_equal(bgr[120, 60], bgr[120, 200])  # lines have the person's colour
    assert np.array_equal(rgb, bgr[:, :, ::-1])


@pytest.mark.parametrize("name", ["left_knee", "l_knee", "LeftKnee", "knee left", "left-knee"])
def test_sides_are_read_from_any_spelling(grey: np.ndarray, name: str) -> None:
    pixel = draw_poses(grey, one_person((name,), [(60, 40)], [1.0]), boxes=False)[40, 60].astype(int)
    assert pixel[2] > pixel[0] + 100


def test_surer_joints_are_larger_and_unsure_ones_left_out(grey: np.ndarray) -> None:
    def painted(score: float) -> int:
        picture = draw_poses(grey, one_person(("left_knee",), [(60, 40)], [score]), boxes=False, line_width=8)
        return int((picture != 128).any(axis=2).sum())

    assert painted(0.19) == 0
    assert 0 < painted(0.2) < painted(0.4) < painted(0.6) == painted(0.9)


def test_a_line_needs_both_its_joints(grey: np.ndarray) -> None:
    poses = one_person(("left_knee", "left_hip"), [(60, 40), (60, 200)], [1.0, 0.1])
    picture = draw_poses(grey, poses, skeleton=[(0, 1)], boxes=False)
    assert (picture[100:] == 128).all()


def test_lines_grow_with_the_picture() -> None:
    def share(scale: int) -> float:
        image = np.full((SIZE[0] * scale, SIZE[1] * scale, 3), 128, np.uint8)
        poses = one_person(("left_knee", "left_hip"), [(60, 40), (60, 200)], [1.0, 1.0])
        bigger = Poses(
            poses.keypoints * scale, poses.scores, poses.boxes * scale, poses.box_scores, poses.names
        )
        return float((draw_poses(image, bigger, skeleton=[(0, 1)]) != 128).any(axis=2).mean())

    # The same share of the picture is painted at any resolution; 15 %: whole pixels and antialiased rims.
    assert share(8) == pytest.approx(share(4), rel=0.15)


def test_nobody_found_gives_an_equal_copy(grey: np.ndarray) -> None:
    nobody = Poses(
        np.empty((0, 17, 2), np.float32),
        np.empty((0, 17), np.float32),
        np.empty((0, 4), np.float32),
        np.empty(0, np.float32),
        NAMES,
    )
    picture = draw_poses(grey, nobody)
    assert np.array_equal(picture, grey)
    assert not np.shares_memory(picture, grey)


def test_skeleton_with_a_joint_that_is_not_there(grey: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"joins \(0, 1\).*below 1"):
        draw_poses(grey, one_person(("tip",), [(1, 1)], [1.0]), skeleton=[(0, 1)])


coordinates = st.floats(width=32, allow_nan=True, allow_infinity=True)


@settings(deadline=None)  # the first drawing loads the cards
@given(
    points=arrays(np.float32, (17, 2), elements=coordinates | st.floats(-50, 400, width=32)),
    scores=arrays(np.float32, 17, elements=st.floats(0, 1, width=32) | st.just(float("nan"))),
    box=arrays(np.float32, 4, elements=coordinates | st.floats(-50, 400, width=32)),
)
def test_any_place_at_all_can_be_drawn(points: np.ndarray, scores: np.ndarray, box: np.ndarray) -> None:
    image = np.zeros((24, 32, 3), np.uint8)
    poses = Poses(points[None], scores[None], box[None], np.ones(1, np.float32), NAMES)
    assert draw_poses(image, poses).shape == image.shape
    assert not image.any()


def with_ids(poses: Poses, *ids: int) -> Poses:
    return replace(poses, ids=np.array(ids, np.int64))


def test_lines_and_box_show_who_it_is(grey: np.ndarray) -> None:
    poses = one_person(("left_hip", "right_hip"), [(60, 120), (200, 120)], [1.0, 1.0])
    one, again, two = (draw_poses(grey, with_ids(poses, number), skeleton=[(0, 1)]) for number in (1, 1, 2))
    assert np.array_equal(one, again)
    for y, x in ((120, 130), (220, 100)):  # the middle of the line, the lower side of the box
        assert np.abs(one[y, x].astype(int) - two[y, x]).max() > 60
    assert np.array_equal(one[120, 60], two[120, 60])  # the left joint is orange, whoever it is


@pytest.mark.parametrize("box", [[20, 40, 300, 220], [-50, -50, 30, 30], [310, 230, 500, 500], [400] * 4])
def test_the_id_is_written_inside_the_picture(grey: np.ndarray, box: list[float]) -> None:
    poses = replace(one_person(("nose",), [(1000, 1000)], [1.0]), boxes=np.array([box], np.float32))
    written = [draw_poses(grey, with_ids(poses, number)) for number in (11111, 77777)]
    # The same place, other digits: what differs is the writing, whatever its colour.
    rows, columns = np.nonzero((written[0] != written[1]).any(axis=2))
    assert rows.max() - rows.min() >= 8
    assert columns.max() - columns.min() >= 20
    assert np.array_equal(
        draw_poses(grey, with_ids(poses, 1), boxes=False), draw_poses(grey, poses, boxes=False)
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_a_box_that_is_nowhere_has_no_id(grey: np.ndarray, value: float) -> None:
    poses = replace(one_person(("nose",), [(1e7, 0)], [1.0]), boxes=np.full((1, 4), value, np.float32))
    assert np.array_equal(draw_poses(grey, with_ids(poses, 3)), grey)


def test_the_plate_says_the_score_of_the_box_where_that_is_asked_for(grey: np.ndarray) -> None:
    poses = one_person(("nose",), [(1000, 1000)], [1.0])
    better = replace(poses, box_scores=np.full(1, 0.5, np.float32))
    assert np.array_equal(draw_poses(grey, poses), draw_poses(grey, better))
    assert not np.array_equal(draw_poses(grey, poses, scores=True), draw_poses(grey, better, scores=True))
    written = draw_poses(grey, poses, scores=True, boxes=False)
    assert np.array_equal(written, grey)


def test_plates_of_people_in_one_place_do_not_cover_each_other(grey: np.ndarray) -> None:
    poses = one_person(("nose",), [(1000, 1000)], [1.0])
    three = replace(
        poses,
        keypoints=poses.keypoints.repeat(3, axis=0),
        scores=poses.scores.repeat(3, axis=0),
        boxes=np.array([[100, 100, 200, 200]] * 3, np.float32),
        box_scores=np.ones(3, np.float32),
    )
    drawn = draw_poses(grey, with_ids(three, 1, 2, 3))
    plates = [(drawn == colour[::-1]).all(axis=2).sum() for colour in PERSON_COLORS_RGB[1:4]]
    alone = (draw_poses(grey, with_ids(three[:1], 1)) == PERSON_COLORS_RGB[1][::-1]).all(axis=2).sum()
    frame = 4 * 100  # the sides of all boxes are those of the first
    assert min(plates) > 0.8 * (alone - frame)


def test_whoever_has_no_sure_joint_has_a_dashed_box(grey: np.ndarray) -> None:
    def share_of_the_lower_side(score: float) -> float:
        drawn = draw_poses(grey, one_person(("nose",), [(100, 100)], [score]), line_width=3)
        return float((drawn[220, 20:300] != 128).any(axis=1).mean())

    assert share_of_the_lower_side(0.5) == 1
    assert 0.4 < share_of_the_lower_side(0.1) < 0.75


def test_a_box_at_or_beyond_the_edge_is_drawn_along_the_edge(grey: np.ndarray) -> None:
    poses = replace(
        one_person(("nose",), [(100, 100)], [1.0]), boxes=np.array([[-40, -3, 400, 240]], np.float32)
    )
    painted = (draw_poses(grey, poses) == PERSON_COLORS_RGB[0][::-1]).all(axis=2)
    for side in (painted[:3], painted[-3:], painted[:, :3].T, painted[:, -3:].T):
        assert side.any(axis=0)[5:-5].all()


@pytest.mark.parametrize("width", [0, -1.0, float("nan"), float("inf")])
def test_a_line_width_that_is_none(grey: np.ndarray, width: float) -> None:
    with pytest.raises(InputError, match="line_width="):
        draw_poses(grey, one_person(("nose",), [(100, 100)], [1.0]), line_width=width)


def test_the_widest_lines_hide_the_picture(grey: np.ndarray) -> None:
    poses = replace(one_person(("tip", "root"), [(0, 0), (9, 9)], [1.0, 1.0]), ids=np.ones(1, np.int64))
    drawn = draw_poses(grey, poses, skeleton=[(0, 1)], line_width=1e9, legend=True)
    assert not (drawn[: SIZE[0]] == 128).all(axis=2).any()
    canvas = np.zeros((4, 4, 3), np.uint8)  # as if of a picture wider than OpenCV's widest line
    Painter(canvas).lines([np.zeros((2, 2))], [(1, 2, 3)], [40_000.0])
    assert (canvas == (3, 2, 1)).all()


def test_an_action_with_a_label_that_is_no_unicode(grey: np.ndarray) -> None:
    """JSON can hold one; OpenCV crashes on it."""
    poses = one_person(("nose",), [(100, 100)], [1.0])
    odd, question = (
        draw_poses(grey, replace(poses, actions=(Action(label, 0.9),))) for label in ("\udcff", "?")
    )
    assert np.array_equal(odd, question)


def test_lines_are_as_wide_as_asked_for(grey: np.ndarray) -> None:
    poses = one_person(("tip", "root"), [(160, 20), (160, 200)], [1.0, 1.0])
    for width in (2, 5, 11):
        row = draw_poses(grey, poses, skeleton=[(0, 1)], boxes=False, line_width=width)[110]
        core = (row == PERSON_COLORS_RGB[0][::-1]).all(axis=1).sum()
        assert core == pytest.approx(width, abs=2)  # whole pixels, and antialiased sides


def test_a_plate_leaves_the_head_free(grey: np.ndarray) -> None:
    poses = replace(
        one_person(("nose",), [(1000, 1000)], [1.0]), boxes=np.array([[20, 0, 300, 240]], np.float32)
    )
    head = slice(6, 40), slice(26, 294)  # inside the box's lines
    drawn = draw_poses(grey, poses, scores=True)
    assert (drawn[head] == 128).all()
    assert not np.array_equal(drawn, draw_poses(grey, poses))


def test_the_rim_of_a_box_grows_with_the_picture() -> None:
    picture = np.full((2000, 4000, 3), 255, np.uint8)
    poses = replace(
        one_person(("nose",), [(9000, 9000)], [1.0]), boxes=np.array([[400, 400, 3000, 1800]], np.float32)
    )
    is_dark = (draw_poses(picture, poses)[1000, 350:450] < 60).all(axis=1)
    assert is_dark.sum() >= 4  # pixels, of both sides of the line
