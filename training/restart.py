"""New kernels for dead channels: what never passes its ReLU gets no gradient, so it stays dead."""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn

from training.norm import BatchNorm
from training.predict import normalised

DEAD: Final = 0.02  # of the median spread in a layer; almost no channel is between this and 0.05
TINY: Final = 1e-6  # a layer in which nothing spreads more is dead altogether


def restart_dead(network: nn.Module, image: Tensor, seed: int) -> int:
    """Give the dead channels of `network` random kernels and the usual scale of their layer.

    A channel is dead if its values, after norm and activation, hardly differ in the whole batch.

    Args:
        network: In training mode. Its norms' running statistics change.
        image: Batch of its input (N,3,H,W).
        seed: Of the kernels.

    Returns:
        The number of such channels.
    """
    random = torch.Generator().manual_seed(seed)
    layers = [
        (cast("nn.Conv2d", module.get_submodule(conv)), cast("BatchNorm", module.get_submodule(norm)))
        for module, conv, norm in normalised(network)
    ]
    spreads: dict[nn.Module, Tensor] = {}

    def measure(norm: nn.Module, _: object, output: Tensor) -> None:
        spreads[norm] = output.std((0, 2, 3))

    hooks = [norm.register_forward_hook(measure) for _, norm in layers]
    with torch.no_grad():
        network(image)
        for hook in hooks:
            hook.remove()
        count = 0
        for convolution, norm in layers:
            dead = spreads[norm] < DEAD * spreads[norm].median() + TINY
            fresh = torch.empty(convolution.weight.shape)
            nn.init.kaiming_normal_(fresh, nonlinearity="relu", generator=random)
            convolution.weight[dead] = fresh[dead].to(convolution.weight.device)
            norm.weight[dead] = norm.weight.abs().median()
            norm.bias[dead] = 0
            count += int(dead.sum())
    return count
