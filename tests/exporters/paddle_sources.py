"""Write the Paddle files that the export tests start from: `python paddle_sources.py FOLDER`.

Run as a process of its own, because Paddle warns at import and keeps global
state. The wrappers return what PaddleDetection's export returns for the same
options (ppdet/engine/trainer.py, export; heads and architectures of 2.5).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn

from pose_onnx import load_card
from pose_onnx.exporters.networks import _blocks, lite_hrnet, network_of
from pose_onnx.exporters.networks.pico_head import score

State = dict[str, NDArray[np.float32]]
POSE, DETECTOR = "tinypose_128x96", "picodet_s_192_lcnet_pedestrian"
IS_PIR: Final = paddle.framework.use_pir_api()


NORM_GAIN: Final = {POSE: 0.45, DETECTOR: 1.15}
"""Mean weight of the batch norms: values neither grow nor vanish on their way through the network."""


HEAD_GAIN: Final = 16
"""Factor on the detector's last layers, so that boxes and scores differ from cell to cell."""


def parameters(layer: nn.Layer, name: str) -> State:
    """Values of a trained network's size, so that no output is near zero."""
    rng = np.random.default_rng(len(name))
    makers: dict[str, Callable[[tuple[int, ...]], Any]] = {
        "_mean": lambda shape: rng.normal(0, 0.1, shape),
        "_variance": lambda shape: rng.uniform(0.5, 1.5, shape),
        "bias": lambda shape: rng.normal(0, 0.1, shape),
        "norm": lambda shape: NORM_GAIN[name] * rng.uniform(0.7, 1.3, shape),
        "conv": lambda shape: rng.normal(0, np.sqrt(1.6 / np.prod(shape[1:])), shape),
    }
    state = {}
    for key, value in layer.state_dict().items():
        last = key.rsplit(".", 1)[1]
        kind = last if last in makers else "conv" if len(value.shape) > 1 else "norm"
        gain = HEAD_GAIN if key.startswith("head.head_") else 1
        state[key] = (gain * makers[kind](tuple(value.shape))).astype(np.float32)
    return state


class Poses(nn.Layer):  # type: ignore[misc]  # paddle is untyped
    """Heatmaps and the place of their maxima; shapes are read from the tensors, as PaddleDetection does."""

    def __init__(self, net: nn.Layer) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Any:
        maps = self.net(image)
        n, (k, h, w) = paddle.shape(maps)[0], maps.shape[1:]
        return maps, paddle.argmax(maps.reshape([n, k, h * w]), axis=-1)


class WithNms(nn.Layer):  # type: ignore[misc]  # paddle is untyped
    def __init__(self, net: nn.Layer) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, scale_factor: Tensor) -> Any:
        boxes, scores = self.net(image)
        y, x = paddle.split(scale_factor, 2, axis=-1)
        boxes = boxes / paddle.concat([x, y, x, y], axis=-1).reshape([-1, 1, 4])
        scores = scores.transpose([0, 2, 1])
        options = (0.025, 1000, 100, 0.6, True, 1.0, -1)
        found, _, count = paddle._C_ops.multiclass_nms3(boxes, scores, None, *options)
        return found, count


class WithoutNms(nn.Layer):  # type: ignore[misc]  # paddle is untyped
    def __init__(self, net: nn.Layer) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Any:
        boxes, scores = self.net(image)
        return boxes, scores.transpose([0, 2, 1])


class RawHeads(nn.Layer):  # type: ignore[misc]  # paddle is untyped
    """Four class tensors, then four box tensors, with a batch of 1 written into the shapes."""

    def __init__(self, net: nn.Layer) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Any:
        features = self.net.neck(self.net.backbone(image))
        classes, boxes = [], []
        for logits, alignment, bins in self.net.head.levels(features):
            classes.append(score(logits, alignment).reshape([1, -1, 1]))
            boxes.append(bins.reshape([1, -1, 32]))
        return [*classes, *boxes]


