"""Changed files of `eval` are read or refused; `python -m tests.fuzz.annotations` tries more."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("pycocotools", reason="needs pose-onnx[eval]")

from tests.fuzz.annotations import KINDS, failures

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits of the child are Linux's")
CASES = 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_file_is_read_or_refused(kind: str) -> None:
    found, read = failures(kind, range(CASES))
    assert not found, "\n".join(found)
    # Changes that break everything would try nothing but the first check.
    assert read > 0.2 * CASES
