"""Derives the card of an inference folder from its `infer_cfg.yml` and the outputs of its program.

The card only states what the folder proves. Unknown names become numbers, and a sentence says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.input import InputSpec
from pose_onnx.cards.lookup import load_card
from pose_onnx.core.arrays import BOX
from pose_onnx.errors import ExportError
from pose_onnx.exporters.infer_cfg import FILE_NAME, InferConfig
from pose_onnx.exporters.outputs._export import Shape
from pose_onnx.exporters.outputs.boxes import BOX_RANK
from pose_onnx.exporters.outputs.heatmaps import HEATMAP_RANK
from pose_onnx.exporters.program import NMS_KINDS, Nms, Program
from pose_onnx.outputs import BoxOutput, CenterOutput, HeatmapOutput, OutputSpec, ProposalOutput
from pose_onnx.outputs.centers import PLANE
from pose_onnx.outputs.heatmaps import DARK, QUARTER

COCO_METRIC: Final = "KeyPointTopDownCOCOEval"
"""PaddleDetection's name for an evaluation on COCO's 17 joints."""
COCO_CARD: Final = "tinypose_256x192"
"""Name of a card with the names, flip pairs and limbs of COCO's joints."""
PIXELS: Final = 256
"""Number of values that a pixel can have."""
PAIR: Final = 2
"""Number of tensors: boxes and scores."""
HOW_TO_NAME: Final = "give a card that names them by --card (docs/export.md)"


class _Derived(NamedTuple):
    """What a finder learned from the outputs.

    Attributes:
        output: the output section of the card.
        resize: the resize mode that fits the outputs.
        classes: number of classes of a detector.
        joints: number of joints of a keypoint model.
    """

    output: OutputSpec
    resize: str
    classes: int = 0
    joints: int = 0


def derive_card(
    name: str, source: str, config: InferConfig, program: Program
) -> tuple[ModelCard, tuple[str, ...]]:
    """Make the card of a folder.

    Args:
        name: name of the model.
        source: where the model comes from, in words.
        config: the folder's `infer_cfg.yml`.
        program: what the folder's program returns.

    Returns:
        The card, and one sentence for each thing that it lacks.

    Raises:
        ExportError: the outputs, or the steps before the network, are not known.
    """
    found = _find(config, program)
    _demand_prepared(config, found)
    classes, class_notes = _class_names(found.classes, config)
    like, joint_notes = _joints(found.joints, config)
    mean, std = config.normalisation
    card = ModelCard(
        name,
        architecture="",
        input=InputSpec(config.input_size or (0, 0), config.resize, config.color, mean, std),
        output=found.output,
        classes=classes,
        keypoints=like.keypoints if like else _numbered("joint", found.joints),
        flip_pairs=like.flip_pairs if like else (),
        skeleton=like.skeleton if like else (),
        source=source,
    )
    return card, (*class_notes, *joint_notes)


def _find(config: InferConfig, program: Program) -> _Derived:
    if program.nms is not None:
        return _from_nms(config, program.nms, clips=program.clips)
    if program.centers:
        return _from_centers(config, program.centers)
    for finder in (_from_heatmaps, _from_tables):
        if found := finder(config, program.outputs):
            return found
    raise ExportError(
        f"the program's outputs {[list(shape) for shape in program.outputs]} are of an unknown kind; add "
        "the kind in pose_onnx/outputs/ and pose_onnx/exporters/outputs/ (docs/architecture.md), and give "
        "a card with it by --card"
    )


def _from_nms(config: InferConfig, nms: Nms, *, clips: bool) -> _Derived:
    of_regions = nms.boxes == (*nms.scores, BOX)
    if len(nms.boxes) != BOX_RANK or len(nms.scores) != BOX_RANK - of_regions or nms.boxes[-1] != BOX:
        raise ExportError(
            f"the program's NMS has boxes {list(nms.boxes)} and scores {list(nms.scores)}, but only (N, A, "
            "4) and (N, C, A), or (R, C, 4) and (R, C), can be exported"
        )
    classes = _known_size(nms.scores[1], "the number of classes")
    required = NMS_KINDS[nms.kind].required
    other = {name: nms.attributes[name] for name, value in required.items() if nms.attributes[name] != value}
    if 0 <= nms.attributes["background_label"] < classes:
        other["background_label"] = nms.attributes["background_label"]
    if other:
        raise ExportError(
            f"the program's NMS has the unsupported options {other}; export the model with other options"
        )
    if of_regions:
        return _from_regions(config, nms, classes)
    output = replace(
        _box_output(config, nms.attributes),
        nms=NMS_KINDS[nms.kind].select(nms.attributes),
        sigma=nms.attributes.get("gaussian_sigma", BoxOutput().sigma),
        ends_inside=clips,
    )
    return _Derived(output, "stretch", classes=classes)


