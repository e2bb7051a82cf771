"""Golden vectors: the inputs and expected outputs of each pipeline stage, for ports to other languages.

The stages of each kind of output are defined by one file here and one line in `STAGES`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from pose_onnx.core.arrays import Image
from pose_onnx.errors import ExportError
from pose_onnx.exporters.golden import _whole
from pose_onnx.exporters.golden._readme import README
from pose_onnx.exporters.golden._stage import Stage, Store
from pose_onnx.exporters.receipt import tool_versions
from pose_onnx.exporters.verify import DEMO_PHOTO, comparison_photo
from pose_onnx.image_files import encode_image

if TYPE_CHECKING:
    from pose_onnx.exporters.finished import Finished

SCHEMA: Final = "pose_onnx.golden/1"
INDEX: Final = "golden.json"
STAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "boxes": "pose_onnx.exporters.golden.boxes:stages",
        "heatmaps": "pose_onnx.exporters.golden.heatmaps:stages",
    }
)
"""By kind of output, the function that gives the stages around a network."""


def files(models: Sequence[Finished], photo: Path | None) -> dict[str, bytes]:
    """Return the golden vectors of one or two models, by path in a folder; see `lay_out`.

    Raises:
        ExportError: A model's kind of output has no stages, or its end-to-end file differs from the core.
    """
    image = comparison_photo(photo)
    name = Path(DEMO_PHOTO if photo is None else photo).stem
    picture = f"{name}.png"
    stages = [stage for model in models for stage in _stages_of(model, image)]
    stages += _whole.stages(models, image)
    store = Store()
    index = {
        "schema": SCHEMA,
        "made_with": tool_versions(),
        "picture": picture,
        "models": [_describe(model) for model in models],
        "stages": [stage.describe(store) for stage in stages],
    }
    return {
        "README.md": README.encode(),
        picture: encode_image(image, ".png"),
        **store.files,
        INDEX: (json.dumps(index, indent=1) + "\n").encode(),  # last: all files that it names exist by then
    }


def _stages_of(model: Finished, image_bgr: Image) -> Iterator[Stage]:
    if model.is_end_to_end:
        return
    kind = model.card.output.kind
    if kind not in STAGES:
        raise ExportError(
            f"{model.card.name!r} has the output {kind!r}, for which there are no golden vectors; choose a "
            f"model with one of {list(STAGES)}"
        )
    make = cast("Callable[[Finished, Image], Iterator[Stage]]", resolve_name(STAGES[kind]))
    yield from make(model, image_bgr)


def _describe(model: Finished) -> dict[str, object]:
    """Return name, digests and card of a model."""
    contents = {model.end_to_end_name: model.end_to_end}
    if not model.is_end_to_end:
        contents[model.path.name] = model.path.read_bytes()
    return {
        "name": model.card.name,
        "sha256": {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()},
        "card": json.loads(model.card.to_json()),
    }
