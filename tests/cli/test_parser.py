"""What nobody knows is refused in one line, with what was probably meant; following that works."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Outcome


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["rnu", "a.jpg"], "'rnu' is not known; did you mean 'run'?"),
        (["models", "pul"], "'pul' is not known; did you mean 'pull'?"),
        (["run", "a.jpg", "--treshold", "0.3"], "did you mean '--threshold'?"),
        (["run", "a.jpg", "--treshold=0.3"], "did you mean '--threshold'?"),
        (["video", "a.mp4", "--evry", "3"], "did you mean '--every'?"),
        (["run", "a.jpg", "--quality", "bst"], "'bst' is not known; did you mean 'best'?"),
        (["run", "a.jpg", "--backend", "orrt"], "'orrt' is not known; did you mean 'ort'?"),
        (["run", "a.jpg", "--device", "cuba"], "'cuba' is not known; did you mean 'cuda'?"),
        (["run", "a.jpg", "--pose", "tinypose_128x9"], "did you mean 'tinypose_128x96'?"),
        (["demo", "a.jpg"], "unknown arguments: a.jpg; pose-onnx demo --help"),
    ],
)
def test_did_you_mean(cli: Callable[..., Outcome], tmp_path: Path, words: list[str], hint: str) -> None:
    (tmp_path / "a.jpg").touch()
    done = cli(*words)
    assert (done.code, done.out) == (2, "")
    assert hint in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_photo_without_a_verb(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert f"did you mean 'pose-onnx run {tmp_path / 'a.jpg'}'?" in cli(tmp_path / "a.jpg").err
