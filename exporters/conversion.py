"""Converts a source to ONNX, and computes the reference outputs for all later comparisons.

A checkpoint of a network with a template needs no Paddle: its weights are put into the template. Inference
folders, and networks without a template, go through Paddle and paddle2onnx.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters._tools import demand_paddle
from pose_onnx.exporters.checkpoint import match_parameters
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.networks import network_of
from pose_onnx.exporters.plain_run import run_plainly
from pose_onnx.exporters.source import Checkpoint, Source
from pose_onnx.exporters.templates import Template, find_template
from pose_onnx.exporters.verify import Arrays, Outputs

Way = Literal["template", "paddle"]
WAYS: Final = ("template", "paddle")


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """What a source computes, and how it became ONNX.

    Attributes:
        outputs: Its outputs for each input, under the card's names.
        engine: The engine that computed them.
        structure: How the network's structure is known to be right, for the receipt; empty if Paddle
            itself made it in this export.
    """

    outputs: Outputs
    engine: str
    structure: Mapping[str, Any] = field(default_factory=dict)


def template_for(card: ModelCard, via: Way | None) -> Template | None:
    """Return the template for converting a checkpoint of this card; `None` if Paddle converts it.

    Args:
        card: The model's card.
        via: The requested way. If `None`, a template is used if there is one.

    Raises:
        DependencyError: Paddle is needed but not installed.
        ModelFileError: The template is damaged.
    """
    template = None if via == "paddle" else find_template(card)
    if template is None:
        demand_paddle()
    return template


def convert(
    source: Source, card: ModelCard, inputs: Arrays, work: Path, via: Way | None
) -> tuple[Graph, Original]:
    """Convert a source, and run it for later comparison.

    Args:
        source: Checkpoint or folder.
        card: The model's card.
        inputs: Network inputs (N, 3, H, W) by name.
        work: Folder for intermediate files.
        via: See `template_for`.

    Returns:
        The graph as paddle2onnx writes it, and what it computes.

    Raises:
        ExportError: A tool failed.
        ModelFileError: The checkpoint's parameters do not fit the network.
        DependencyError: Paddle is needed but not installed.
    """
    template = template_for(card, via) if isinstance(source, Checkpoint) else template_for(card, "paddle")
    if template is not None and isinstance(source, Checkpoint):
        network = network_of(card)
        parameters = match_parameters(
            source.parameters, template.shapes(card), aliases=network.aliases, buffers=network.buffers
        )
        graph = template.fill(parameters)
        structure = {"template": template.name, **asdict(template.proof)}
        return graph, Original(run_plainly(graph, card, inputs), "plain ONNX Runtime", structure)
    from pose_onnx.exporters.paddle_to_onnx import to_onnx  # noqa: PLC0415 (only who has Paddle needs it)

    model, outputs = to_onnx(source, card, inputs, work)
    return Graph.from_model(model), Original(outputs, "paddle")
