"""Results of videos and pictures in the formats of other tools: JSON Lines, CSV, COCO, supervision."""

from pose_onnx.formats._coco import (
    PERSON_CATEGORY,
    coco_annotations,
    coco_results,
    write_coco_dataset,
    write_coco_results,
)
from pose_onnx.formats._csv import write_csv, write_csv_rows
from pose_onnx.formats._frames import FrameRecord, FramesEnd, FramesHeader
from pose_onnx.formats._jsonl import SCHEMA, FrameWriter, read_end, read_frames, read_header
from pose_onnx.formats._people import boxes_to_json, people_from_json, people_to_json
from pose_onnx.formats.supervision import (
    boxes_to_supervision,
    from_detections,
    from_key_points,
    to_detections,
    to_key_points,
)

__all__ = [
    "PERSON_CATEGORY",
    "SCHEMA",
    "FrameRecord",
    "FrameWriter",
    "FramesEnd",
    "FramesHeader",
    "boxes_to_json",
    "boxes_to_supervision",
    "coco_annotations",
    "coco_results",
    "from_detections",
    "from_key_points",
    "people_from_json",
    "people_to_json",
    "read_end",
    "read_frames",
    "read_header",
    "to_detections",
    "to_key_points",
    "write_coco_dataset",
    "write_coco_results",
    "write_csv",
    "write_csv_rows",
]