def _from_regions(config: InferConfig, nms: Nms, classes: int) -> _Derived:
    mean, std = config.normalisation
    spec = InputSpec((1, 1), config.resize, config.color, mean, std)
    pixels = np.arange(PIXELS, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    values = np.empty((3, 1, PIXELS), np.float32)
    spec.normalize(pixels, out=values)
    if not values.all(axis=0).all():
        raise ExportError(
            f"{FILE_NAME} makes 0 of some pixels (mean {list(mean)}), so the network cannot tell the picture"
            " from the padding; such two-stage detectors cannot be exported"
        )
    output = _box_output(config, nms.attributes)
    return _Derived(ProposalOutput(output.nms_iou, output.max_boxes), "pad", classes=classes)


def _from_centers(config: InferConfig, maps: Sequence[Shape]) -> _Derived:
    centers, *others = maps
    if any(shape[1] != PLANE for shape in others):
        raise ExportError(
            f"the program's maps of sizes and offsets are {[list(shape) for shape in others]}, but only "
            "maps of two channels can be exported"
        )
    rows = _known_size(centers[2], "the maps' size")
    stride = (config.input_size or (0, 0))[0] // rows
    classes = _known_size(centers[1], "the number of classes")
    return _Derived(CenterOutput(stride=stride), config.resize, classes=classes)


def _from_tables(config: InferConfig, outputs: Sequence[Shape]) -> _Derived | None:
    """Recognise a program without NMS: boxes and scores, or each level's scores, then edge distributions."""
    if len(outputs) < PAIR or any(len(shape) != BOX_RANK for shape in outputs):
        return None
    if not {"nms_threshold", "keep_top_k"} <= {*config.nms}:
        raise ExportError(
            f"the program has no NMS, and {FILE_NAME} does not say how to suppress boxes (NMS: "
            "nms_threshold, keep_top_k); say which model it is by --model, --like or --card"
        )
    if len(outputs) == PAIR:
        boxes, scores = sorted(outputs, key=lambda shape: shape[-1] != BOX)
        classes = scores[1] if scores[-1] == boxes[1] else scores[-1]
        bins = None
    else:
        classes, edges = outputs[0][-1], _known_size(outputs[-1][-1], "the number of bins")
        bins = edges // BOX
        if len(outputs) != PAIR * len(config.strides) or edges % BOX:
            return None
    output = _box_output(config, config.nms, bins)
    return _Derived(output, "stretch", classes=_known_size(classes, "the number of classes"))


def _from_heatmaps(config: InferConfig, outputs: Sequence[Shape]) -> _Derived | None:
    if config.input_size is None or len(outputs) != 1 or len(outputs[0]) != HEATMAP_RANK:
        return None
    _, joints, height, width = (_known_size(size, "a heatmap's size") for size in (1, *outputs[0][1:]))
    stride = config.input_size[0] // height
    if (height * stride, width * stride) != config.input_size:
        return None
    # PaddleDetection deploys every model with this kernel (deploy/python/keypoint_postprocess.py).
    output = HeatmapOutput(stride=stride, blur_kernel=3, refine=DARK if config.dark else QUARTER)
    return _Derived(output, "affine_crop", joints=joints)


def _box_output(config: InferConfig, options: Mapping[str, float], bins: int | None = None) -> BoxOutput:
    # Programs store float32 values: 0.6000000238418579 means 0.6.
    output = BoxOutput(
        nms_iou=round(options.get("nms_threshold", BoxOutput().nms_iou), 6),
        strides=config.strides or BoxOutput().strides,
    )
    most = int(options["keep_top_k"])
    output = replace(output, max_boxes=most) if most > 0 else output
    return replace(output, bins=bins) if bins else output


def _known_size(size: int | str, what: str) -> int:
    if isinstance(size, int) and size > 0:
        return size
    raise ExportError(f"the program does not fix {what}; say which model it is by --model, --like or --card")


def _demand_prepared(config: InferConfig, found: _Derived) -> None:
    if config.strange:
        raise ExportError(
            f"{FILE_NAME} prepares pictures with {'; '.join(config.strange)}, which is not supported; add "
            "it in pose_onnx/resizing/ (docs/architecture.md), and give a card with it by --card"
        )
    if config.input_size is None or config.resize != found.resize:
        raise ExportError(
            f"{FILE_NAME} prepares pictures with {config.resize or 'nothing'!r}, but outputs of the kind "
            f"{found.output.kind!r} need {found.resize!r}; say which model it is by --model, --like or "
            "--card"
        )


def _class_names(count: int, config: InferConfig) -> tuple[tuple[str, ...], list[str]]:
    if not count or len(config.labels) == count:
        return config.labels if count else (), []
    note = (
        f"the network has {count} classes, but {FILE_NAME} names {len(config.labels)}, so they are numbered; "
    )
    return _numbered("class", count), [note + HOW_TO_NAME]


def _joints(count: int, config: InferConfig) -> tuple[ModelCard | None, list[str]]:
    if not count:
        return None, []
    coco = load_card(COCO_CARD)
    if config.metric == COCO_METRIC and len(coco.keypoints) == count:
        return coco, []
    note = (
        f"the names of the {count} joints are unknown, so they are numbered and have no flip pairs and "
        "limbs; "
    )
    return None, [note + HOW_TO_NAME]


def _numbered(what: str, count: int) -> tuple[str, ...]:
    return tuple(f"{what}_{index}" for index in range(count))
