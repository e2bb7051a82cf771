from __future__ import annotations

import sys

import pytest

from tests.fuzz.checkpoints import READER, SUFFIXES, cases
from tests.fuzz.child import run_cases

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits of a fork are Linux's")


def test_no_checkpoint_hurts() -> None:
    verdicts = list(run_cases(READER, cases(seed=12, count=300)))
    assert not [verdict.failure for verdict in verdicts if verdict.failure]
    read = sum(not verdict.refusal for verdict in verdicts)
    assert 30 < read < 270  # neither does nothing get through, nor is nothing changed


def test_every_kind_is_tried() -> None:
    assert {case[0] for case in cases(seed=0, count=20)} == {*range(len(SUFFIXES))}
