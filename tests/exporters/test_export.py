"""Whole exports, from files that Paddle itself wrote, with seeded random weights."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from pose_onnx import DependencyError, ExportError, InputError, ModelFileError, load_card, read_card
from pose_onnx.exporters import _tools, export, pipeline
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.identity import Identity, resolve_card
from pose_onnx.exporters.passes import SIMPLIFY, Pass, rewrite
from pose_onnx.exporters.source import read_source
from pose_onnx.exporters.stamp import FORBIDDEN
from pose_onnx.exporters.verify import compare, demand, make_inputs, run_file, run_with_rounding

POSE, DETECTOR = "tinypose_128x96", "picodet_s_192_lcnet_pedestrian"
OUTPUTS = {
    POSE: [("heatmaps", ("N", 17, 32, 24))],
    DETECTOR: [("boxes", ("N", 765, 4)), ("scores", ("N", 765, 1))],
}


@pytest.fixture(scope="module")
def exported(paddle_sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both checkpoints in every format and precision."""
    folder = tmp_path_factory.mktemp("exported")
    checkpoint, halves = paddle_sources / f"{POSE}.pdparams", ("fp32", "fp16")
    export(checkpoint, precision=halves, out=folder, via="paddle")
    export(paddle_sources / f"{DETECTOR}.npz", model=DETECTOR, precision=halves, out=folder, via="paddle")
    return folder


def check_contract(file: Path, name: str) -> None:
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    graph = Graph.from_model(model)
    assert [(t.name, t.shape) for t in graph.inputs] == [("image", ("N", 3, *load_card(name).picture.size))]
    assert [(t.name, t.shape) for t in graph.outputs] == OUTPUTS[name]
    assert not {node.op for node in graph.nodes} & {*FORBIDDEN, "Constant", "Identity", "Unsqueeze"}
    assert read_card(file) == load_card(name)


@pytest.mark.parametrize("name", [POSE, DETECTOR])
def test_a_checkpoint_becomes_every_format(exported: Path, name: str) -> None:
    suffixes = (".onnx", "_fp16.onnx", ".tflite", "_fp16.tflite", ".receipt.json")
    assert all((exported / f"{name}{suffix}").stat().st_size for suffix in suffixes)
    check_contract(exported / f"{name}.onnx", name)
    assert read_card(exported / f"{name}.tflite") == load_card(name)
    full, half = ((exported / f"{name}{s}").stat().st_size for s in (".onnx", "_fp16.onnx"))
    assert half < 0.6 * full


@pytest.mark.parametrize("name", [POSE, DETECTOR])
def test_nothing_else_is_left_in_the_folder(exported: Path, name: str) -> None:
    assert len(list(exported.glob(f"{name}*"))) == 5
    assert not [p for p in exported.iterdir() if p.name.startswith(".")]


def test_the_receipt_tells_source_tools_and_errors(exported: Path, paddle_sources: Path) -> None:
    receipt = json.loads((exported / f"{POSE}.receipt.json").read_text())
    assert list(receipt["source"]) == [f"{POSE}.pdparams"]
    assert re.fullmatch(r"[0-9a-f]{64}", receipt["source"][f"{POSE}.pdparams"])
    assert receipt["trust"].startswith("first use")
    assert {"paddlepaddle", "paddle2onnx", "onnxruntime", "ai-edge-litert", "python"} <= receipt[
        "versions"
    ].keys()
    assert receipt["files"].keys() == {
        f"{POSE}{s}" for s in (".onnx", "_fp16.onnx", ".tflite", "_fp16.tflite")
    }
    stages = {e["stage"] for e in receipt["errors"]}
    assert stages == {
        "onnx fp32 vs paddle",
        "onnx fp16 vs onnx fp32",
        "tflite fp32 vs onnx fp32",
        "tflite fp16 vs onnx fp32",
    }
    assert {e["inputs"] for e in receipt["errors"]} == {"random", "photo"}
    assert all(0 <= e["error"] <= max(e["bar"], e["rounding"]) for e in receipt["errors"])
    assert str(paddle_sources) not in (exported / f"{POSE}.receipt.json").read_text()


