"""The card of an inference folder, from its config and what its program returns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pose_onnx import BoxOutput, ExportError, HeatmapOutput, load_card
from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.derive import derive_card
from pose_onnx.exporters.infer_cfg import read_infer_cfg
from pose_onnx.exporters.outputs import Shape
from pose_onnx.exporters.program import Nms, Program, demand_known
from pose_onnx.outputs import ProposalOutput

DETECTOR = """metric: COCO
Preprocess:
- {interp: 2, keep_ratio: false, target_size: [320, 416], type: Resize}
- {is_scale: true, mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6], type: NormalizeImage}
- {type: Permute}
label_list: [person, forklift]
NMS: {keep_top_k: 50, nms_threshold: 0.5}
fpn_stride: [8, 16]
"""
TWO_STAGE = DETECTOR.replace("false, target_size: [320, 416]", "true, target_size: [64, 64]").replace(
    "Permute}", "Permute}\n- {stride: 32, type: PadStride}"
)
POSE = """metric: KeyPointTopDownCOCOEval
Preprocess:
- {trainsize: [192, 256], type: TopDownEvalAffine}
label_list: [keypoint]
"""
ATTRIBUTES = {
    "normalized": 1.0,
    "nms_eta": 1.0,
    "background_label": 2.0,
    "nms_threshold": 0.44999998807907104,  # float32
    "keep_top_k": 100.0,
}


def derive(
    tmp_path: Path, text: str, *outputs: Shape, nms: Nms | None = None, clips: bool = False
) -> tuple[ModelCard, tuple[str, ...]]:
    (tmp_path / "infer_cfg.yml").write_text(text)
    config = read_infer_cfg(tmp_path)
    assert config is not None
    return derive_card("mine", "exported from mine", config, Program(outputs, nms, clips))


def nms(classes: int = 2, other: Mapping[str, float] | None = None) -> Nms:
    return Nms("multiclass_nms3", (-1, 30, 4), (-1, classes, 30), {**ATTRIBUTES, **(other or {})})


def test_a_detector_is_what_config_and_program_say(tmp_path: Path) -> None:
    card, notes = derive(tmp_path, DETECTOR, (-1, 6), nms=nms())
    assert (card.task, card.picture.size, card.picture.resize) == ("detect", (320, 416), "stretch")
    assert (card.picture.mean, card.picture.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert card.classes == ("person", "forklift")
    # The program suppresses with its own numbers; those of the config are for programs that do not.
    assert card.output == BoxOutput(nms_iou=0.45, max_boxes=100, strides=(8, 16))
    assert notes == ()


def test_matrix_nms_and_boxes_that_end_inside_are_told(tmp_path: Path) -> None:
    given = {"keep_top_k": 50.0, "background_label": -1.0, "normalized": 0.0, "gaussian_sigma": 3.0}
    for use, name in ((0.0, "matrix_linear"), (1.0, "matrix_gaussian")):
        suppression = Nms("matrix_nms", (-1, 30, 4), (-1, 2, 30), {**given, "use_gaussian": use})
        card, _ = derive(tmp_path, DETECTOR, (-1, 6), nms=suppression, clips=True)
        expected = BoxOutput(max_boxes=50, strides=(8, 16), nms=name, sigma=3.0, ends_inside=True)
        assert card.output == expected


@pytest.mark.parametrize(
    ("outputs", "bins"),
    [
        ([(1, 30, 4), (1, 2, 30)], 8),  # boxes and scores
        ([(1, 30, 2), (1, 30, 4)], 8),
        ([(1, 24, 2), (1, 6, 2), (1, 24, 32), (1, 6, 32)], 8),  # scores, then distributions, for each level
        ([(1, 24, 2), (1, 6, 2), (1, 24, 68), (1, 6, 68)], 17),
    ],
)
def test_a_program_without_suppression_has_that_of_the_config(
    tmp_path: Path, outputs: list[Shape], bins: int
) -> None:
    card, _ = derive(tmp_path, DETECTOR, *outputs)
    assert card.output == BoxOutput(nms_iou=0.5, max_boxes=50, strides=(8, 16), bins=bins)
    assert card.classes == ("person", "forklift")
    with pytest.raises(ExportError, match="does not say how"):
        derive(tmp_path, DETECTOR.replace("NMS", "other"), *outputs)


def test_a_keypoint_model_of_coco_has_its_joints(tmp_path: Path) -> None:
    card, notes = derive(tmp_path, POSE, (-1, 17, 64, 48))
    official = load_card("tinypose_256x192")
    assert (card.task, card.picture.size, card.picture.resize) == ("keypoints", (256, 192), "affine_crop")
    assert card.output == HeatmapOutput(stride=4, blur_kernel=3)
    assert (card.keypoints, card.flip_pairs) == (official.keypoints, official.flip_pairs)
    assert card.skeleton == official.skeleton
    assert notes == ()


def test_a_keypoint_model_without_dark_takes_quarter_steps(tmp_path: Path) -> None:
    card, _ = derive(tmp_path, f"{POSE}use_dark: false\n", (-1, 17, 64, 48))
    assert card.output == HeatmapOutput(stride=4, refine="quarter")


@pytest.mark.parametrize(
    ("joints", "metric"), [(21, "KeyPointTopDownCOCOEval"), (17, "KeyPointTopDownMPIIEval"), (17, "")]
)
def test_joints_that_nobody_names_are_numbered(tmp_path: Path, joints: int, metric: str) -> None:
    card, notes = derive(tmp_path, POSE.replace("KeyPointTopDownCOCOEval", metric), (-1, joints, 64, 48))
    assert card.keypoints == tuple(f"joint_{i}" for i in range(joints))
    assert card.flip_pairs == ()
    assert len(notes) == 1
    assert f"the {joints} joints" in notes[0]
    assert "--card" in notes[0]


def test_classes_that_nobody_names_are_numbered(tmp_path: Path) -> None:
    card, notes = derive(tmp_path, DETECTOR, nms=nms(classes=1))
    assert card.classes == ("class_0",)
    assert notes[0].startswith("the network has 1 classes, but infer_cfg.yml names 2, so they are numbered")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (DETECTOR.replace("keep_ratio: false", "keep_ratio: true"), "'pad', but outputs of the kind 'boxes'"),
        (DETECTOR.replace("interp: 2", "interp: 1"), r"Resize \{'interp': 1"),
        (DETECTOR.replace("type: Permute", "stride: 32, type: PadStride"), r"PadStride \{'stride': 32\}"),
        (POSE, "by 'affine_crop', but outputs of the kind 'boxes' need 'stretch'"),
        ("label_list: [a, b]", "'nothing', but"),
    ],
)
def test_pictures_that_are_prepared_in_another_way_are_refused(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ExportError, match=f"prepares pictures with {what.removeprefix('by ')}"):
        derive(tmp_path, text, nms=nms())


@pytest.mark.parametrize("text", [POSE.replace("trainsize", "use_udp: true, trainsize")])
def test_crops_of_another_geometry_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ExportError, match=r"TopDownEvalAffine \{'use_udp': True"):
        derive(tmp_path, text, (-1, 17, 64, 48))


@pytest.mark.parametrize(
    "outputs", [[(100, 6)], [(1, 17, 64, 40)], [(1, 17, 64, 48)] * 2, [(1, 5, 2), (1, 5, 2), (1, 5, 32)]]
)
def test_outputs_of_no_known_kind_are_named(tmp_path: Path, outputs: list[Shape]) -> None:
    with pytest.raises(ExportError, match=r"outputs \[\[.*of an unknown kind.*pose_onnx/outputs/"):
        derive(tmp_path, f"{POSE}{DETECTOR[DETECTOR.index('NMS') :]}", *outputs)


def test_suppression_of_another_kind_is_refused(tmp_path: Path) -> None:
    for other in ({"nms_eta": 0.9}, {"normalized": 0.0}, {"background_label": 0.0}):
        with pytest.raises(ExportError, match=next(iter(other))):
            derive(tmp_path, DETECTOR, nms=nms(other=other))
    for boxes, scores in (((-1, 4), (-1, 2)), ((-1, 1, 4), (-1, 2)), ((-1, 2, 4), (-1,))):
        with pytest.raises(ExportError, match=r"only \(N, A, 4\) and \(N, C, A\), or \(R, C, 4\)"):
            derive(tmp_path, DETECTOR, nms=Nms("multiclass_nms3", boxes, scores, ATTRIBUTES))


def test_boxes_of_regions_are_those_of_a_two_stage_detector(tmp_path: Path) -> None:
    regions = Nms("multiclass_nms3", (-1, 2, 4), (-1, 2), ATTRIBUTES)
    card, _ = derive(tmp_path, TWO_STAGE, (-1, 6), nms=regions)
    assert card.output == ProposalOutput(nms_iou=0.45, max_boxes=100)
    assert (card.picture.size, card.picture.resize) == ((64, 64), "pad")
    # A picture is upright or lying, and its shorter side has the smaller limit.
    wide = TWO_STAGE.replace("[64, 64]", "[64, 90]")
    assert derive(tmp_path, wide, (-1, 6), nms=regions)[0].picture.size == (64, 90)
    with pytest.raises(ExportError, match=r"PadStride \{'stride': 48\}"):
        derive(tmp_path, TWO_STAGE.replace("stride: 32", "stride: 48"), nms=regions)
    with pytest.raises(ExportError, match="'stretch', but"):
        derive(tmp_path, DETECTOR, nms=regions)


def test_a_picture_that_looks_like_padding_is_refused(tmp_path: Path) -> None:
    regions = Nms("multiclass_nms3", (-1, 2, 4), (-1, 2), ATTRIBUTES)
    text = TWO_STAGE.replace("mean: [0.1, 0.2, 0.3]", "mean: [0, 0.2, 0.3]")
    with pytest.raises(ExportError, match=r"makes 0 of some pixels \(mean \[0.0, 0.2, 0.3\]\)"):
        derive(tmp_path, text, nms=regions)


def test_operators_without_a_way_to_onnx_are_named() -> None:
    demand_known(["conv2d", "multiclass_nms3"])
    with pytest.raises(ExportError, match=r"operators \['generate_proposals', 'while'\]"):
        demand_known(["while", "conv2d", "generate_proposals", "while"])
    with pytest.raises(ExportError, match=r"two-stage .* feature pyramid"):
        demand_known(["generate_proposals"])
