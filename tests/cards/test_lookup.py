"""From a name to a file: what lies in the working directory does not come between."""

from __future__ import annotations

from pathlib import Path

import pytest

from pose_onnx import UnknownNameError, resolve_model

BUILT_IN = "tinypose_128x96_distilled"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_folder_of_a_models_name_does_not_shadow_the_model() -> None:
    Path(BUILT_IN).mkdir()  # Paddle's export makes just such folders
    assert resolve_model(BUILT_IN).name == f"{BUILT_IN}.onnx"


def test_a_path_of_a_models_name_is_the_path() -> None:
    Path(BUILT_IN).mkdir()
    assert resolve_model(f"./{BUILT_IN}") == Path(BUILT_IN)
    assert resolve_model(Path(BUILT_IN)) == Path(BUILT_IN)


def test_a_folder_of_no_models_name_needs_no_mark() -> None:
    Path("mine").mkdir()
    assert resolve_model("mine") == Path("mine")
    with pytest.raises(UnknownNameError, match="'yours' is not known"):
        resolve_model("yours")
