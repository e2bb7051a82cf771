"""Model files whose fields were changed: indices, sizes, shapes, kinds of operators, names, and plain bytes.

`python -m tests.fuzz.models [tflite|onnx [CASES [FIRST_SEED]]]` tries many, each in a process with limits.
"""

from __future__ import annotations

import random
import sys
import tempfile
from contextlib import suppress
from functools import cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema

from pose_onnx import read_card
from pose_onnx.errors import ExportError, MissingCardError
from pose_onnx.exporters.tflite import convert
from pose_onnx.runtimes import open_runtime
from tests.exporters.fuzz.graphs import random_model
from tests.fuzz.child import run_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

NUMBERS: Final = (
    *range(-3, 10), 31, 32, 118, 127, 128, 255, 256, 1000, 2**15, 2**16, 2**20,
    2**31 - 1, -(2**31), 2**31, 2**32 - 1, 2**40, 2**62, -(2**63), 2**63 - 1,
)  # fmt: skip
"""What a whole number is replaced by: what indices, sizes and codes get wrong."""
FLOATS: Final = (0.0, -1.0, 1e30, float("nan"), float("inf"))
MAX_CHANGES: Final = 3
SEEDS: Final = 40
"""Networks that are changed."""
MAX_RUN: Final = 1 << 22
"""Numbers in an input with which a network that was read is also run."""


def read_tflite(case: bytes) -> None:
    """Load, read the card, and run, as the package does with a file from anywhere."""
    _use(case, ".tflite", "tflite")


def read_onnx(case: bytes) -> None:
    """Likewise."""
    _use(case, ".onnx", "ort")


def _use(case: bytes, suffix: str, backend: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        path.write_bytes(case)
        with suppress(MissingCardError):
            read_card(path)
        runtime = open_runtime(path, backend, threads=1)
        shapes = {spec.name: tuple(size or 1 for size in spec.shape) for spec in runtime.inputs}
        if all(prod(shape) <= MAX_RUN for shape in shapes.values()):
            dtypes = {spec.name: spec.dtype for spec in runtime.inputs}
            runtime.run({name: _zeros(shape, dtypes[name]) for name, shape in shapes.items()})
        runtime.close()


def _zeros(shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    try:
        return np.zeros(shape, dtype)
    except TypeError:  # an engine's own type, which NumPy does not have
        return np.zeros(shape, np.float32)


def changed_tflite(seed: int) -> bytes:
    """A TFLite file with some fields changed."""
    chance = random.Random(seed)  # noqa: S311 - equal seeds give equal files
    content = _tflite(chance.randrange(SEEDS))
    if chance.random() < 0.3:
        return _changed_bytes(content, chance)
    while True:
        model = schema.ModelT.InitFromPackedBuf(content)
        for _ in range(chance.randint(1, MAX_CHANGES)):
            _change_object(model, chance)
        builder = flatbuffers.Builder(1024)
        try:
            builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        except Exception:  # noqa: BLE001, S112 - a field of the file cannot hold the number: another change
            continue
        return bytes(builder.Output())


def changed_onnx(seed: int) -> bytes:
    """An ONNX file with some fields changed."""
    chance = random.Random(seed)  # noqa: S311 - equal seeds give equal files
    content = random_model(chance.randrange(SEEDS), free_sizes=False).SerializeToString()
    if chance.random() < 0.3:
        return _changed_bytes(content, chance)
    model = onnx.ModelProto.FromString(content)
    for _ in range(chance.randint(1, MAX_CHANGES)):
        _change_message(model, chance)
    return bytes(model.SerializeToString())


@cache
def _tflite(seed: int) -> bytes:
    with suppress(ExportError):
        return convert(random_model(seed, free_sizes=False))
    return _tflite(seed + SEEDS)  # TFLite cannot have that network


def _changed_bytes(content: bytes, chance: random.Random) -> bytes:
    """Overwrite a few numbers of the file wherever they lie, or cut it."""
    data = bytearray(content)
    for _ in range(chance.randint(1, MAX_CHANGES)):
        size = chance.choice((1, 2, 4, 8))
        place = chance.randrange(len(data) - size) // size * size
        data[place : place + size] = (chance.choice(NUMBERS) % 256**size).to_bytes(size, "little")
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.05 else data)


def _change_object(root: Any, chance: random.Random) -> None:
    """Change one field of one of the objects of a TFLite model, each kind of object being as likely."""
    kinds: dict[str, list[Any]] = {}
    for item in _objects(root):
        if vars(item):
            kinds.setdefault(type(item).__name__, []).append(item)
    item = chance.choice(kinds[chance.choice(sorted(kinds))])
    field = chance.choice(sorted(vars(item)))
    value = getattr(item, field)
    setattr(item, field, _changed_value(value, chance))


def _objects(item: Any) -> Iterator[Any]:
    yield item
    for value in vars(item).values():
        for part in value if isinstance(value, list) else [value]:
            if type(part).__module__ == schema.__name__:
                yield from _objects(part)


def _changed_value(value: Any, chance: random.Random) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list) and value:
        return _changed_list(value, chance)
    if isinstance(value, bool):
        return not value
    choices: tuple[Any, ...] = (None, *NUMBERS)
    if isinstance(value, (int, np.integer)):
        choices = NUMBERS
    elif isinstance(value, (float, np.floating)):
        choices = FLOATS
    elif isinstance(value, (bytes, str)):
        choices = (b"", b"image", b"\xff\xfe", b"x" * 300, None)
    return chance.choice(choices)


