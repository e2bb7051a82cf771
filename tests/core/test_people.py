"""One-pass decoding, against the reference decoder's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_onnx.core.arrays import F32
from pose_onnx.core.people import People, PeopleHeads, decode_people, merge_mirrored, sigmoid, to_image
from pose_onnx.errors import InputError
from pose_onnx.resizing import RESIZERS

COCO_PAIRS = tuple((left, left + 1) for left in range(1, 17, 2))
TOLERANCE = 1e-4  # cells and pixels; float32 sums in another order differ by 4e-6
NAMES = ("hm", "wh", "hps", "reg", "hm_hp", "hp_offset")  # the reference's, in the order of our fields


def heads_of(arrays: Mapping[str, F32], prefix: str, *, index: int = 0, without: str = "") -> PeopleHeads:
    """Raw heads of a golden file, as the decoder takes them."""
    raw = {name: arrays[f"{prefix}{name}"][index] for name in NAMES}
    found = {name: sigmoid(head) if name in ("hm", "hm_hp") else head for name, head in raw.items()}
    for head in found.values():
        head.flags.writeable = False
    return PeopleHeads(*(None if name == without else found[name] for name in NAMES))  # type: ignore[arg-type]  # only those that may be


def table(people: People) -> F32:
    """The reference's 39 numbers of each person: box, score, joints."""
    count, joints, _ = people.joints.shape
    return np.concatenate(
        [people.boxes, people.scores[:, None], people.joints.reshape(count, 2 * joints)], axis=1
    )


@pytest.fixture(scope="module")
def golden(shared: Path) -> Mapping[str, F32]:
    with np.load(shared / "golden" / "centernet_decode.npz") as file:
        return dict(file)


@pytest.mark.parametrize(
    ("without", "most", "expected"),
    [
        ("", 100, "syn_decode"),
        ("reg", 100, "syn_decode_no_reg"),
        ("hp_offset", 100, "syn_decode_no_hp_offset"),
        ("hm_hp", 100, "syn_decode_no_hm_hp"),
        ("", 20, "syn_decode_k20"),
    ],
)
def test_people_are_those_of_the_reference(
    golden: Mapping[str, F32], without: str, most: int, expected: str
) -> None:
    found = table(decode_people(heads_of(golden, "syn_head_", without=without), most=most))
    rows = golden[expected]
    assert len(found) == len(rows)
    np.testing.assert_allclose(found, rows[:, :39], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("network", ["res50", "dla34", "hourglass"])
def test_people_of_whole_networks_are_those_of_the_reference(shared: Path, network: str) -> None:
    with np.load(shared / "golden" / f"centernet_{network}.npz") as file:
        people = decode_people(heads_of(file, "head_"))
        np.testing.assert_allclose(table(people), file["decode"][:, :39], rtol=0, atol=TOLERANCE)
        resized = RESIZERS["fix"](np.zeros((427, 640, 3), np.uint8), (256, 256))
        people = to_image(people, 4 * resized.scale, resized.offset)
        np.testing.assert_allclose(table(people), file["post"], rtol=0, atol=TOLERANCE)


def test_a_picture_and_its_mirror_image_are_merged_as_in_the_reference(golden: Mapping[str, F32]) -> None:
    heads, mirrored = (heads_of(golden, "flip_in_", index=index) for index in (0, 1))
    merged = merge_mirrored(heads, mirrored, COCO_PAIRS)
    for name, head in zip(NAMES, merged, strict=True):
        assert head is not None
        np.testing.assert_allclose(head, golden[f"flip_merged_{name}"][0], rtol=0, atol=1e-6, err_msg=name)
    found = table(decode_people(merged, most=8))
    np.testing.assert_allclose(found, golden["flip_decode_k8"][:, :39], rtol=0, atol=TOLERANCE)


def plain_loops(heads: PeopleHeads, most: int) -> tuple[list[tuple[float, ...]], list[list[float]]]:
    """The rules of `decode_people`, one cell, person and joint at a time."""
    assert heads.offsets is not None
    assert heads.joint_maps is not None
    assert heads.joint_offsets is not None

    def peaks(scores: F32, above: float) -> list[tuple[int, int]]:
        height, width = scores.shape
        found = [
            (y, x)
            for y in range(height)
            for x in range(width)
            if scores[y, x] > above
            and scores[y, x] == scores[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].max()
        ]
        return sorted(found, key=lambda cell: -scores[cell])[:most]

    rows: list[tuple[float, ...]] = []
    joint_scores: list[list[float]] = []
    for y, x in peaks(heads.centers[0], 0):
        center = np.array([x, y], np.float32) + heads.offsets[:, y, x]
        low, high = center - heads.sizes[:, y, x] / 2, center + heads.sizes[:, y, x] / 2
        joints, own = [], []
        for joint, scores in enumerate(heads.joint_maps):
            rough = heads.joints[2 * joint : 2 * joint + 2, y, x] + np.array([x, y], np.float32)
            place, score = rough, heads.centers[0, y, x]
            points = [
                (np.array([px, py], np.float32) + heads.joint_offsets[:, py, px], scores[py, px])
                for py, px in peaks(scores, np.float32(0.1))
            ]
            if points:
                point, peak = min(points, key=lambda pair: np.sqrt(((rough - pair[0]) ** 2).sum()))
                near = np.sqrt(((rough - point) ** 2).sum()) <= np.float32(0.3) * (high - low).max()
                if near and (point >= low).all() and (point <= high).all():
                    place, score = point, peak
            joints.extend(place.tolist())
            own.append(float(score))
        rows.append((*low, *high, heads.centers[0, y, x], *joints))
        joint_scores.append(own)
    return rows, joint_scores


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([1, 3, 100]))
def test_ties_plateaus_and_borders_are_as_in_plain_loops(seed: int, joints: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 9, 2)

    def head(channels: int, values: list[float]) -> F32:
        return rng.choice(np.array(values, np.float32), (channels, *shape))

    heads = PeopleHeads(
        head(1, [0, 0.25, 0.5]),
        head(2, [-2, 0, 3, 6]),
        head(2 * joints, [-2, -1, 0, 0.5, 2]),
        head(2, [0, 0.5]),
        head(joints, [0.1, 0.2, 0.3]),
        head(2, [0, 0.25]),
    )
    people = decode_people(heads, most=most)
    rows, joint_scores = plain_loops(heads, most)
    np.testing.assert_array_equal(table(people), np.array(rows, np.float32).reshape(table(people).shape))
    np.testing.assert_array_equal(people.joint_scores, np.array(joint_scores).reshape(-1, joints))


