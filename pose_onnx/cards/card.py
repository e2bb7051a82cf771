"""Model cards: everything needed to run a model, stored inside the model's file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Final

from pose_onnx.cards.input import PERSON_CROP, InputSpec
from pose_onnx.cards.inputs import Input, input_to_dict, read_input
from pose_onnx.cards.schema import check_types, read_record, short
from pose_onnx.cards.versions import VERSION, to_current
from pose_onnx.errors import CardError
from pose_onnx.outputs import OutputSpec, output_to_dict, read_output
from pose_onnx.resizing import RESIZERS

CARD_KEY: Final = "pose_onnx.card"
"""Name of the metadata entry (ONNX) or metadata buffer (TFLite) that holds the card as JSON."""

MAX_BYTES: Final = 1 << 20
"""Maximum length of a card's JSON; ours have 1 to 3 KB."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything that the core must know about a model. Stored as JSON in `models/` and inside each export.

    Attributes:
        name: Official name, for example "tinypose_128x96".
        architecture: Which network of `pose_onnx.exporters.networks` the weights belong to.
        input: The network's input.
        output: The kind of the network's output, and how it is read.
        classes: Names of a detector's classes.
        keypoints: Names of the joints.
        flip_pairs: Index pairs of joints that swap when the image is mirrored.
        skeleton: Index pairs of joints to join when drawing.
        oks_sigmas: For each joint, how far annotators disagree, relative to the person's size: half of k in
            COCO's object keypoint similarity. Empty: COCO's own, for its 17 joints.
        download: URL of the official checkpoint. If it does not end with the file's name, the name follows
            after a #.
        sha256: Checksum of the download in hexadecimal, if known beforehand.
        source: Where the weights come from and how they were made.
        limits: What the model is not good at.
        published: Published accuracy, and where it was published.
        license: SPDX identifier of the weights' licence.
        unknown: Fields that this version does not know. They are ignored, but kept when the card is written.
    """

    name: str
    architecture: str
    input: Input
    output: OutputSpec
    classes: tuple[str, ...] = ()
    keypoints: tuple[str, ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()
    oks_sigmas: tuple[float, ...] = ()
    download: str = ""
    sha256: str = ""
    source: str = ""
    limits: str = ""
    published: str = ""
    license: str = ""
    unknown: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), compare=False)

    def __post_init__(self) -> None:
        where = f"model card {short(self.name)}"
        check_types(self, where)
        for problem in (*self.output.problems(self), *_problems(self)):
            raise CardError(f"{where}: {problem}")

    def __reduce__(self) -> tuple[Any, ...]:
        return ModelCard.from_json, (self.to_json(),)  # read-only mappings cannot be pickled

    @property
    def task(self) -> str:
        """What the model does: "detect", "keypoints", ... Determined by the kind of its output."""
        return self.output.task

    @property
    def picture(self) -> InputSpec:
        """The input of a model that takes pictures.

        Raises:
            CardError: The model takes something else.
        """
        if isinstance(self.input, InputSpec):
            return self.input
        raise CardError(
            f"model card {short(self.name)}: its input is not a picture; give a model of another task"
        )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the network's input without the batch axis: (3, H, W) for a picture."""
        return self.input.shape(self)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs that the model's file must have."""
        return self.output.tensor_names

    def without_claims(self, name: str, source: str) -> ModelCard:
        """Return a card for other weights that run the same way, without the claims about these weights."""
        bare = replace(self, download="", sha256="", published="", limits="", license="")
        return replace(bare, name=name, source=source)

    def to_json(self) -> str:
        """Return the card as JSON text; `from_json` is the inverse."""
        own = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in _NESTED}
        nested = {name: write(getattr(self, name)) for name, (_, write) in _NESTED_FIELDS.items()}
        for name in nested:
            nested[name] |= self.unknown.get(name, {})
        rest = {name: value for name, value in self.unknown.items() if name not in nested}
        return json.dumps({"version": VERSION, **own, **nested, **rest}, indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelCard:
        """Read a card of this version or an earlier one.

        Raises:
            CardError: The text is not JSON, a field is missing, or a value is invalid.
        """
        try:
            return _build(_parse(text))
        except RecursionError as error:
            raise CardError("the model card is nested too deeply; write it like those in models/") from error


def _build(data: object) -> ModelCard:
    if not isinstance(data, Mapping):
        raise CardError(f"the model card is {short(data)}; it must be a JSON object")
    current = to_current(data)
    current.pop("version", None)
    unknown: dict[str, Any] = {}
    for name, (read, _) in _NESTED_FIELDS.items():
        if name not in current:
            raise CardError(f"the model card lacks {name!r}; write it like those in models/")
        current[name], ignored = read(current[name])
        if ignored:
            unknown[name] = ignored
    strange = [name for name in current if name not in ModelCard.__slots__ or name == "unknown"]
    unknown |= {name: current.pop(name) for name in strange}
    card, _ = read_record(ModelCard, {**current, "unknown": MappingProxyType(unknown)}, "the model card")
    return card


_Reader = Callable[[object], tuple[Any, dict[str, Any]]]
_Writer = Callable[[Any], dict[str, Any]]
_NESTED_FIELDS: Final[Mapping[str, tuple[_Reader, _Writer]]] = MappingProxyType(
    {
        "input": (read_input, input_to_dict),
        "output": (read_output, output_to_dict),
    }
)
"""Fields that are records themselves: how each is read and written."""
_NESTED: Final = (*_NESTED_FIELDS, "unknown")


def _parse(text: str | bytes) -> object:
    if len(text) > MAX_BYTES:
        raise CardError(f"the model card has {len(text):,} bytes; it must have at most {MAX_BYTES:,}")
    try:
        return json.loads(text)
    except ValueError as error:
        raise CardError(f"the model card is not JSON ({error}); write it like those in models/") from error


_WAYS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "detect": tuple(RESIZERS),
        "keypoints": (PERSON_CROP,),
        # Their input is as large as the card says; with "pad" it would be as large as the picture.
        "people": tuple(way for way in RESIZERS if way != "pad"),
    }
)
"""The allowed resizing methods for each task. Tasks from other packages define their own."""


_LONGEST_NAME: Final = 100
# File names are built from it.
_NAME: Final = re.compile(rf"[^/\\\x00-\x1f\x7f]{{1,{_LONGEST_NAME}}}")


def _problems(card: ModelCard) -> list[str]:
    """Describe what is wrong with a card's values, in full sentences."""
    pairs = (*card.flip_pairs, *card.skeleton)
    resize = card.input.resize if isinstance(card.input, InputSpec) else ""
    ways = _WAYS.get(card.task, (resize,))
    checks = (
        (
            _NAME.fullmatch(card.name) is not None,
            (
                f"the name is {short(card.name)}; it must be 1 to {_LONGEST_NAME} characters that a "
                "file's name can have"
            ),
        ),
        (
            resize in ways,
            f"input.resize is {short(resize)}; for {card.task!r} it must be one of {list(ways)}",
        ),
        (
            all(min(pair) >= 0 and max(pair) < len(card.keypoints) for pair in pairs),
            "flip_pairs and skeleton must be pairs of keypoint indices",
        ),
        (
            re.fullmatch("([0-9a-f]{64})?", card.sha256) is not None,
            f"sha256 is {short(card.sha256)}; it must be 64 hexadecimal digits in lower case, or empty",
        ),
        (
            not card.oks_sigmas or (len(card.oks_sigmas) == len(card.keypoints) and min(card.oks_sigmas) > 0),
            "oks_sigmas must be one positive number for each keypoint, or empty",
        ),
    )
    return [sentence for holds, sentence in checks if not holds]
