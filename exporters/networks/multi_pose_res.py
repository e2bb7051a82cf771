"""CenterNet on ResNet with three deconvolutions (arXiv 1904.07850; 1804.06208).

Structure and names: CenterNet src/lib/models/networks/msra_resnet.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.networks._blocks import conv
from pose_onnx.exporters.networks._people_heads import head_channels

STEM: Final = 64
DECONV: Final = 256
DECONVS: Final = 3
HEAD: Final = 64


class BasicBlock(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Two 3 x 3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(c_in, width, 3, stride=stride)
        self.bn1 = nn.BatchNorm2D(width)
        self.conv2 = conv(width, width, 3)
        self.bn2 = nn.BatchNorm2D(width)
        self.downsample = _downsample(c_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, width, H / stride, W / stride)."""
        inner = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.downsample(x))


class Bottleneck(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Pointwise, 3 x 3 and pointwise convolution, and a shortcut; the 3 x 3 has the stride."""

    expansion = 4

    def __init__(self, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        c_out = self.expansion * width
        self.conv1 = conv(c_in, width, 1)
        self.bn1 = nn.BatchNorm2D(width)
        self.conv2 = conv(width, width, 3, stride=stride)
        self.bn2 = nn.BatchNorm2D(width)
        self.conv3 = conv(width, c_out, 1)
        self.bn3 = nn.BatchNorm2D(c_out)
        self.downsample = _downsample(c_in, c_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, 4 * width, H / stride, W / stride)."""
        inner = functional.relu(self.bn1(self.conv1(x)))
        inner = functional.relu(self.bn2(self.conv2(inner)))
        return functional.relu(self.bn3(self.conv3(inner)) + self.downsample(x))


def _downsample(c_in: int, c_out: int, stride: int) -> nn.Layer:
    if stride == 1 and c_in == c_out:
        return nn.Identity()
    return nn.Sequential(conv(c_in, c_out, 1, stride=stride), nn.BatchNorm2D(c_out))


Block = type[BasicBlock] | type[Bottleneck]
DEPTHS: Final[Mapping[str, tuple[Block, tuple[int, int, int, int]]]] = MappingProxyType(
    {
        "multi_pose_res18": (BasicBlock, (2, 2, 2, 2)),
        "multi_pose_res34": (BasicBlock, (3, 4, 6, 3)),
        "multi_pose_res50": (Bottleneck, (3, 4, 6, 3)),
        "multi_pose_res101": (Bottleneck, (3, 4, 23, 3)),
        "multi_pose_res152": (Bottleneck, (3, 8, 36, 3)),
    }
)
"""Class of the blocks, and their number in each stage, by architecture."""


class MultiPoseRes(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """One-pass network.

    Args:
        block: class of the backbone's blocks.
        depths: blocks in each of the four stages.
        heads: channels of each head.
    """

    def __init__(self, block: Block, depths: tuple[int, int, int, int], heads: Mapping[str, int]) -> None:
        super().__init__()
        self.conv1 = conv(3, STEM, 7, stride=2)
        self.bn1 = nn.BatchNorm2D(STEM)
        channels = STEM
        for stage, depth in enumerate(depths):
            width = STEM << stage
            blocks = [block(channels, width, 1 if stage == 0 else 2)]
            channels = block.expansion * width
            blocks += [block(channels, width, 1) for _ in range(depth - 1)]
            self.add_sublayer(f"layer{stage + 1}", nn.Sequential(*blocks))
        self._stages = len(depths)
        self.deconv_layers = nn.Sequential(
            *(part for step in range(DECONVS) for part in _deconv(DECONV if step else channels))
        )
        self._heads = tuple(heads)
        for name, count in heads.items():
            head = nn.Sequential(nn.Conv2D(DECONV, HEAD, 3, padding=1), nn.ReLU(), nn.Conv2D(HEAD, count, 1))
            self.add_sublayer(name, head)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) normalised BGR -> heads (N, C, H / 4, W / 4), raw."""
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(image))), 3, 2, 1)
        for stage in range(self._stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        x = self.deconv_layers(x)
        return tuple(getattr(self, name)(x) for name in self._heads)


def _deconv(c_in: int) -> tuple[nn.Layer, ...]:
    """Make the layers that double the size."""
    up = nn.Conv2DTranspose(c_in, DECONV, 4, stride=2, padding=1, bias_attr=False)
    return up, nn.BatchNorm2D(DECONV), nn.ReLU()


def build(card: ModelCard) -> MultiPoseRes:
    """Make the network of a card."""
    block, depths = DEPTHS[card.architecture]
    return MultiPoseRes(block, depths, head_channels(card))
