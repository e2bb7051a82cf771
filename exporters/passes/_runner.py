"""What a pass is, and the runner that holds it to its word."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pose_onnx.errors import ExportError
from pose_onnx.exporters.graph import Graph

log = logging.getLogger(__name__)

Check = Callable[[Graph], str]
"""Says in one sentence what is wrong with a graph; an empty string if nothing is."""


def _nothing(_graph: Graph) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Pass:
    """One rewrite.

    Attributes:
        name: as its module.
        run: changes the graph that it is given, which is a private copy.
        requires: must hold before.
        ensures: holds after.
    """

    name: str
    run: Callable[[Graph], None]
    requires: Check = _nothing
    ensures: Check = _nothing


def no_node_of(*ops: str) -> Check:
    """Make a check that no node of these operators is left."""

    def check(graph: Graph) -> str:
        left = [f"{node.op} {node.name!r}" for node in graph.of_type(*ops)]
        return f"these nodes are left: {', '.join(left[:5])}" if left else ""

    return check


def all_of(*checks: Check) -> Check:
    """Make a check of several."""

    def check(graph: Graph) -> str:
        return "; ".join(filter(None, (one(graph) for one in checks)))

    return check


def rewrite(graph: Graph, passes: Sequence[Pass]) -> Graph:
    """Run passes in order, each on a copy.

    Raises:
        ExportError: a condition does not hold; names the pass and those that ran before it.
    """
    done: list[str] = []
    for step in passes:
        _demand(step, "needs what the graph does not have", step.requires(graph), done)
        before = len(graph.nodes)
        graph = graph.copy()
        step.run(graph)
        graph.prune()
        _demand(step, "did not do its work", step.ensures(graph), done)
        log.debug("%s: %d -> %d nodes", step.name, before, len(graph.nodes))
        done.append(step.name)
    return graph


def _demand(step: Pass, verdict: str, problem: str, done: Sequence[str]) -> None:
    if problem:
        raise ExportError(
            f"graph pass {step.name!r} (after {', '.join(done) or 'none'}) {verdict}: {problem}; "
            "please report the model"
        )