def test_any_batch_gives_what_single_images_give(exported: Path) -> None:
    images = np.random.default_rng(1).standard_normal((5, 3, 128, 96)).astype(np.float32)
    for suffix in (".onnx", ".tflite"):
        file = exported / f"{POSE}{suffix}"
        together = run_file(file, {"all": images})["all"]["heatmaps"]
        alone = [run_file(file, {"one": image[None]})["one"]["heatmaps"][0] for image in images]
        np.testing.assert_allclose(together, np.stack(alone), atol=5e-6)  # rounding, as between engines


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("pose_json", POSE),  # shape arithmetic and argmax
        ("pose_json_3_3", POSE),  # no infer_cfg.yml
        ("pose_pdmodel", POSE),
        ("detector/nms", DETECTOR),  # NMS, scale_factor, batch of 1
        ("detector/no_nms", DETECTOR),
        ("detector/raw", DETECTOR),  # eight raw tensors, batch of 1
    ],
)
def test_every_form_of_inference_folder_becomes_the_same_model(
    paddle_sources: Path, exported: Path, tmp_path: Path, folder: str, name: str
) -> None:
    before = {p: p.stat().st_mtime_ns for p in (paddle_sources / folder).iterdir()}
    result = export(paddle_sources / folder, model=name, to=("onnx",), out=tmp_path)
    assert [f.name for f in result.files] == [f"{name}.onnx"]
    check_contract(result.files[0], name)
    assert len(onnx.load(result.files[0]).graph.node) < 900  # paddle2onnx gives up to 3,200
    inputs = make_inputs(load_card(name))
    expected = run_file(exported / f"{name}.onnx", inputs)
    # The same network, perhaps in another order of operations: rounding is all that may differ.
    card = load_card(name)
    found, rounding = run_with_rounding(result.files[0], inputs, card)
    demand(compare("folder vs checkpoint", expected, found, card=card, precision="fp32", rounding=rounding))
    assert {p: p.stat().st_mtime_ns for p in (paddle_sources / folder).iterdir()} == before


@pytest.mark.parametrize(
    ("folder", "name"),
    [("pose_json", POSE), ("pose_pdmodel", POSE), ("detector/nms", DETECTOR), ("detector/raw", DETECTOR)],
)
def test_a_folder_needs_no_name_and_gets_no_claims(paddle_sources: Path, folder: str, name: str) -> None:
    source = read_source(paddle_sources / folder)
    card, notes = resolve_card(source, Identity())
    official = load_card(name)
    assert card.name == folder.rpartition("/")[2]
    assert re.fullmatch(rf"exported from {card.name}/model\.pdiparams, sha256 [0-9a-f]{{64}}", card.source)
    assert replace(card, name=name, architecture=official.architecture) == official.without_claims(
        name, card.source
    )
    assert notes == ()


BUILT_IN = Path(__file__).parents[2] / "training" / "checkpoints" / "tinypose_128x96_distilled.npz"


def break_one_weight(graph: Graph) -> Graph:
    name = next(n.inputs[1] for n in graph.nodes if n.op == "Conv")
    graph.constants[name] = graph.constants[name] * np.float32(1.001)
    return graph


