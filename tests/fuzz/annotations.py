"""A fuzzer of the files that `eval` reads; `python -m tests.fuzz.annotations [KIND] [CASES] [FIRST]`.

A case is a small COCO annotation file, detection file, or file of earlier results, in which values are
replaced, fields left out, entries moved and doubled, or bytes changed. A refusal is a `PoseOnnxError`, of the
whole file or of one picture.
"""

from __future__ import annotations

import contextlib
import functools
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from pose_onnx.core.oks import COCO_SIGMAS
from pose_onnx.errors import PoseOnnxError
from pose_onnx.evaluation import Dataset, FileBoxes, bootstrap, box_metrics, keypoint_metrics
from pose_onnx.evaluation._predict import _finished
from tests.fuzz.child import run_cases

PICTURES: Final = 3
SETTINGS: Final = {"pose": "tinypose"}
JOINTS: Final = len(COCO_SIGMAS)
STRANGE: Final[tuple[Any, ...]] = (
    None, True, "", "x", "\0", "../a.png", [], {}, [[]], {"id": 1}, -1, 0, 1, 2, 7, 0.5, -1e9, 1e300, 10**400,
    2**31, 2**53, 2**63, 2**64, float("nan"), float("inf"), -float("inf"), [float("nan")] * 4, [1, 2, 3],
    [0, 0, -1, 5], [1e30] * 4, ["x"] * 51, [0] * 50, [1e308] * 51, [[1]] * 51,
)  # fmt: skip


def person(image_id: int, *, joints: int = JOINTS) -> dict[str, Any]:
    points = [value for joint in range(joints) for value in (10.0 + joint, 20.0 + joint, 2)]
    box = {"image_id": image_id, "category_id": 1, "bbox": [5.0, 6.0, 70.0, 90.0]}
    return {**box, "area": 4000.0, "iscrowd": 0, "num_keypoints": joints, "keypoints": points}


def truth() -> Any:
    images = [{"id": number, "file_name": f"{number}.png"} for number in range(PICTURES)]
    people = [{**person(number % PICTURES), "id": number + 1} for number in range(4)]
    return {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}


def boxes() -> Any:
    return [{**person(number % PICTURES), "score": 0.5 + number / 10} for number in range(4)]


def lines() -> Any:
    results = [
        {"image_id": number, "people": [{**person(number), "score": 0.5}], "boxes": boxes()[:1]}
        for number in range(PICTURES)
    ]
    return [{"settings": SETTINGS}, *results]


def write_json(content: Any) -> bytes:
    return json.dumps(content).encode()


def write_lines(content: Any) -> bytes:
    items = content if isinstance(content, list) else [content]
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def changed(whole: Callable[[], Any], write: Callable[[Any], bytes], seed: int) -> bytes:
    """Return a file with some changes, of its fields or, one time in four, of its bytes."""
    chance = random.Random(seed)  # noqa: S311 (no secret)
    content = whole()
    if seed % 4:
        holder = [content]
        for _ in range(chance.choice((1, 1, 2, 4))):
            change_field(holder, chance)
        return write(holder[0])
    data = bytearray(write(content))
    for _ in range(chance.choice((1, 3, 10))):
        place = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[place] = chance.randrange(256)
            case 1:
                del data[place : place + chance.randrange(1, 40)]
            case _:
                data[place:place] = bytes(chance.choice((b"[" * 3000, b'{"a":', b"NaN", b"\xff\xfe", b"\n")))
    return bytes(data)


def change_field(holder: list[Any], chance: random.Random) -> None:
    """Change one place in nested lists and objects, wherever it is."""
    parents = [(parent, key) for parent, key in places(holder)]
    parent, key = chance.choice(parents)
    match chance.randrange(6):
        case 0 if parent is not holder:
            del parent[key]
        case 1 if isinstance(parent, list) and parent is not holder:
            parent.insert(key, parent[key])
        case 2:
            other, from_ = chance.choice(parents)
            parent[key] = json.loads(json.dumps(other[from_]))
        case _:
            parent[key] = chance.choice(STRANGE)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Give every place below a value: the list or object that it is in, and its index or key."""
    for key in list(range(len(value))) if isinstance(value, list) else list(value):
        yield value, key
        if isinstance(value[key], list | dict):
            yield from places(value[key])


def read_annotations(case: bytes) -> None:
    with files({"truth.json": case}) as folder:
        evaluate(Dataset(folder / "truth.json", folder))


def read_boxes(case: bytes) -> None:
    with files({"truth.json": write_json(truth()), "boxes.json": case}) as folder:
        evaluate(Dataset(folder / "truth.json", folder), FileBoxes(folder / "boxes.json"))


def read_lines(case: bytes) -> None:
    with files({"truth.json": write_json(truth()), "pictures.jsonl": case}) as folder:
        dataset = Dataset(folder / "truth.json", folder)
        known = {item["image_id"]: item for item in _finished(folder / "pictures.jsonl", SETTINGS, JOINTS)}
        measure(dataset, [known[image_id] for image_id in dataset.image_ids if image_id in known])


@contextlib.contextmanager
def files(contents: Mapping[str, bytes]) -> Iterator[Path]:
    """Give a folder with these files; it is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="pose-onnx-fuzz-") as folder:
        for name, content in contents.items():
            Path(folder, name).write_bytes(content)
        yield Path(folder)


def evaluate(dataset: Dataset, source: FileBoxes | None = None) -> None:
    """Do what `eval` does with a file, but for the model: it finds everybody where they are not."""
    done = []
    pixels = np.zeros((1, 1, 3), np.uint8)
    for image_id in dataset.image_ids:
        with contextlib.suppress(PoseOnnxError):
            dataset.check(image_id, JOINTS)
            dataset.path(image_id)
            found = dataset.truth_boxes(image_id) if source is None else source(image_id, pixels)[0]
            people = [{**person(image_id), "score": 0.5} for _ in found]
            done.append({"image_id": image_id, "people": people, "boxes": people})
    measure(dataset, done)


def measure(dataset: Dataset, done: list[dict[str, Any]]) -> None:
    seen = [item["image_id"] for item in done]
    for figures, key in ((keypoint_metrics, "people"), (box_metrics, "boxes")):
        _, evaluation = figures(dataset, [entry for item in done for entry in item[key]], seen)
        bootstrap(evaluation, resamples=2)


KINDS: Final[dict[str, Callable[[int], bytes]]] = {
    "annotations": functools.partial(changed, truth, write_json),
    "boxes": functools.partial(changed, boxes, write_json),
    "lines": functools.partial(changed, lines, write_lines),
}


def failures(kind: str, seeds: range) -> tuple[list[str], int]:
    """Try the cases of some seeds; return what fails, and how many files were evaluated all the same."""
    found, read = [], 0
    verdicts = run_cases(f"tests.fuzz.annotations:read_{kind}", map(KINDS[kind], seeds))
    for seed, verdict in zip(seeds, verdicts, strict=True):
        read += not verdict.failure and not verdict.refusal
        if verdict.failure:
            found.append(f"{kind} seed {seed}: {verdict.failure}")
    return found, read


def main() -> int:
    """Try many seeds; print what fails."""
    kinds = sys.argv[1:2] or list(KINDS)
    cases, first = (*map(int, sys.argv[2:4]), *(5_000, 0)[len(sys.argv[2:4]) :])
    failed = 0
    for kind in kinds:
        found, read = failures(kind, range(first, first + cases))
        failed += len(found)
        print(*found, f"{cases} {kind}, {read} evaluated, {len(found)} failed", sep="\n")  # noqa: T201
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
