"""Whatever one item of many raises becomes one sentence of the package's own."""

from __future__ import annotations

import pytest

from pose_onnx import InputError, PoseOnnxError, UnexpectedError
from pose_onnx.failures import failure_of


def test_the_packages_own_errors_stay_as_they_are() -> None:
    error = InputError("'a.jpg' is empty")
    assert failure_of("a.jpg", error) is error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("first\n  second"), "ValueError: first second"),
        (MemoryError(), "MemoryError"),
        (RuntimeError("x" * 10_000), "RuntimeError: xxx"),
    ],
)
def test_any_other_is_one_short_line_that_names_the_item(error: Exception, words: str) -> None:
    failure = failure_of("a.jpg", error)
    assert isinstance(failure, UnexpectedError)
    assert isinstance(failure, PoseOnnxError)
    text = str(failure)
    assert text.startswith("'a.jpg' ")
    assert words in text
    assert "\n" not in text
    assert len(text) < 500