def test_a_joint_has_the_score_of_its_peak_or_of_the_person(golden: Mapping[str, F32]) -> None:
    heads = heads_of(golden, "syn_head_")
    people = decode_people(heads)
    assert heads.joint_maps is not None
    rough = decode_people(heads._replace(joint_maps=None)).joints
    moved = (people.joints != rough).any(axis=2)
    assert 0 < moved.sum() < moved.size
    person = np.broadcast_to(people.scores[:, None], moved.shape)
    np.testing.assert_array_equal(people.joint_scores[~moved], person[~moved])
    for _, joint in np.argwhere(moved):
        assert np.isin(people.joint_scores[moved[:, joint], joint], heads.joint_maps[joint]).all()


def test_only_people_above_a_threshold(golden: Mapping[str, F32]) -> None:
    heads = heads_of(golden, "syn_head_")
    everyone = decode_people(heads)
    threshold = float(everyone.scores[10])
    some = decode_people(heads, threshold=threshold)
    assert len(some.scores) == 10
    for found, expected in zip(some, everyone, strict=True):
        np.testing.assert_array_equal(found, expected[:10])


def test_nobody() -> None:
    heads = PeopleHeads(*(np.zeros((count, 8, 8), np.float32) for count in (1, 2, 34, 2, 17, 2)))
    people = decode_people(heads)
    assert [array.shape for array in people] == [(0, 4), (0,), (0, 17, 2), (0, 17)]


@pytest.mark.parametrize(
    ("field", "head", "match"),
    [
        ("sizes", np.zeros((2, 8, 9), np.float32), r"'sizes' has shape \(2, 8, 9\).*\(2, 8, 8\)"),
        ("joint_maps", np.zeros((16, 8, 8), np.float32), r"\(17, 8, 8\)"),
        ("centers", np.full((1, 8, 8), np.nan, np.float32), "NaN"),
        ("joint_maps", np.full((17, 8, 8), np.nan, np.float32), "NaN"),
    ],
)
def test_heads_that_cannot_be_read_are_one_sentence(field: str, head: F32, match: str) -> None:
    heads = PeopleHeads(*(np.zeros((count, 8, 8), np.float32) for count in (1, 2, 34, 2, 17, 2)))
    with pytest.raises(InputError, match=match):
        decode_people(heads._replace(**{field: head}))


@pytest.mark.parametrize(
    ("way", "image_size", "input_size", "expected"),
    [("keep", (250, 375), (256, 384), "syn_post_keep"), ("fix", (427, 640), (256, 384), "syn_post_fix")],
)
def test_people_in_image_pixels_are_those_of_the_reference(
    golden: Mapping[str, F32],
    way: str,
    image_size: tuple[int, int],
    input_size: tuple[int, int],
    expected: str,
) -> None:
    resized = RESIZERS[way](np.zeros((*image_size, 3), np.uint8), input_size)
    people = to_image(decode_people(heads_of(golden, "syn_head_")), 4 * resized.scale, resized.offset)
    np.testing.assert_allclose(table(people), golden[expected], rtol=0, atol=TOLERANCE)
