"""Many pictures and videos on many workers, by Ray Data. Needs the `ray` extra."""

from pose_onnx.ray._batch import PoseBatch
from pose_onnx.ray._job import Report, run_batch
from pose_onnx.ray._table import SCHEMA

__all__ = ["SCHEMA", "PoseBatch", "Report", "run_batch"]
