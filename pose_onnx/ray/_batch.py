"""The actor of a batch job: loads the models once and turns items into rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

from pose_onnx.addresses import redacted
from pose_onnx.core.arrays import Image
from pose_onnx.core.opencv import cv2
from pose_onnx.errors import InputError
from pose_onnx.image_files import decode_image
from pose_onnx.mapping import map_pictures
from pose_onnx.pose_estimator import PoseEstimator
from pose_onnx.pose_model import PoseModel
from pose_onnx.poses import Poses
from pose_onnx.ray._engine import pa
from pose_onnx.ray._places import is_video, local_copy, read_bytes
from pose_onnx.ray._table import Row, failed, table_of
from pose_onnx.video import VideoPoseEstimator, open_source

FRAMES_PER_TABLE: Final = 256
"""Rows of a video that are in memory at once; each such table becomes a row group of the Parquet file."""

_Item: TypeAlias = tuple[str, bytes | None]
"""A picture's address, and its content if already read."""


class PoseBatch:
    """Finds people in batches of pictures and videos: the class for `ray.data.Dataset.map_batches`.

    The batches need a column `path`, an address of a picture or video, and may have a column `bytes` with
    the pictures' content. The rows that come out are those of `SCHEMA`; an item that cannot be used
    becomes a row with its error, and the others go on.

    Args:
        threads: Threads inside one model run. Give the actor as many CPUs (`num_cpus`), and leave one CPU
            for Ray's reading and writing: if actors hold all CPUs, Ray waits forever.
        options: Keyword arguments of `PoseEstimator`.

    Attributes:
        facts: The result of `PoseModel.describe` on this machine: names, settings, digests.

    Raises:
        PoseOnnxError: As for `PoseEstimator`: a name, model or option cannot be used.

    Example:
        >>> files = ray.data.read_binary_files("s3://bucket/photos", include_paths=True)  # doctest: +SKIP
        >>> rows = files.map_batches(
        ...     PoseBatch, batch_size=64, batch_format="pyarrow", compute=ray.data.ActorPoolStrategy(size=1),
        ...     fn_constructor_kwargs={"pose": "tinypose_256x192"},
        ... )  # doctest: +SKIP
    """

    def __init__(self, *, threads: int = 1, **options: Any) -> None:
        cv2.setNumThreads(threads)  # of this process, which is the actor's own
        self._model: PoseModel = PoseEstimator(threads=threads, **options)
        self.facts: Final = self._model.describe()
        self._names = (self.facts.get("detector"), self.facts.get("pose"))

    def __call__(self, batch: Any) -> Iterator[Any]:
        """Yield the rows of a batch: one Arrow table for its pictures and further tables for its videos.

        Args:
            batch: Arrow table, or a mapping of column names to arrays.

        Raises:
            InputError: It has no column `path`.
        """
        paths, contents = _columns(batch)
        pictures = [item for item in zip(paths, contents, strict=True) if not is_video(item[0])]
        if pictures:
            yield table_of(self._pictures(pictures), *self._names)
        for path in filter(is_video, paths):
            rows = self._video(path)
            while some := list(islice(rows, FRAMES_PER_TABLE)):
                yield table_of(some, *self._names)

    def _pictures(self, items: Sequence[_Item]) -> list[Row]:
        """Return the rows of pictures; an error of one does not stop the others."""
        results = map_pictures(self._model, items, _load, _row)
        return [
            failed(path, result) if isinstance(result, Exception) else result
            for (path, _), result in zip(items, results, strict=True)
        ]

    def _video(self, path: str) -> Iterator[Row]:
        try:
            frame = None
            with local_copy(path) as file, open_source(file) as source:
                for frame in VideoPoseEstimator(self._model).run(source):
                    yield Row(path, frame.poses, _size(frame.image), frame.index, frame.time)
            if lost := source.skipped + source.missing:
                raise InputError(  # noqa: TRY301 (recorded)
                    f"{path!r} lacks {lost} of its frames: {source.skipped} cannot be decoded and "
                    f"{source.missing} are missing at the end; get a complete copy of it"
                )
            if frame is None:  # without a row, the video would not count as processed
                raise InputError(f"{path!r} contains no frames; give a complete video")  # noqa: TRY301 (recorded)
        except Exception as error:  # noqa: BLE001 (as above; the frames before it stay)
            yield failed(path, error)


def _load(item: _Item) -> Image:
    path, content = item
    return decode_image(read_bytes(path) if content is None else content, redacted(path))


def _row(item: _Item, image: Image, poses: Poses) -> Row:
    return Row(item[0], poses, _size(image))


def _size(image: Image) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _columns(batch: Any) -> tuple[Sequence[str], Sequence[bytes | None]]:
    table = pa.table(dict(batch)) if isinstance(batch, Mapping) else batch
    if "path" not in table.column_names:
        raise InputError(
            f"the batch has the columns {table.column_names}; it needs 'path', for example from "
            "ray.data.read_binary_files(..., include_paths=True)"
        )
    paths = table["path"].to_pylist()
    return paths, table["bytes"].to_pylist() if "bytes" in table.column_names else [None] * len(paths)
