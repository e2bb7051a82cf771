"""Strange cards are read or refused in a sentence; models whose card does not fit are refused or run."""

from __future__ import annotations

import sys

import pytest

from tests.fuzz.cards import KINDS, failures

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits of the child are Linux's")
CASES = {"text": 200, "onnx": 60, "tflite": 40}


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_that_does_not_fit_hurts_nobody(kind: str) -> None:
    found = list(failures(kind, range(CASES[kind])))
    assert {seed: verdict.failure for seed, verdict in found if verdict.failure} == {}
    refused = sum(bool(verdict.refusal) for _, verdict in found)
    assert 0 < refused < CASES[kind]  # neither is nothing changed, nor does nothing get through
