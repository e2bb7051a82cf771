from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from pose_onnx import InputError, ModelFileError
from pose_onnx.budget import MEMORY, Budget
from pose_onnx.child import call_limited

HERE = "tests.safety.test_child"
MB = 1 << 20


def add(first: int, second: int) -> int:
    return first + second


def refuse() -> None:
    raise InputError("the option is wrong")


def fail() -> None:
    raise KeyError("a bug")


def allocate(size: int) -> int:
    return len(bytearray(size))


def sleep() -> None:
    time.sleep(600)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def write(path: str, size: int) -> None:
    with Path(path).open("wb") as file:
        file.writelines(bytes(MB) for _ in range(size // MB))


def where() -> list[str]:
    return sys.path


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the child import this file."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))


def call(name: str, *, memory: int = MB, seconds: float = 60, **arguments: int | str) -> object:
    return call_limited(f"{HERE}:{name}", arguments, subject="file 'a'", memory=memory, seconds=seconds)


def test_returns_what_the_function_returns() -> None:
    assert call("add", first=2, second=3) == 5


def test_an_error_of_ours_comes_back_as_it_is() -> None:
    with pytest.raises(InputError, match=r"^the option is wrong$"):
        call("refuse")


def test_any_other_error_is_one_sentence() -> None:
    with pytest.raises(ModelFileError, match=r"^file 'a' is broken \(KeyError: 'a bug'\)"):
        call("fail")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_memory_is_limited() -> None:
    assert call("allocate", size=100 * MB) == 100 * MB
    with pytest.raises(ModelFileError, match=r"^file 'a' needs more memory than is allowed"):
        call("allocate", size=1024 * MB)


def test_time_is_limited() -> None:
    with pytest.raises(ModelFileError, match=r"^file 'a' could not be read within 2 s"):
        call("sleep", seconds=2)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_a_crash_is_one_sentence() -> None:
    with pytest.raises(ModelFileError, match=r"^file 'a' crashed the process that read it \(SIGSEGV\)"):
        call("crash")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not limit files")
def test_what_is_written_is_limited(tmp_path: Path) -> None:
    call("write", path=str(tmp_path / "small"), size=MB)
    with pytest.raises(ModelFileError, match="File too large"):
        call("write", path=str(tmp_path / "large"), size=600 * MB, memory=70 * MB)


def test_modules_of_the_working_folder_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert call("where") == sys.path


def test_a_budget_is_spent_once() -> None:
    budget = Budget("picture 'a.png'", 100, InputError)
    budget.take(60)
    budget.take(40)
    with pytest.raises(InputError, match=r"^picture 'a\.png' asks for more than 100 bytes"):
        budget.take(1)


def test_a_budget_takes_no_number_that_it_cannot_print() -> None:
    with pytest.raises(ModelFileError, match=f"more than {MEMORY:,} bytes"):
        Budget("checkpoint 'a.npz'").take(10**100_000)
