"""PaddleDetection's top-down keypoint networks: a backbone, and one convolution that makes the heatmaps."""

from __future__ import annotations

from paddle import Tensor, nn


class TopDown(nn.Layer):  # type: ignore[misc]  # paddle's Layer is untyped
    """Keypoint network ("TopDownHRNet" of PaddleDetection).

    Args:
        backbone: (N, 3, H, W) -> (N, channels, H/4, W/4).
        channels: of the backbone's features.
        joints: number of keypoints K.
    """

    def __init__(self, backbone: nn.Layer, channels: int, joints: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.final_conv = nn.Conv2D(channels, joints, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) normalised RGB -> heatmaps (N, K, H/4, W/4)."""
        return self.final_conv(self.backbone(image))