def _changed_list(values: list[Any], chance: random.Random) -> list[Any]:
    way = chance.random()
    if way < 0.2:
        return values + values[-1:] * chance.randint(1, 5)
    if way < 0.4:
        return values[: chance.randrange(len(values))]
    place = chance.randrange(len(values))
    part = chance.choice(values) if way < 0.6 else _changed_value(values[place], chance)
    return [*values[:place], part, *values[place + 1 :]]


def _change_message(root: Any, chance: random.Random) -> None:
    """Change one field of one of the messages of an ONNX model, each kind of message being as likely."""
    kinds: dict[str, list[Any]] = {}
    for message in _messages(root):
        kinds.setdefault(message.DESCRIPTOR.name, []).append(message)
    message = chance.choice(kinds[chance.choice(sorted(kinds))])
    field = chance.choice(message.DESCRIPTOR.fields)
    value = getattr(message, field.name)
    if hasattr(value, "extend"):
        _change_repeated(value, field, chance)
    elif field.type == field.TYPE_MESSAGE:
        message.ClearField(field.name)
    else:
        _set(lambda value: setattr(message, field.name, value), field, chance)


def _messages(message: Any) -> Iterator[Any]:
    yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in value if hasattr(value, "extend") else [value]:
                yield from _messages(part)


def _change_repeated(values: Any, field: Any, chance: random.Random) -> None:
    if field.type == field.TYPE_MESSAGE:
        if values and chance.random() < 0.5:
            del values[chance.randrange(len(values))]
        elif values:
            values.add().CopyFrom(chance.choice(values))
        return
    way = chance.random()
    if values and way < 0.2:
        del values[chance.randrange(len(values))]
    elif values and way < 0.8:
        place = chance.randrange(len(values))
        _set(lambda value: values.__setitem__(place, value), field, chance)
    else:
        _set(values.append, field, chance)


def _set(write: Callable[[Any], None], field: Any, chance: random.Random) -> None:
    """Write a number, text or bytes, whichever the field takes."""
    kinds = (
        "ConstantOfShape",
        "Expand",
        "Tile",
        "Range",
        "Pad",
        "Resize",
        "Loop",
        "Reshape",
        "image",
        "t1",
        "",
    )
    if field.type in (field.TYPE_STRING, field.TYPE_BYTES):
        text = chance.choice(kinds)
        write(
            text
            if field.type == field.TYPE_STRING
            else chance.choice((text.encode(), b"\0" * 8, b"\xff" * 9))
        )
    elif field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        write(chance.choice(FLOATS))
    elif field.enum_type:
        write(chance.choice(field.enum_type.values).number)
    else:
        number = chance.choice(NUMBERS)
        try:
            write(number)
        except ValueError:  # the field is smaller
            write(number % 2**31)


READERS: Final[dict[str, Callable[[int], bytes]]] = {"tflite": changed_tflite, "onnx": changed_onnx}


def failures(kind: str, seeds: Sequence[int]) -> tuple[list[str], int]:
    """Try the cases of some seeds; return what fails, and how many files were read all the same."""
    found, read = [], 0
    verdicts = run_cases(f"tests.fuzz.models:read_{kind}", map(READERS[kind], seeds))
    for seed, verdict in zip(seeds, verdicts, strict=True):
        read += verdict == type(verdict)()
        if verdict.failure:
            found.append(f"{kind} seed {seed}: {verdict.failure}")
    return found, read


def main() -> int:
    """Try many seeds; print what fails."""
    kinds = sys.argv[1:2] or list(READERS)
    numbers = [int(argument) for argument in sys.argv[2:]]
    cases, first = (*numbers, *(20_000, 0)[len(numbers) :])
    failed = 0
    for kind in kinds:
        read = 0
        for start in range(first, first + cases, 100):
            found, whole = failures(kind, range(start, min(start + 100, first + cases)))
            failed, read = failed + len(found), read + whole
            for failure in found:
                print(failure, flush=True)  # noqa: T201
            if (start + 100) % 1_000 == 0:
                print(f"up to {kind} seed {start + 99}: {failed} failed", flush=True)  # noqa: T201
        print(f"{cases} {kind} files, {read} read and run, {failed} failed", flush=True)  # noqa: T201
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
