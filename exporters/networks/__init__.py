"""Paddle definitions of the networks, with PaddleDetection's parameter names: one file per part.

A new architecture is one file with a `build(card)` and one line in `NETWORKS`.
Paddle is imported by the files, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, cast

from pose_onnx.cards.card import ModelCard
from pose_onnx.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Network:
    """Where an architecture is defined, and which other entries its checkpoints have.

    Attributes:
        module: name of the module with `build(card) -> paddle.nn.Layer`.
        aliases: (pattern, replacement) for other names of the same parameters.
        buffers: patterns of entries that the network does not need.
        two_stage: whether it takes one picture of any size, and the size of what the picture fills.
    """

    module: str
    aliases: tuple[tuple[str, str], ...] = ()
    buffers: tuple[str, ...] = ()
    two_stage: bool = False

    def build(self, card: ModelCard) -> Any:
        """Build the network with random weights; needs Paddle."""
        builder = cast("Callable[[ModelCard], Any]", import_module(self.module).build)
        return builder(card)


_HERE: Final = "pose_onnx.exporters.networks"
_GFL_BUFFERS: Final = (r"head\.p\d+_feat\.scale_reg", r"head\.distribution_project\.project")
"""Entries that PicoDet's heads inherit from PaddleDetection's GFL head and do not use."""
_PPYOLOE: Final = Network(
    f"{_HERE}.ppyoloe",
    # Constants that PaddleDetection keeps as parameters: the bins' distances and the grid.
    buffers=(r"yolo_head\.proj_conv\.weight", r"yolo_head\.(anchor_points|stride_tensor)"),
)
_PICODET_ESNET: Final = Network(
    f"{_HERE}.picodet",
    aliases=((r"^head\.head_cls_list\.(\d+)\.", r"head.head_cls\1."),),
    buffers=_GFL_BUFFERS,
)
_PICODET_LCNET: Final = Network(
    f"{_HERE}.picodet",
    aliases=((r"^head\.head_(cls|reg)(\d+)\.", r"head.head_\1_list.\2."),),
    buffers=_GFL_BUFFERS,
)
_YOLO: Final = (
    *(
        "yolov3_darknet53",
        "yolov3_mobilenet_v1",
        "yolov3_mobilenet_v3_large",
        "yolov3_r34",
        "yolov3_r50vd_dcn",
    ),
    *("ppyolo_tiny", "ppyolo_mbv3_small", "ppyolo_mbv3_large", "ppyolo_r18vd", "ppyolo_r50vd_dcn"),
    *("ppyolov2_r50vd_dcn", "ppyolov2_r101vd_dcn"),
)
_CENTERNET: Final = tuple(
    f"centernet_{name}" for name in ("mbv1", "mbv3_small", "mbv3_large", "r18", "r50", "shufflenetv2")
)
_RCNN: Final = ("faster_rcnn_enhance", "cascade_rcnn_r50", "cascade_rcnn_r50vd")
_DLA_OF_PADDLE: Final = (
    (r"^(backbone\.(?:base_layer|level[01]))\.0\.conv\.", r"\1.0."),
    (r"^(backbone\.(?:base_layer|level[01]))\.0\.norm\.", r"\1.1."),
    (r"^(backbone\..*)\.conv([12])\.conv\.", r"\1.conv\2."),
    (r"^(backbone\..*)\.conv([12])\.norm\.", r"\1.bn\2."),
    (r"^(backbone\..*\.root\.conv)\.conv\.", r"\1."),
    (r"^(backbone\..*\.root)\.conv\.norm\.", r"\1.bn."),
    (r"^(backbone\..*\.project)\.conv\.", r"\1.0."),
    (r"^(backbone\..*\.project)\.norm\.", r"\1.1."),
)
"""What PaddleDetection calls the parameters of DLA."""
_TORCH_NAMES: Final = ((r"\.running_mean$", "._mean"), (r"\.running_var$", "._variance"))
"""PyTorch's names for the statistics of a batch norm, and Paddle's."""
_BATCHES: Final = r".*\.num_batches_tracked"
"""PyTorch's counter of batches, which inference does not need."""
_MULTI_POSE_RES: Final = Network(f"{_HERE}.multi_pose_res", aliases=_TORCH_NAMES, buffers=(_BATCHES,))

NETWORKS: Final[Mapping[str, Network]] = MappingProxyType(
    {
        "tinypose": Network(f"{_HERE}.lite_hrnet"),
        "lite_hrnet_18": Network(f"{_HERE}.lite_hrnet"),
        "lite_hrnet_30": Network(f"{_HERE}.lite_hrnet"),
        "hrnet_w32": Network(f"{_HERE}.hrnet"),
        "hrnet_w48": Network(f"{_HERE}.hrnet"),
        "vitpose_base": Network(f"{_HERE}.vitpose"),
        "vitpose_base_simple": Network(f"{_HERE}.vitpose"),
        **{f"picodet_{size}_lcnet": _PICODET_LCNET for size in ("s", "xs", "m", "l")},
        "picodet_s_npu": _PICODET_LCNET,
        "picodet_s_esnet": _PICODET_ESNET,
        "picodet_m_esnet": _PICODET_ESNET,
        "st_gcn": Network(f"{_HERE}.st_gcn"),
        **{f"ppyoloe{plus}_{size}": _PPYOLOE for plus in ("", "_plus") for size in "smlx"},
        **{name: Network(f"{_HERE}.yolo") for name in _YOLO},
        **{name: Network(f"{_HERE}.centernet") for name in _CENTERNET},
        **{name: Network(f"{_HERE}.rcnn", two_stage=True) for name in _RCNN},
        "centernet_dla34": Network(
            f"{_HERE}.centernet",
            aliases=_DLA_OF_PADDLE,
            # Two layers whose results nobody uses.
            buffers=(r"backbone\.level[34]\.project\..*",),
        ),
        "multi_pose_hg": Network(
            f"{_HERE}.multi_pose_hg",
            aliases=_TORCH_NAMES,
            # Heads of the first stack, which only training needs.
            buffers=(_BATCHES, r"(hm|wh|hps|reg|hm_hp|hp_offset)\.0\..*"),
        ),
        "multi_pose_dla": Network(
            f"{_HERE}.multi_pose_dla",
            aliases=_TORCH_NAMES,
            # A classifier, and two layers whose results are not used.
            buffers=(_BATCHES, r"base\.fc\..*", r"base\.level[34]\.project\..*"),
        ),
        **{f"multi_pose_res{depth}": _MULTI_POSE_RES for depth in (18, 34, 50, 101, 152)},
    }
)


def network_of(card: ModelCard) -> Network:
    """Look up the network of a card.

    Raises:
        UnknownNameError: there is none.
    """
    if card.architecture not in NETWORKS:
        raise UnknownNameError(
            f"card {card.name!r} has the unknown architecture {card.architecture!r}; choose one of "
            f"{list(NETWORKS)}, or export from a Paddle inference folder"
        )
    return NETWORKS[card.architecture]
