"""Random networks compute the same after passes; `python -m tests.exporters.fuzz` tries any number."""

from __future__ import annotations

from itertools import count

import numpy as np
import onnx
import pytest

from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.passes import Pass
from tests.exporters.fuzz import passes
from tests.exporters.fuzz.blocks import TRANSFORMERS
from tests.exporters.fuzz.graphs import random_feeds, random_model

MODELS = 300
EACH = 20


@pytest.mark.parametrize("first", range(0, MODELS, EACH))
def test_passes_keep_what_is_computed(first: int) -> None:
    found = [failure for seed in range(first, first + EACH) for failure in passes.failures(seed)]
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize("first", range(0, MODELS // 3, EACH))
def test_passes_keep_what_transformers_compute(first: int) -> None:
    seeds = range(first, first + EACH)
    found = [failure for seed in seeds for failure in passes.failures(seed, TRANSFORMERS)]
    assert not found, "\n".join(map(str, found))


def double_first_constant(graph: Graph) -> None:
    for name, array in graph.constants.items():
        if array.dtype == np.float32 and array.ndim == 4:
            graph.constants[f"{name}.spoilt"] = array * np.float32(2)
            for node in graph.nodes:
                node.inputs = [f"{name}.spoilt" if x == name else x for x in node.inputs]
            return


def raise_key_error(graph: Graph) -> None:
    if any(graph.of_type("Conv")):
        raise KeyError("weight")


@pytest.mark.parametrize(
    ("run", "problem"), [(double_first_constant, "off by"), (raise_key_error, "KeyError")]
)
def test_a_wrong_pass_is_found(monkeypatch: pytest.MonkeyPatch, run: object, problem: str) -> None:
    wrong = Pass("wrong", run)  # type: ignore[arg-type]  # of the two functions above
    monkeypatch.setattr(passes, "ALL", (*passes.PREPARED, wrong))
    found = next(filter(None, map(passes.failures, count())))
    assert problem in str(found[0])


def test_equal_seeds_give_equal_models_with_every_kind_of_axis() -> None:
    models = [random_model(seed) for seed in range(60)]
    assert [random_model(seed) for seed in range(60)] == models
    models += [random_model(seed, table=TRANSFORMERS) for seed in range(60)]
    for model in models:
        onnx.checker.check_model(model)
    axes = {tuple(bool(d.dim_param) for d in m.graph.input[0].type.tensor_type.shape.dim) for m in models}
    assert len(axes) == 4  # all fixed; the batch is free; channels, or both sides, too
    fixed = random_model(0, free_sizes=False)
    assert random_feeds(fixed, 0)["image"].dtype == np.float32


@pytest.mark.parametrize("seed", [2659, 6028, 6100, 20979])
def test_models_that_failed_once(seed: int) -> None:
    """Found by long runs: factors of a Resize that float32 rounds up to a size, and float64 does not."""
    assert not passes.failures(seed)
