"""End-to-end files of one-pass networks against the core."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from pose_onnx import ExportError, PoseEstimator, load_card, load_image, read_card
from pose_onnx.core.people import PeopleHeads, decode_people, sigmoid
from pose_onnx.exporters.end_to_end import _people, assemble
from pose_onnx.exporters.end_to_end._values import Value
from pose_onnx.exporters.graph import Graph, TensorInfo
from pose_onnx.exporters.outputs import export_of
from pose_onnx.outputs import PeopleOutput
from pose_onnx.outputs.people_heads import ALL, NEEDED
from tests.end_to_end.conftest import PHOTOS, run, wrap
from tests.tiny_people import heads_network, picture

GRID = (64, 96)  # rows and columns, of the golden heads


def decoder(heads: tuple[str, ...], shared_heads: dict[str, Any]) -> bytes:
    """Write the decoding alone."""
    card = read_card_of(heads)
    inputs = [TensorInfo(name, TensorProto.FLOAT, shared_heads[name].shape) for name in heads]
    graph = Graph([], {}, inputs, [])
    found = _people.decode({name: Value(graph, name, np.dtype(np.float32)) for name in heads}, card)
    for name, value in found._asdict().items():
        value.rename(name)
        graph.outputs.append(
            TensorInfo(name, TensorProto.FLOAT, tuple("abc"[: 3 if name == "joints" else 2]))
        )
    graph.outputs[1] = replace(graph.outputs[1], shape=("a",))
    return bytes(graph.to_model().SerializeToString())


def read_card_of(heads: tuple[str, ...]) -> Any:
    card = load_card("multi_pose_dla_3x")
    size = (4 * GRID[0], 4 * GRID[1])
    return replace(card, input=replace(card.picture, size=size), output=PeopleOutput(heads=heads))


@pytest.mark.parametrize("heads", [ALL, NEEDED, (*NEEDED, "hm_hp"), (*NEEDED, "reg", "hm_hp")], ids="-".join)
def test_the_reference_s_heads_are_decoded_as_in_the_core(shared: Path, heads: tuple[str, ...]) -> None:
    with np.load(shared / "golden" / "centernet_decode.npz") as golden:
        raw = {name: golden[f"syn_head_{name}"].reshape(1, -1, *GRID) for name in heads}
    maps = {name: sigmoid(raw[name][0]) if name in ("hm", "hm_hp") else raw[name][0] for name in heads}
    expected = decode_people(PeopleHeads(*(cast("Any", maps.get(name)) for name in ALL)))
    found = run(decoder(heads, raw), **raw)
    people = len(expected.scores)
    assert people > 5
    np.testing.assert_allclose(found["scores"][:people], expected.scores, atol=1e-6)
    assert (found["scores"][people:] == 0).all()
    np.testing.assert_allclose(found["boxes"][:people], expected.boxes, atol=1e-4)
    np.testing.assert_allclose(found["joints"][:people], expected.joints, atol=1e-4)
    np.testing.assert_allclose(found["joint_scores"][:people], expected.joint_scores, atol=1e-6)


@pytest.mark.parametrize("resize", ["fix", "keep"])
@pytest.mark.parametrize("size", [(64, 64), (16, 32), (41, 27), (1, 1)])
def test_image_to_people_equals_the_model(tmp_path: Path, resize: str, size: tuple[int, int]) -> None:
    network = heads_network(tmp_path / "people.onnx")
    model, card = onnx.load(network), read_card(network)
    card = replace(card, input=replace(card.picture, resize=resize))
    onnx.save(assemble(model, card), tmp_path / "whole.onnx")
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    with PoseEstimator(pose=network, pose_card=card, threads=1) as one_pass:
        expected = one_pass(image)
    found = run(tmp_path / "whole.onnx", image)
    np.testing.assert_allclose(found["scores"], expected.box_scores, atol=1e-6)
    np.testing.assert_allclose(found["boxes"], expected.boxes, atol=1e-3)
    np.testing.assert_allclose(found["keypoints"], expected.keypoints, atol=1e-3)
    np.testing.assert_allclose(found["keypoint_scores"], expected.scores, atol=1e-6)


def test_nobody_somebody_and_what_an_export_measures(tmp_path: Path) -> None:
    network = heads_network(tmp_path / "people.onnx")
    file = wrap(network, tmp_path)
    assert run(file, picture())["keypoints"].shape == (0, 17, 2)
    assert run(file, picture((3, 5)))["keypoints"].shape == (1, 17, 2)
    results = export_of(read_card(network)).compare(file, network, load_image(PHOTOS[0]))
    for name, expected in results.expected.items():
        assert results.found[name].shape == expected.shape
        assert np.abs(results.found[name] - expected).max(initial=0) <= results.bars[name]


def test_another_way_to_resize_is_one_sentence(tmp_path: Path) -> None:
    network = heads_network(tmp_path / "people.onnx")
    card = read_card(network)
    card = replace(card, input=replace(card.picture, resize="stretch"))
    with pytest.raises(ExportError, match=r"'stretch', but .*; export the network alone"):
        assemble(onnx.load(network), card)
