"""Damaged videos: every frame that was promised comes or is counted, or one sentence; never a crash."""

from __future__ import annotations

import sys

import pytest

from tests.fuzz.videos import KINDS, case, failures

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits of the child are Linux's")
CASES = 10 * len(KINDS)


def test_damaged_videos_hurt_nobody() -> None:
    found = list(failures(range(CASES)))
    assert {seed: verdict.failure for seed, verdict in found if verdict.failure} == {}
    refused = sum(bool(verdict.refusal) for _, verdict in found)
    assert 0 < refused < CASES / 2  # neither is nothing changed, nor is all lost at the first check


def test_equal_seeds_give_equal_files() -> None:
    assert case(3) == case(3) != case(10)
