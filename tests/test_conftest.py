"""A run says in one line what it could not prove."""

from __future__ import annotations

from types import SimpleNamespace

from tests.conftest import unproved


def test_each_reason_once_with_its_number_of_tests() -> None:
    skips = [
        SimpleNamespace(longrepr=("a.py", 1, f"Skipped: {reason}")) for reason in ("no x", "no y", "no x")
    ]
    assert unproved(skips) == "no x (2 tests); no y (1 tests)"


def test_nothing_is_said_where_nothing_was_skipped() -> None:
    assert unproved([]) == ""
