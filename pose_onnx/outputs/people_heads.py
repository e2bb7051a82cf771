"""All people and their joints in one pass: the heads of CenterNet's multi_pose networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from pose_onnx.cards.schema import check_types
from pose_onnx.core.arrays import F32
from pose_onnx.core.people import (
    People,
    PeopleHeads,
    decode_people,
    merge_mirrored,
    sigmoid,
)
from pose_onnx.outputs._spec import Shape, Tensors

if TYPE_CHECKING:
    from pose_onnx.cards.card import ModelCard

NEEDED: Final = ("hm", "wh", "hps")
ALL: Final = (*NEEDED, "reg", "hm_hp", "hp_offset")
"""CenterNet's head names (src/lib/opts.py), in the order of the fields of `PeopleHeads`."""

_PER_JOINT: Final[Mapping[str, int]] = MappingProxyType({"hps": 2, "hm_hp": 1})
_SCORES: Final = ("hm", "hm_hp")
"""Heads that are turned into scores 0 to 1."""
_OTHERS: Final[Mapping[str, int]] = MappingProxyType({"hm": 1, "wh": 2, "reg": 2, "hp_offset": 2})


@dataclass(frozen=True, slots=True)
class PeopleOutput:
    """One tensor (N, C, H / stride, W / stride) per head: the raw output of the last layers, without sigmoid.

    Attributes:
        heads: Names of the tensors, taken from `ALL` and in that order. A network may lack "reg" (position of
            a person's centre within its cell), "hm_hp" (joint maps) and "hp_offset" (position of a joint
            within its cell).
        stride: Input pixels per cell.
        max_people: Maximum number of people found (the best ones), and of peaks considered for each joint.
    """

    kind: ClassVar[str] = "people_heads"
    task: ClassVar[str] = "people"

    heads: tuple[str, ...] = ALL
    stride: int = 4
    max_people: int = 100

    def __post_init__(self) -> None:
        check_types(self, "the card's output")

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """See `OutputSpec`."""
        return self.heads

    def problems(self, card: ModelCard) -> list[str]:
        """See `OutputSpec`."""
        wanted = (
            f"output.heads is {list(self.heads)}; it must be {list(NEEDED)}, which some of "
            f"{list(ALL[len(NEEDED) :])} may follow, in this order"
        )
        checks = (
            (bool(card.keypoints), "a one-pass model must name its keypoints"),
            (self.stride > 0, f"output.stride is {self.stride}; it must be 1 or more"),
            (self.max_people > 0, f"output.max_people is {self.max_people}; it must be 1 or more"),
            (
                self.heads == tuple(name for name in ALL if name in {*NEEDED, *self.heads}),
                wanted,
            ),
        )
        return [sentence for holds, sentence in checks if not holds]

    def shapes(self, card: ModelCard) -> dict[str, Shape]:
        """See `OutputSpec`."""
        height, width = (side // self.stride for side in card.picture.size)
        joints = len(card.keypoints)
        return {name: (None, channels_of(name, joints), height, width) for name in self.heads}

    def read(self, tensors: Tensors) -> list[PeopleHeads]:
        """Return the heads of each of N pictures, with scores 0 to 1.

        Args:
            tensors: By name; tensors that are not heads are ignored.
        """
        fields = [self._field(name, tensors) for name in ALL]
        pictures = len(tensors[self.heads[0]])
        return [
            PeopleHeads(*(None if field is None else field[index] for field in fields))  # type: ignore[arg-type]  # only optional heads can be None
            for index in range(pictures)
        ]

    def _field(self, name: str, tensors: Tensors) -> F32 | None:
        if name not in self.heads:
            return None
        return sigmoid(tensors[name]) if name in _SCORES else tensors[name]

    def decode(self, heads: PeopleHeads, threshold: float) -> People:
        """Find the people of one picture with scores above a threshold, in cells; see `decode_people`."""
        return decode_people(heads, most=self.max_people, threshold=threshold)

    def merge_mirrored(self, heads: PeopleHeads, mirrored: PeopleHeads, card: ModelCard) -> PeopleHeads:
        """Average heads with those of the mirrored picture; see `pose_onnx.core.people.merge_mirrored`."""
        return merge_mirrored(heads, mirrored, card.flip_pairs)


def channels_of(head: str, joints: int) -> int:
    """Return the number of channels of a head."""
    return _OTHERS[head] if head in _OTHERS else _PER_JOINT[head] * joints
