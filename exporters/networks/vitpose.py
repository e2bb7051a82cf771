"""ViTPose-B (Xu et al., arXiv 2204.12484): a plain vision transformer, and two heads.

Names of the layers as in PaddleDetection's ppdet/modeling/backbones/vitpose.py and
ppdet/modeling/heads/vitpose_head.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from paddle import Tensor, nn
from paddle.nn import functional

from pose_onnx.cards.card import ModelCard

WIDTH: Final = 768
DEPTH: Final = 12
HEADS: Final = 12
MLP_RATIO: Final = 4
PATCH: Final = 16
PATCH_PADDING: Final = 2
EPSILON: Final = 1e-6
DECONV_CHANNELS: Final = 256
DECONVS: Final = 2
UPSAMPLING: Final = 4
"""Of the simple head: from the patches' grid to the heatmaps'."""


class PatchEmbed(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """(N, 3, H, W) -> (N, 768, H/16, W/16)."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2D(3, WIDTH, PATCH, stride=PATCH, padding=PATCH_PADDING)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 768, H/16, W/16)."""
        return self.proj(image)


class Attention(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Self-attention of T tokens with 12 heads."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, 768) -> the same shape."""
        tokens = x.shape[1]
        depth = WIDTH // HEADS
        parts = [part.reshape([-1, tokens, HEADS, depth]) for part in self.qkv(x).chunk(3, axis=-1)]
        query, key, value = (part.transpose([0, 2, 1, 3]) for part in parts)
        weights = functional.softmax(query.matmul(key.transpose([0, 1, 3, 2])) * depth**-0.5, axis=-1)
        mixed = weights.matmul(value).transpose([0, 2, 1, 3]).reshape([-1, tokens, WIDTH])
        return self.proj(mixed)


class Mlp(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Two linear layers with a GELU between."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(WIDTH, MLP_RATIO * WIDTH)
        self.fc2 = nn.Linear(MLP_RATIO * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, 768) -> the same shape."""
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Attention and a perceptron, each normed before and added to what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, epsilon=EPSILON)
        self.attn = Attention()
        self.norm2 = nn.LayerNorm(WIDTH, epsilon=EPSILON)
        self.mlp = Mlp()

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, 768) -> the same shape."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """(N, 3, H, W) -> (N, 768, H/16, W/16).

    Args:
        size: (H, W) of the input, multiples of 16.
        depth: number of blocks.
    """

    def __init__(self, size: tuple[int, int], depth: int) -> None:
        super().__init__()
        self._grid = [size[0] // PATCH, size[1] // PATCH]
        self.patch_embed = PatchEmbed()
        self.pos_embed = self.create_parameter([1, self._grid[0] * self._grid[1] + 1, WIDTH])
        self.blocks = nn.LayerList([Block() for _ in range(depth)])
        self.last_norm = nn.LayerNorm(WIDTH, epsilon=EPSILON)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 768, H/16, W/16)."""
        x = self.patch_embed(image).flatten(2).transpose([0, 2, 1])
        # The class token's place, which every patch is moved by: there is no class token here.
        x = x + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        for block in self.blocks:
            x = block(x)
        return self.last_norm(x).transpose([0, 2, 1]).reshape([-1, WIDTH, *self._grid])


class DeconvHead(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Two deconvolutions, then the heatmaps of K joints."""

    def __init__(self, joints: int) -> None:
        super().__init__()
        layers: list[Any] = []
        c_in = WIDTH
        for _ in range(DECONVS):
            layers.append(nn.Conv2DTranspose(c_in, DECONV_CHANNELS, 4, stride=2, padding=1, bias_attr=False))
            layers += [nn.BatchNorm2D(DECONV_CHANNELS), nn.ReLU()]
            c_in = DECONV_CHANNELS
        self.deconv_layers = nn.Sequential(*layers)
        self.final_layer = nn.Conv2D(c_in, joints, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 768, h, w) -> (N, K, 4 * h, 4 * w)."""
        return self.final_layer(self.deconv_layers(x))


class SimpleHead(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Rectified, enlarged, then the heatmaps of K joints."""

    def __init__(self, joints: int) -> None:
        super().__init__()
        self.final_layer = nn.Conv2D(WIDTH, joints, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 768, h, w) -> (N, K, 4 * h, 4 * w)."""
        large = functional.interpolate(functional.relu(x), scale_factor=UPSAMPLING, mode="bilinear")
        return self.final_layer(large)


class ViTPose(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Keypoint network ("VitPose_TopDown" of PaddleDetection).

    Args:
        size: (H, W) of the input, multiples of 16.
        head: (N, 768, H/16, W/16) -> (N, K, H/4, W/4).
        depth: number of blocks of the backbone.
    """

    def __init__(self, size: tuple[int, int], head: nn.Layer, depth: int = DEPTH) -> None:
        super().__init__()
        self.backbone = ViT(size, depth)
        self.head = head

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) normalised RGB -> heatmaps (N, K, H/4, W/4)."""
        return self.head(self.backbone(image))


KINDS: Final[Mapping[str, Callable[[int], nn.Layer]]] = MappingProxyType(
    {"vitpose_base": DeconvHead, "vitpose_base_simple": SimpleHead}
)
"""The head, from the number of joints, by architecture."""


def build(card: ModelCard) -> ViTPose:
    """Make the network of a card."""
    return ViTPose(card.picture.size, KINDS[card.architecture](len(card.keypoints)))
