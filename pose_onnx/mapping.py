"""The people in many pictures: several at once, in order, with errors caught for each picture."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import Final, TypeVar

from pose_onnx.concurrency.stream import Stream
from pose_onnx.core.arrays import Image
from pose_onnx.pose_model import ParallelModel, PoseModel
from pose_onnx.poses import Poses

Item = TypeVar("Item")
Result = TypeVar("Result")

GROUP_SIZE: Final = 4
"""Pictures whose people are batched together, at most."""


def map_pictures(
    model: PoseModel,
    items: Iterable[Item],
    load: Callable[[Item], Image],
    use: Callable[[Item, Image, Poses], Result],
) -> Generator[Result | Exception]:
    """Load many pictures, find the people in them, and do something with each, several pictures at once.

    A picture's pixels are in memory from `load` to the end of `use`, both on the thread that finds its
    people: at most `GROUP_SIZE` pictures per thread, however many there are.

    Args:
        model: Finds the people; a model that is not a `ParallelModel` gets one picture at a time.
        items: One item for each picture; at most 8 per thread are taken in advance.
        load: Returns an item's pixels, (H, W, 3) uint8, BGR.
        use: Makes an item's result from its pixels and poses.

    Returns:
        For each item, in order, what `use` returned, or the exception that its processing raised.

    Raises:
        Exception: What `items` itself raises, after the results of the items before.
    """
    if isinstance(model, ParallelModel):
        work = partial(_work, model.find_many, load, use)
        return Stream(items, work, workers=model.workers, group=GROUP_SIZE).results()
    work = partial(_work, partial(_one_by_one, model), load, use)
    return Stream(items, work, workers=1, group=1).results()


def _one_by_one(model: PoseModel, images: Sequence[Image]) -> list[Poses]:
    return [model(image) for image in images]


def _work(
    find: Callable[[Sequence[Image]], Sequence[Poses]],
    load: Callable[[Item], Image],
    use: Callable[[Item, Image, Poses], Result],
    items: Sequence[Item],
) -> list[Result | Exception]:
    """Process some items on the calling thread; an error takes the place of the item's result."""
    try:
        images = [load(item) for item in items]
        found = find(images)
    except Exception as error:  # noqa: BLE001 (whatever is wrong with one, the others go on)
        if len(items) == 1:
            return [error]
        # The error is of one of them; processing each by itself shows which one.
        return [result for item in items for result in _work(find, load, use, [item])]
    return [_used(use, *each) for each in zip(items, images, found, strict=True)]


def _used(
    use: Callable[[Item, Image, Poses], Result], item: Item, image: Image, poses: Poses
) -> Result | Exception:
    try:
        return use(item, image, poses)
    except Exception as error:  # noqa: BLE001 (as above)
        return error
