"""Training on actions of one's own, from skeletons to a file that `ActionModel` runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pose_onnx import ActionModel, load_card
from pose_onnx.core.windows import Window
from pose_onnx.exporters import export
from pose_onnx.exporters.templates import find_template
from pose_onnx.formats import read_frames
from pose_onnx.runtimes import open_runtime
from training import actions, skeletons
from training.weights import save_npz, to_paddle

CARD = load_card("stgcn_pphuman")
OWN = replace(CARD.without_claims("own", "made by the tests"), classes=("stand", "walk", "wave"))
LARGEST_SCRIPT = 150  # lines: what docs/actions.md promises


def test_the_network_has_the_parameters_that_export_wants() -> None:
    template = find_template(OWN)
    assert template is not None
    found = {name: array.shape for name, array in to_paddle(actions.StGcn(3)).items()}
    assert found == template.shapes(OWN)


def test_the_exported_file_computes_what_the_network_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, windows = actions.StGcn(3), torch.randn(4, 2, 50, 17)
    with torch.inference_mode():
        network(windows)  # moves the statistics of the batch norms
        expected = network.eval()(windows).numpy()
    save_npz(network, tmp_path / "own.npz")
    (file,) = export(tmp_path / "own.npz", card=OWN, to=("onnx",), out=tmp_path).files
    runtime = open_runtime(file, "ort", threads=1)
    found = runtime.run({"window": windows.numpy()[..., None]})["logits"]
    runtime.close()
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())  # float32 of 10 blocks


def test_from_a_table_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skeletons.write(tmp_path, "train", skeletons.clips(1, (10.0,), seed=1))
    skeletons.write(tmp_path, "test", skeletons.clips(1, (8.0,), seed=2))
    out = tmp_path / "my_actions.npz"
    words = [tmp_path / "train.csv", "--test", tmp_path / "test.csv", "--out", out, "--steps", 2]
    monkeypatch.setattr("sys.argv", ["actions", *map(str, words)])
    actions.main()
    card = load_card(out.with_suffix(".json"))
    assert card.classes == tuple(sorted(skeletons.ACTS))
    assert card.published.endswith("windows of test.csv")
    (file,) = export(out, card=card, to=("onnx",), out=tmp_path).files
    with ActionModel(file, threads=1) as model:
        window = Window(
            np.ones((50, 17, 2), np.float32), np.tile(np.array([0, 0, 9, 9], np.float32), (50, 1))
        )
        assert model(window).label in card.classes


def test_the_script_is_short() -> None:
    assert len(Path(actions.__file__).read_text(encoding="utf-8").splitlines()) <= LARGEST_SCRIPT


def test_windows_are_labelled_by_where_they_end(tmp_path: Path) -> None:
    skeletons.write(tmp_path, "all", skeletons.clips(1, (10.0,), seed=1))
    header = "file,id,start,stop,action\n"
    (tmp_path / "rows.csv").write_text(header + "all00001.jsonl,1,2.0,3.5,walk\n", encoding="utf-8")
    windows, found = actions.examples(tmp_path / "rows.csv", CARD)
    assert found == ["walk"] * len(windows) == ["walk"] * 3  # at 2.0, 2.5 and 3.0 seconds
    both, _ = actions.examples(tmp_path / "rows.csv", CARD, moments=3)
    assert len(both) == 3 * 2 * len(windows)  # three moments, mirrored too
    np.testing.assert_allclose(both[1][1][:, 5], both[0][1][:, 6], atol=1e-3)  # left and right shoulder
    np.testing.assert_allclose(both[1][0][:, 5], CARD.input.box[0] - both[0][0][:, 6], atol=1e-2)  # type: ignore[union-attr]
    (tmp_path / "none.csv").write_text(header + "all00001.jsonl,9,2.0,3.1,walk\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="names nobody who is seen for long enough"):
        actions.examples(tmp_path / "none.csv", CARD)


@pytest.mark.parametrize("action", skeletons.ACTS)
def test_skeletons_are_people(action: str) -> None:
    rng = np.random.default_rng(4)
    times = np.arange(60) / 12
    joints = skeletons.body(skeletons.ACTS[action](times, rng).angles, 1.0)
    nose, ankles = joints[:, 0, 1], joints[:, 15:17, 1]
    assert nose[0] == pytest.approx(0.9, abs=0.1)
    np.testing.assert_allclose(ankles.min(axis=1)[:15], 0, atol=1e-6)  # on the ground
    lowest = {"fall": (-0.1, 0.5), "sit_down": (0.45, 0.8)}.get(action, (0.8, 1.0))
    assert lowest[0] < nose[-1] < lowest[1]
    thighs = np.linalg.norm(joints[:, 11] - joints[:, 13], axis=1)
    np.testing.assert_allclose(thighs, skeletons.THIGH, atol=1e-9)


def test_written_skeletons_are_read_again(tmp_path: Path) -> None:
    (clip, *_) = skeletons.clips(1, (8.0,), seed=3)
    skeletons.write(tmp_path, "one", iter([clip]))
    frames = list(read_frames(tmp_path / "one00000.jsonl"))
    assert [len(frame.poses) for frame in frames] == clip.seen.astype(int).tolist()
    assert [frame.time for frame in frames] == pytest.approx(clip.times)