def test_a_crossed_bar_fails_the_export_and_leaves_no_file(
    paddle_sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This is also the proof that the comparison sees a change of one part in a thousand in one layer.
    monkeypatch.setattr(pipeline, "rewrite", lambda graph, passes: break_one_weight(rewrite(graph, passes)))
    out = tmp_path / "new" / "folder"
    with pytest.raises(
        ExportError, match=r"'verify' failed .*onnx fp32 vs paddle: heatmaps .* \(bar 5e-06, "
    ):
        export(paddle_sources / f"{POSE}.npz", to=("onnx",), out=out, via="paddle")
    assert list(out.iterdir()) == []


def test_a_pass_that_fails_is_skipped_and_the_receipt_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(graph: Graph) -> None:
        graph.constants.clear()
        raise KeyError("none")

    monkeypatch.setattr(pipeline, "SIMPLIFY", (*SIMPLIFY, Pass("broken", fail)))
    result = export(BUILT_IN, to=("onnx",), out=tmp_path, avx512=True)
    (skipped,) = json.loads(result.receipt.read_text(encoding="utf-8"))["skipped"]
    assert skipped.endswith("merge_sums) failed (KeyError: 'none')")
    shapes = [list(tensor.dims) for tensor in onnx.load(result.files[0]).graph.initializer]
    assert [40, 40, 1] in shapes  # a pointwise convolution as a matrix product, for AVX-512


def test_an_earlier_export_survives_a_failed_one(
    paddle_sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{DETECTOR}.onnx").write_bytes(b"earlier")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pipeline, "candidates", full_disk)
    with pytest.raises(ExportError, match=r"No space left on device.*choose a writable folder"):
        export(paddle_sources / "detector" / "no_nms", to=("onnx",), out=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [f"{DETECTOR}.onnx"]
    assert (tmp_path / f"{DETECTOR}.onnx").read_bytes() == b"earlier"


def test_a_checkpoint_of_another_network_lists_what_differs(paddle_sources: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"1[0-9]{3} missing: backbone.*unexpected: .* and \d+ more"):
        export(paddle_sources / f"{DETECTOR}.npz", model=POSE, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_broken_params_of_a_folder_are_a_clear_error(paddle_sources: Path, tmp_path: Path) -> None:
    source = tmp_path / POSE
    source.mkdir()
    for name in ("model.json", "model.pdiparams"):
        content = (paddle_sources / "pose_json" / name).read_bytes()
        (source / name).write_bytes(content if name.endswith("json") else content[:1000])
    with pytest.raises(
        ExportError, match=r"'to_onnx' failed \(done before: read\): 'run' of the Paddle program"
    ):
        export(source, model=POSE, out=tmp_path / "out")


def test_a_folder_that_is_a_file_is_an_error(paddle_sources: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="choose a writable folder") as error:
        export(paddle_sources / f"{POSE}.npz", out=tmp_path / "file")
    assert type(error.value).__module__ == "pose_onnx.errors"


@pytest.mark.parametrize(
    ("to", "precision"), [((), ("fp32",)), (("onnx",), ("int3",)), (("coreml",), ("fp32",))]
)
def test_unknown_formats_are_errors_before_any_work(
    tmp_path: Path, to: tuple[str, ...], precision: tuple[str, ...]
) -> None:
    with pytest.raises(
        InputError, match=r"formats from \['onnx', 'tflite'\] and precisions from \['fp32', 'fp16', 'int8"
    ):
        export(tmp_path / "nothing", to=to, precision=precision, out=tmp_path / "out")


def np_checkpoint(folder: Path) -> Path:
    """Write a checkpoint of another network: it is read before a tool is asked for."""
    np.savez(folder / "other.npz", weight=np.ones((1, 2), np.float32))
    return folder / "other.npz"


def test_missing_tools_are_one_error_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def find_spec(name: str) -> ModuleSpec | None:
        return None if name.startswith("paddle") else ModuleSpec(name, None)

    monkeypatch.setattr(_tools, "find_spec", find_spec)
    with pytest.raises(
        DependencyError, match=r"needs paddle, paddle2onnx.*3\.10 to 3\.12.*'pose-onnx\[export\]'"
    ):
        export(np_checkpoint(tmp_path), model=POSE, out=tmp_path / "out", via="paddle")


def test_importing_the_exporters_loads_nothing_heavy() -> None:
    code = (
        "import sys, pose_onnx.exporters; print([m for m in ('onnx', 'paddle', 'yaml') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_halved_weights_are_float16_in_the_file(exported: Path) -> None:
    model = onnx.load(exported / f"{POSE}_fp16.onnx")
    sizes: dict[str, int] = {}
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        sizes[array.dtype.name] = sizes.get(array.dtype.name, 0) + array.size
    assert sizes["float16"] > 20 * sizes["float32"]
