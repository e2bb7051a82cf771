"""Poses of many images, for every class of this package that finds poses in one image."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from typing import Final, Literal, overload

from pose_onnx.core.arrays import Image
from pose_onnx.core.images import Color, check_color
from pose_onnx.errors import InputError, PoseOnnxError
from pose_onnx.failures import failure_of
from pose_onnx.image_files import ImageSource, load_image
from pose_onnx.mapping import map_pictures
from pose_onnx.pose_model import PoseModel
from pose_onnx.poses import Poses

_ON_ERROR: Final = ("raise", "return")


class ManyImages:
    """`map`, of a `PoseModel`."""

    @overload
    def map(
        self: PoseModel,
        images: Iterable[ImageSource],
        *,
        color: Color = "bgr",
        on_error: Literal["raise"] = "raise",
    ) -> Iterator[Poses]: ...

    @overload
    def map(
        self: PoseModel, images: Iterable[ImageSource], *, color: Color = "bgr", on_error: Literal["return"]
    ) -> Iterator[Poses | PoseOnnxError]: ...

    def map(
        self: PoseModel,
        images: Iterable[ImageSource],
        *,
        color: Color = "bgr",
        on_error: Literal["raise", "return"] = "raise",
    ) -> Iterator[Poses | PoseOnnxError]:
        """Find the people in many images, several images at once if the model can.

        With a `ParallelModel`, each of `workers` threads loads images and runs the networks on them, so
        that these steps overlap between images; with any other model a single thread does. One more thread
        takes the next items from `images`, which may block (a camera) without delaying results. At most 8
        images per thread are taken before their results are requested; an array must not be written to
        until its result has been returned. Work starts when the first result is requested. Dropping or
        closing the iterator, as a `break` does, ends it once the images in progress are done; then no
        thread is inside `images`, unless it has been blocking for 5 seconds.

        Args:
            images: Each as in a call.
            color: Channel order of arrays.
            on_error: `"raise"` raises what is wrong with an image in that image's turn, and ends there;
                `"return"` gives the error in place of the poses and continues: a `PoseOnnxError`, which is an
                `UnexpectedError` for whatever this package did not raise on purpose.

        Returns:
            The poses of each image, in the order of `images`; equal to those of a call for each.

        Raises:
            InputError: An image cannot be used; or `images` is a single path.
            Exception: What `images` itself raises, after the results of the images before.

        Example:
            >>> for poses in estimator.map(sorted(Path("photos").glob("*.jpg"))):  # doctest: +SKIP
            ...     print(len(poses))
        """
        if isinstance(images, str | os.PathLike):
            raise InputError(f"images={str(images)!r} was given; give an iterable of images, such as [image]")
        if on_error not in _ON_ERROR:
            raise InputError(f"on_error={on_error!r} was given; it must be 'raise' or 'return'")
        check_color(color)
        results = map_pictures(self, images, partial(load_image, color=color), _poses_alone)
        return _in_turn(results, is_returned=on_error == "return")


def _poses_alone(_source: ImageSource, _image: Image, poses: Poses) -> Poses:
    return poses


def _in_turn(results: Generator[Poses | Exception], *, is_returned: bool) -> Iterator[Poses | PoseOnnxError]:
    """Yield results; errors become errors of this package, and are yielded or raised."""
    with closing(results):
        for index, result in enumerate(results):
            if not isinstance(result, Exception):
                yield result
            elif is_returned:
                yield failure_of(f"image {index}", result)
            else:
                raise result
