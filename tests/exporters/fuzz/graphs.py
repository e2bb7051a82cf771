"""Random models, and what to feed them."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.exporters.fuzz.blocks import BLOCKS, Blocks
from tests.exporters.fuzz.net import IMAGE, Net

MAX_BLOCKS: Final = 9
FREE: Final = "free_"
"""What the name of a free axis other than the batch begins with; the size to feed follows."""


def random_model(seed: int, *, free_sizes: bool = True, table: Blocks = BLOCKS) -> onnx.ModelProto:
    """Make a network from one image (N, C, H, W) to one to four float32 tensors, batch first.

    Args:
        seed: equal seeds give equal models.
        free_sizes: whether some have axes beside the batch without a size.
        table: what it is made of.
    """
    rng = np.random.default_rng(seed)
    net = Net(rng, batch=net_batch(rng))
    blocks = list(table)
    shares = np.array([*table.values()], float) / sum(table.values())
    for _ in range(1 + int(rng.integers(MAX_BLOCKS))):
        blocks[int(rng.choice(len(blocks), p=shares))](net)
    read = {name for node in net.nodes for name in node.input}
    made = [name for name in net.shapes if name != IMAGE]
    ends = [name for name in made if name not in read][-3:]
    inner = [name for name in made if name in read and net.chance(0.1)][:1]
    free = net.one_of(((), (), (), (), (), (), (2, 3), (1,)))
    return net.model([*inner, *ends], free if free_sizes and net.batch is None else ())


def net_batch(rng: np.random.Generator) -> int | None:
    """Return the batch of a model: 1, as Paddle may write it, or None, which is free."""
    return 1 if rng.random() < 0.15 else None


def random_feeds(model: onnx.ModelProto, seed: int, batch: int = 2) -> dict[str, NDArray[np.float32]]:
    """Make inputs for a random model: `batch` images, or one if the model's batch is fixed."""
    rng = np.random.default_rng(seed)
    feeds = {}
    for value in model.graph.input:
        first, *axes = value.type.tensor_type.shape.dim
        sizes = [axis.dim_value or int(axis.dim_param.removeprefix(FREE)) for axis in axes]
        shape = first.dim_value or batch, *sizes
        feeds[value.name] = rng.standard_normal(shape).astype(np.float32)
    return feeds
