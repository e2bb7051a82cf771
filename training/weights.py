"""State dicts with Paddle's parameter names, to and from torch modules."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

TORCH_TO_PADDLE: Final = {"running_mean": "_mean", "running_var": "_variance"}
IGNORED: Final = "num_batches_tracked"


def paddle_name(name: str) -> str:
    """Paddle's name of a torch parameter or buffer."""
    stem, _, leaf = name.rpartition(".")
    return f"{stem}.{TORCH_TO_PADDLE.get(leaf, leaf)}" if stem else leaf


def load_npz(network: nn.Module, path: Path) -> None:
    """Load a state dict with Paddle's names into `network`.

    Raises:
        ValueError: when names or shapes of the file and the network differ.
    """
    with np.load(path) as file:
        values = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files}
    own = {n: t for n, t in network.state_dict().items() if not n.endswith(IGNORED)}
    wanted = {paddle_name(name): tuple(t.shape) for name, t in own.items()}
    given = {name: tuple(t.shape) for name, t in values.items()}
    if wanted != given:
        differing = sorted(set(wanted.items()) ^ set(given.items()))
        raise ValueError(f"{path.name} does not fit the network; differing: {differing[:10]}")
    network.load_state_dict({name: values[paddle_name(name)] for name in own}, strict=False)


def to_paddle(network: nn.Module) -> dict[str, NDArray[np.float32]]:
    """State dict of `network` as float32 arrays under Paddle's names."""
    return {
        paddle_name(name): value.detach().cpu().float().numpy().copy()
        for name, value in network.state_dict().items()
        if not name.endswith(IGNORED)
    }


def save_npz(network: nn.Module, path: Path) -> None:
    """Write `to_paddle(network)` to `path` atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part.npz")
    np.savez(part, **to_paddle(network))  # type: ignore[arg-type]  # the stub mistakes the names for options
    part.replace(path)
