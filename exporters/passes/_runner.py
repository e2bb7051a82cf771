"""Defines a pass, and runs passes: one that fails is skipped, or ends the export."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pose_onnx.errors import ExportError
from pose_onnx.exporters.graph import Graph

log = logging.getLogger(__name__)

Check = Callable[[Graph], str]
"""Returns one sentence about what is wrong with a graph, or an empty string."""


def _nothing(_graph: Graph) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Pass:
    """One rewrite.

    Attributes:
        name: name of its module.
        run: changes the given graph, which is a private copy. Nodes that it does not know, or whose
            parameters are computed, must stay unchanged.
        requires: condition before the pass.
        ensures: condition after the pass.
        required: whether the file would be wrong without it. Any other pass only makes it smaller or faster.
    """

    name: str
    run: Callable[[Graph], None]
    requires: Check = _nothing
    ensures: Check = _nothing
    required: bool = False


def rewrite(graph: Graph, passes: Sequence[Pass], *, strict: bool = False) -> Graph:
    """Run passes in order, each on a copy.

    Args:
        graph: the graph; it is not changed.
        passes: passes to run. One that fails is skipped and named in the result's `skipped`, unless it is
            required.
        strict: whether to skip no pass.

    Raises:
        ExportError: a pass that may not be skipped failed; the message names it and the passes before it.
    """
    done: list[str] = []
    for step in passes:
        try:
            after = _apply(step, graph)
        except Exception as error:
            problem = f"graph pass {step.name!r} (after {', '.join(done) or 'none'}) {_reason(error)}"
            if step.required or strict:
                raise ExportError(f"{problem}; please report the model") from error
            log.warning("%s; it was skipped", problem)
            graph = graph.copy()
            graph.skipped = (*graph.skipped, problem)
            continue
        log.debug("%s: %d -> %d nodes", step.name, len(graph.nodes), len(after.nodes))
        graph = after
        done.append(step.name)
    return graph


def _apply(step: Pass, graph: Graph) -> Graph:
    _demand("cannot run on this graph", step.requires(graph))
    after = graph.copy()
    step.run(after)
    after.prune()
    _demand("left a wrong graph", step.ensures(after))
    return after


def _demand(verdict: str, problem: str) -> None:
    if problem:
        raise ExportError(f"{verdict}: {problem}")


def _reason(error: Exception) -> str:
    """Describe an error. Our own are sentences; others come from graphs that the pass does not know."""
    return str(error) if isinstance(error, ExportError) else f"failed ({type(error).__name__}: {error})"
