"""How DLA brings levels together (arXiv 1707.06484)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from paddle import Tensor, nn

Node = Callable[[int, int], nn.Layer]


class Aggregation(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Upsamples maps to the size of the first and merges them, one after the other ("IDAUp").

    Args:
        c_out: channels of the first map and of all outputs.
        channels: channels of the maps after the first.
        factors: the factor by which each of them is enlarged.
        node: creates a convolution with an activation, from its input and output channels.
    """

    def __init__(self, c_out: int, channels: Sequence[int], factors: Sequence[int], node: Node) -> None:
        super().__init__()
        for step, (c_in, factor) in enumerate(zip(channels, factors, strict=True), start=1):
            self.add_sublayer(f"proj_{step}", node(c_in, c_out))
            up = nn.Conv2DTranspose(
                c_out, c_out, 2 * factor, stride=factor, padding=factor // 2, groups=c_out, bias_attr=False
            )
            self.add_sublayer(f"up_{step}", up)
            self.add_sublayer(f"node_{step}", node(c_out, c_out))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps, finest first -> the first one unchanged, and all others at its size."""
        done = [maps[0]]
        for step, x in enumerate(maps[1:], start=1):
            proj, up, join = (getattr(self, f"{part}_{step}") for part in ("proj", "up", "node"))
            done.append(join(up(proj(x)) + done[-1]))
        return done


class Pyramid(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Aggregates the levels, starting with the coarsest ("DLAUp").

    Args:
        channels: channels of the levels, finest first.
        node: see `Aggregation`.
    """

    def __init__(self, channels: Sequence[int], node: Node) -> None:
        super().__init__()
        widths = list(channels)
        for step in range(len(widths) - 1):
            first = len(widths) - 2 - step
            later = widths[first + 1 :]
            self.add_sublayer(f"ida_{step}", Aggregation(widths[first], later, [2] * len(later), node))
            widths[first + 1 :] = [widths[first]] * len(later)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps, finest first -> maps of the same sizes; the coarsest one is unchanged."""
        kept = [maps[-1]]
        for step in range(len(maps) - 1):
            first = len(maps) - 2 - step
            maps = [*maps[:first], *getattr(self, f"ida_{step}")(maps[first:])]
            kept.insert(0, maps[-1])
        return kept
