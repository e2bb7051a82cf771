"""Hostile replies and archives: none crashes, hangs, takes too much, or raises what is not the package's."""

from __future__ import annotations

import sys

import pytest

from tests.fuzz.seeds import verdicts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits of the child are Linux's")


@pytest.mark.parametrize(
    ("reader", "cases"), [("tests.fuzz.http:read_seed", 60), ("tests.fuzz.archives:read_seed", 80)]
)
def test_nothing_hostile_does_harm(reader: str, cases: int) -> None:
    found = list(verdicts(reader, range(cases)))
    assert {seed: verdict.failure for seed, verdict in found if verdict.failure} == {}
    assert any(verdict.refusal for _, verdict in found)
    assert not all(verdict.refusal for _, verdict in found)  # or the cases try nothing
