"""HRNet for keypoints (Sun et al., arXiv 1902.09212), widths 32 and 48.

Layers have the names of PaddleDetection's ppdet/modeling/backbones/hrnet.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.networks._blocks import ConvNorm, identity
from pose_onnx.exporters.networks._top_down import TopDown

WIDTHS: Final[Mapping[str, int]] = MappingProxyType({"hrnet_w32": 32, "hrnet_w48": 48})
"""Channels of the highest-resolution branch, by architecture; each further one has twice as many."""
STEM_CHANNELS: Final = 64
BOTTLENECKS: Final = 4
EXPANSION: Final = 4
"""A bottleneck's output has this many times as many channels as its middle."""
MODULES_PER_STAGE: Final = (1, 4, 3)
"""Number of modules in stages 2, 3 and 4. The number of a stage is also its number of branches."""
BLOCKS_PER_BRANCH: Final = 4


class Bottleneck(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Residual block of three convolutions, with a fourth one in the shortcut if the channels change."""

    def __init__(self, c_in: int, middle: int) -> None:
        super().__init__()
        c_out = middle * EXPANSION
        self.conv1 = ConvNorm(c_in, middle, 1, activation=functional.relu)
        self.conv2 = ConvNorm(middle, middle, 3, activation=functional.relu)
        self.conv3 = ConvNorm(middle, c_out, 1)
        self._widens = c_in != c_out
        if self._widens:
            self.conv_down = ConvNorm(c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, 4 * middle, H, W)."""
        worked = self.conv3(self.conv2(self.conv1(x)))
        return functional.relu((self.conv_down(x) if self._widens else x) + worked)


class BasicBlock(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Residual block of two convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(channels, channels, 3, activation=functional.relu)
        self.conv2 = ConvNorm(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return functional.relu(x + self.conv2(self.conv1(x)))


class Bottlenecks(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """The first stage: bottlenecks one after another."""

    def __init__(self, name: str) -> None:
        super().__init__()
        widths = [STEM_CHANNELS, *[STEM_CHANNELS * EXPANSION] * (BOTTLENECKS - 1)]
        for number, c_in in enumerate(widths, 1):
            self.add_sublayer(f"block_{name}_{number}", Bottleneck(c_in, STEM_CHANNELS))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 64, H, W) -> (N, 256, H, W)."""
        for block in self.children():
            x = block(x)
        return x


class Transition(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Branches with `c_in` channels -> one branch more, with `c_out`; the new one is made from the last."""

    def __init__(self, name: str, c_in: Sequence[int], c_out: Sequence[int]) -> None:
        super().__init__()
        # `None`: the branch passes through as it is.
        self._convs: list[nn.Layer | None] = []
        for index, channels in enumerate(c_out):
            is_new = index == len(c_in)
            source = c_in[-1] if is_new else c_in[index]
            if source == channels and not is_new:
                self._convs.append(None)
                continue
            layer = ConvNorm(source, channels, 3, stride=1 + is_new, activation=functional.relu)
            self._convs.append(self.add_sublayer(f"transition_{name}_layer_{index + 1}", layer))

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """One (N, C_i, h_i, w_i) per branch -> one branch more, at half the resolution."""
        sources = [*branches, branches[-1]]
        return [x if layer is None else layer(x) for layer, x in zip(self._convs, sources, strict=False)]


class Branches(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Applies basic blocks to every branch."""

    def __init__(self, name: str, channels: Sequence[int]) -> None:
        super().__init__()
        self._chains = [
            [
                self.add_sublayer(f"bb_{name}_branch_layer_{branch}_{number + 1}", BasicBlock(width))
                for number in range(BLOCKS_PER_BRANCH)
            ]
            for branch, width in enumerate(channels, 1)
        ]

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """One (N, C_i, h_i, w_i) per branch -> the same shapes."""
        outs = []
        for chain, x in zip(self._chains, branches, strict=True):
            worked = x
            for block in chain:
                worked = block(worked)
            outs.append(worked)
        return outs


class Fuse(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Adds every branch to each of the first `targets` branches."""

    def __init__(self, name: str, channels: Sequence[int], targets: int) -> None:
        super().__init__()
        self._chains = [
            [self._between(name, channels, source, target) for source in range(len(channels))]
            for target in range(targets)
        ]

    def _between(self, name: str, channels: Sequence[int], source: int, target: int) -> list[nn.Layer]:
        """Make the layers from branch `source` to branch `target`, except the upsampling."""
        prefix = f"residual_{name}_layer_{target + 1}_{source + 1}"
        if source > target:
            return [self.add_sublayer(prefix, ConvNorm(channels[source], channels[target], 1))]
        halvings = target - source
        layers = []
        for number in range(1, halvings + 1):
            is_last = number == halvings
            layer = ConvNorm(
                channels[source],
                channels[target if is_last else source],
                3,
                stride=2,
                activation=identity if is_last else functional.relu,
            )
            layers.append(self.add_sublayer(f"{prefix}_{number}", layer))
        return layers

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """One (N, C_i, h_i, w_i) per branch -> the first `targets` shapes."""
        return [self._sum(target, chains, branches) for target, chains in enumerate(self._chains)]

    def _sum(self, target: int, chains: list[list[nn.Layer]], branches: list[Tensor]) -> Tensor:
        total = branches[target]
        for source, (chain, x) in enumerate(zip(chains, branches, strict=True)):
            if source == target:
                continue
            worked = x
            for layer in chain:
                worked = layer(worked)
            if source > target:
                worked = functional.interpolate(worked, scale_factor=2 ** (source - target), mode="nearest")
            total = total + worked
        return functional.relu(total)


class Module(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Applies blocks to every branch, then adds every branch to every other."""

    def __init__(self, name: str, channels: Sequence[int], targets: int) -> None:
        super().__init__()
        self.branches_func = Branches(name, channels)
        self.fuse_func = Fuse(name, channels, targets)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """One (N, C_i, h_i, w_i) per branch -> the first `targets` shapes."""
        fused: list[Tensor] = self.fuse_func(self.branches_func(branches))
        return fused


class Stage(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Modules one after another; the last one has only `targets` branches as outputs."""

    def __init__(self, name: str, channels: Sequence[int], modules: int, targets: int) -> None:
        super().__init__()
        for number in range(1, modules + 1):
            goals = targets if number == modules else len(channels)
            self.add_sublayer(f"stage_{name}_{number}", Module(f"{name}_{number}", channels, goals))

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """One (N, C_i, h_i, w_i) per branch -> the first `targets` shapes."""
        for module in self.children():
            branches = module(branches)
        return branches


class HRNet(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """(N, 3, H, W) -> (N, width, H/4, W/4)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_layer1_1 = ConvNorm(3, STEM_CHANNELS, 3, stride=2, activation=functional.relu)
        self.conv_layer1_2 = ConvNorm(STEM_CHANNELS, STEM_CHANNELS, 3, stride=2, activation=functional.relu)
        self.la1 = Bottlenecks("layer2")
        before = [STEM_CHANNELS * EXPANSION]
        last = len(MODULES_PER_STAGE)
        for number, modules in enumerate(MODULES_PER_STAGE, 1):
            channels = [width * 2**branch for branch in range(number + 1)]
            targets = 1 if number == last else len(channels)
            self.add_sublayer(f"tr{number}", Transition(f"tr{number}", before, channels))
            self.add_sublayer(f"st{number + 1}", Stage(f"st{number + 1}", channels, modules, targets))
            before = channels

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, width, H/4, W/4); H and W multiples of 32."""
        branches = [self.la1(self.conv_layer1_2(self.conv_layer1_1(image)))]
        for number in range(1, len(MODULES_PER_STAGE) + 1):
            branches = getattr(self, f"st{number + 1}")(getattr(self, f"tr{number}")(branches))
        (highest,) = branches
        return highest


def build(card: ModelCard) -> TopDown:
    """Make the network of a card."""
    width = WIDTHS[card.architecture]
    return TopDown(HRNet(width), width, len(card.keypoints))