def shuffle_by_shape(x: Tensor) -> Tensor:
    """channel_shuffle whose target shapes are computed in the graph, from a batch that is not known."""
    n, (c, h, w) = paddle.shape(x)[0], x.shape[1:]
    x = paddle.reshape(x, [n, 2, c // 2, h, w])
    return paddle.reshape(paddle.transpose(x, [0, 2, 1, 3, 4]), [n, c, h, w])


def save(layer: nn.Layer, path: Path, *shapes: list[int | None]) -> None:
    layer.eval()
    layer.net.forward = paddle.jit.not_to_static(layer.net.forward)
    names = ("image", "scale_factor")
    specs = [paddle.static.InputSpec(s, "float32", n) for s, n in zip(shapes, names, strict=False)]
    traced = paddle.jit.not_to_static(layer.forward)
    layer.forward = traced
    paddle.jit.save(layer, str(path / "model"), input_spec=specs)


def build(name: str) -> tuple[nn.Layer, State]:
    card = load_card(name)
    layer = network_of(card).build(card)
    state = parameters(layer, name)
    layer.set_state_dict(state)
    layer.eval()
    return layer, state


def write_pose_folder(out: Path) -> None:
    setattr(lite_hrnet, "channel_shuffle", shuffle_by_shape)  # noqa: B010 (the linter would have mypy complain)
    layer, _ = build(POSE)
    save(Poses(layer), out, [None, 3, 128, 96])
    setattr(lite_hrnet, "channel_shuffle", _blocks.channel_shuffle)  # noqa: B010
    size = "  trainsize:\n  - 96\n  - 128\n  type: TopDownEvalAffine\n"
    (out / "infer_cfg.yml").write_text(
        f"arch: HRNet\nmetric: KeyPointTopDownCOCOEval\nPreprocess:\n- {size.strip()}\n{NORMALISE}"
    )


NORMALISE: Final = """- is_scale: true
  mean:
  - 0.485
  - 0.456
  - 0.406
  std:
  - 0.229
  - 0.224
  - 0.225
  type: NormalizeImage
"""


SELECTION: Final = """label_list:
- person
NMS:
  keep_top_k: 100
  name: MultiClassNMS
  nms_threshold: 0.6
fpn_stride:
- 8
- 16
- 32
- 64
"""


def write_detector_folders(out: Path) -> None:
    for name, wrapper, shapes in (
        ("nms", WithNms, ([1, 3, 192, 192], [1, 2])),
        ("no_nms", WithoutNms, ([None, 3, 192, 192],)),
        ("raw", RawHeads, ([1, 3, 192, 192],)),
    ):
        layer, _ = build(DETECTOR)
        save(wrapper(layer), out / name, *shapes)
        resize = "- interp: 2\n  keep_ratio: false\n  target_size:\n  - 192\n  - 192\n  type: Resize\n"
        (out / name / "infer_cfg.yml").write_text(f"arch: GFL\nPreprocess:\n{resize}{NORMALISE}{SELECTION}")


def as_of_paddle_3_3(folder: Path, out: Path) -> None:
    """Store resize scales as float64 under format version 4: what Paddle 3.3 writes."""
    program = json.loads((folder / "model.json").read_text())

    def walk(node: Any) -> None:
        if isinstance(node, dict) and str(node.get("#", "")).endswith("_interp"):
            for attribute in node["A"]:
                if attribute["N"] == "scale":
                    for element in attribute["AT"]["D"]:
                        element["#"] = element["#"].replace("f32", "f64")
        for child in node if isinstance(node, list) else node.values() if isinstance(node, dict) else ():
            walk(child)

    walk(program)
    program["base_code"]["version"] = 4
    out.mkdir()
    (out / "model.json").write_text(json.dumps(program))
    (out / "model.pdiparams").write_bytes((folder / "model.pdiparams").read_bytes())


def write_checkpoints(out: Path) -> None:
    for name in (POSE, DETECTOR):
        layer, state = build(name)
        np.savez(out / f"{name}.npz", **state)  # type: ignore[arg-type]  # keywords are arrays here
        paddle.save(layer.state_dict(), str(out / f"{name}.pdparams"))
    layer, state = build(POSE)
    first = dict(list(layer.state_dict().items())[:4])
    for protocol in (2, 3, 4):
        paddle.save(first, str(out / f"protocol{protocol}.pdparams"), protocol=protocol)
    # A plain dict of tensors makes paddle.save write (name, array) pairs.
    paddle.save({"layer": {"weight": layer.final_conv.weight}}, str(out / "nested.pdparams"))
    paddle.save({k: paddle.to_tensor(v) for k, v in list(state.items())[:4]}, str(out / "pairs.pdparams"))


def main(out: Path) -> None:
    if IS_PIR:
        write_checkpoints(out)
        write_detector_folders(out / "detector")
        write_pose_folder(out / "pose_json")
        as_of_paddle_3_3(out / "pose_json", out / "pose_json_3_3")
    else:
        write_pose_folder(out / "pose_pdmodel")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
