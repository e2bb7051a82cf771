"""The child notices what it is there for."""

from __future__ import annotations

import ctypes
import sys
import time

import pytest

from pose_onnx.errors import InputError
from tests.fuzz import child
from tests.fuzz.child import run_cases

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits of the child are Linux's")


READER = "tests.fuzz.test_child:misbehave"
SMALL = child.Limits(memory=300 * 2**20, seconds=10)


def misbehave(case: bytes) -> None:
    """A reader that does what its case says."""
    if case == b"refuse":
        raise InputError("give another")
    if case == b"raise":
        raise KeyError("shape")
    if case == b"crash":
        ctypes.string_at(0)
    if case == b"hang":
        time.sleep(60)
    if case == b"allocate":
        bytearray(SMALL.memory)


def test_every_kind_of_failure_is_told_apart() -> None:
    cases = [b"read", b"refuse", b"raise", b"crash", b"allocate", b"read"]
    read, refused, raised, crashed, allocated, again = run_cases(READER, cases, SMALL)
    assert read == again == child.Verdict()
    assert refused == child.Verdict(refusal="give another")
    assert raised.failure.startswith("KeyError: 'shape'")
    assert crashed.failure == "it ended by signal SIGSEGV"
    assert allocated.failure.startswith("it took ")


def test_a_hang_is_ended() -> None:
    (hung,) = run_cases(READER, [b"hang"], child.Limits(seconds=0.3))
    assert hung.failure == "it took too long"
