"""PP-TinyPose: Lite-HRNet and one convolution to the heatmaps."""

from __future__ import annotations

from paddle import Tensor, nn

from pose_onnx.cards.card import ModelCard
from pose_onnx.exporters.networks.lite_hrnet import BRANCH_CHANNELS, LiteHRNet


class TinyPose(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Top-down keypoint network.

    Args:
        joints: number of keypoints K.
    """

    def __init__(self, joints: int) -> None:
        super().__init__()
        self.backbone = LiteHRNet()
        self.final_conv = nn.Conv2D(BRANCH_CHANNELS[0], joints, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) normalised RGB -> heatmaps (N, K, H/4, W/4)."""
        return self.final_conv(self.backbone(image))


def build(card: ModelCard) -> TinyPose:
    """Make the network of a card."""
    return TinyPose(len(card.keypoints))
