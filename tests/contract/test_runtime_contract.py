"""What every adapter promises, ours and third parties' alike. One suite, run against each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pose_onnx import EngineError, InputError, ModelFileError, RuntimeFeedError
from pose_onnx.runtimes import Runtime, Tensor, TensorSpec, backend_names, installed_backends, open_runtime

if TYPE_CHECKING:
    from tests.contract.conftest import Case

INPUT = (3, 8, 6)
# Sums of 27 products of standard normals, values up to 15: engines add in other orders than NumPy does.
TOLERANCE = 5e-6


def image(count: int, seed: int = 0) -> Tensor:
    return np.random.default_rng(seed).standard_normal((count, *INPUT)).astype(np.float32)


def assert_equal(results: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert results.keys() == expected.keys()
    for name, array in expected.items():
        assert results[name].dtype == np.float32
        np.testing.assert_allclose(results[name], array, rtol=0, atol=TOLERANCE, err_msg=name)


def test_backend_is_listed_as_installed(case: Case) -> None:
    assert case.backend in backend_names()
    assert case.backend in installed_backends()


def test_satisfies_the_protocol_and_names_its_tensors(case: Case) -> None:
    runtime = open_runtime(case.path, case.backend)
    assert isinstance(runtime, Runtime)
    assert runtime.inputs == (TensorSpec("image", (None, *INPUT)),)
    assert sorted(runtime.outputs, key=lambda spec: spec.name) == [
        TensorSpec("boxes", (None, 12, 4)),
        TensorSpec("heatmaps", (None, 4, 4, 3)),
    ]


def test_the_same_numbers_at_any_batch_size(case: Case) -> None:
    runtime = open_runtime(str(case.path), case.backend, threads=1)
    for seed, count in enumerate((1, 3, 1, 2)):
        assert_equal(runtime.run({"image": image(count, seed)}), case.expected(image(count, seed)))


@pytest.mark.parametrize(
    "arrange",
    [
        pytest.param(np.asfortranarray, id="fortran order"),
        pytest.param(lambda array: array[:, :, ::-1][:, :, ::-1], id="twice reversed"),
        pytest.param(lambda array: np.repeat(array, 2, axis=3)[..., ::2], id="strided"),
        pytest.param(lambda array: array.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2), id="nhwc"),
    ],
)
def test_any_memory_layout_and_read_only_arrays(case: Case, arrange: Callable[[Tensor], Tensor]) -> None:
    array = arrange(image(2))
    array.flags.writeable = False
    runtime = open_runtime(case.path, case.backend)
    assert_equal(runtime.run({"image": array}), case.expected(image(2)))
    assert np.array_equal(array, image(2))


def test_results_are_the_callers_own(case: Case) -> None:
    runtime = open_runtime(case.path, case.backend)
    first = runtime.run({"image": image(2, seed=1)})
    kept = {name: array.copy() for name, array in first.items()}
    second = runtime.run({"image": image(2, seed=2)})
    for name, array in first.items():
        assert np.array_equal(array, kept[name])
        array[:] = 0
    assert_equal(second, case.expected(image(2, seed=2)))
    assert_equal(runtime.run({"image": image(2, seed=1)}), kept)


@pytest.fixture
def hectic_threads() -> Iterator[None]:
    """Let Python change threads as often as it can, so that a missing lock shows every time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hectic_threads")
def test_threads_may_share_a_runtime(case: Case) -> None:
    runtime = open_runtime(case.path, case.backend, threads=1)
    with ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda seed: runtime.run({"image": image(1 + seed % 3, seed)}), range(200))
        for seed, result in enumerate(results):
            assert_equal(result, case.expected(image(1 + seed % 3, seed)))


@pytest.mark.parametrize(
    ("feeds", "reason"),
    [
        ({}, r"fed \[\]; feed exactly \['image'\]"),
        ({"picture": image(1)}, r"fed \['picture'\]; feed exactly \['image'\]"),
        ({"image": image(1), "scale": image(1)}, r"feed exactly \['image'\]"),
        ({"image": image(1).astype(np.float64)}, "float64; feed .*float32"),
        ({"image": image(1).astype(np.uint8)}, "uint8; feed .*float32"),
        ({"image": image(1).tolist()}, "list; feed .*float32"),
        ({"image": image(1)[0]}, r"\(3, 8, 6\).*\(N, 3, 8, 6\)"),
        ({"image": image(1).transpose(0, 2, 3, 1)}, r"\(1, 8, 6, 3\).*\(N, 3, 8, 6\)"),
        ({"image": image(1)[:, :, :7]}, r"\(1, 3, 7, 6\)"),
        ({"image": image(0)}, r"\(0, 3, 8, 6\).*N of 1 or more"),
    ],
)
def test_wrong_feeds_are_named_and_do_no_harm(case: Case, feeds: dict[str, Tensor], reason: str) -> None:
    runtime = open_runtime(case.path, case.backend)
    with pytest.raises(RuntimeFeedError, match=reason):
        runtime.run(feeds)
    assert_equal(runtime.run({"image": image(1)}), case.expected(image(1)))


def test_close_may_be_called_twice_and_ends_it(case: Case) -> None:
    runtime = open_runtime(case.path, case.backend)
    runtime.run({"image": image(1)})
    runtime.close()
    runtime.close()
    assert runtime.inputs[0].name == "image"
    with pytest.raises(EngineError, match=r"closed; open .* again"):
        runtime.run({"image": image(1)})


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_thread_counts_that_cannot_be(case: Case, threads: object) -> None:
    with pytest.raises(InputError, match=r"threads=.*1 or more"):
        open_runtime(case.path, case.backend, threads=threads)  # type: ignore[arg-type]  # that is the test


@pytest.mark.parametrize("threads", [None, 1, 2, np.int64(2)])
def test_thread_counts_that_can_be(case: Case, threads: int | None) -> None:
    runtime = open_runtime(case.path, case.backend, threads=threads)
    assert_equal(runtime.run({"image": image(3)}), case.expected(image(3)))


def test_unknown_options_are_refused(case: Case) -> None:
    with pytest.raises(InputError, match=rf"{case.backend}.*\['turbo'\]"):
        open_runtime(case.path, case.backend, turbo=True)


def test_paths_without_a_model(case: Case, tmp_path: Path) -> None:
    file, folder = tmp_path / f"file{case.path.suffix}", tmp_path / f"folder{case.path.suffix}"
    file.touch()
    folder.mkdir()
    reasons = {file: "is empty", folder: "is a directory", tmp_path / "no": "not exist"}
    if case.path.is_dir():
        reasons |= {file: "is a file", folder: "is empty"}
    for path, reason in reasons.items():
        with pytest.raises(ModelFileError, match=reason):
            open_runtime(path, case.backend)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(case: Case, tmp_path: Path) -> None:
    pipe = tmp_path / f"pipe{case.path.suffix}"
    os.mkfifo(pipe)
    with pytest.raises(ModelFileError, match=r"regular file|is a file"):
        open_runtime(pipe, case.backend)


def damaged(model: Path, target: Path, content: bytes) -> Iterator[Path]:
    """Put other content into a model file; of a folder into each of its files, one after the other."""
    if model.is_file():
        target.write_bytes(content)
        yield target
        return
    for file in model.iterdir():
        shutil.copytree(model, target)
        (target / file.name).write_bytes(content)
        yield target
        shutil.rmtree(target)


def test_foreign_files(case: Case, model_files: dict[str, Path], tmp_path: Path) -> None:
    contents = {
        "text": b"not a model, but long enough to hold a header of any kind " * 4,
        "zeros": bytes(4096),
        "tiny": b"\x08",
    }
    for name, content in contents.items():
        for path in damaged(case.path, tmp_path / f"{name}{case.path.suffix}", content):
            with pytest.raises(ModelFileError, match=path.name):
                open_runtime(path, case.backend)
    for path in model_files.values():
        if path.suffix != case.path.suffix:
            with pytest.raises(ModelFileError, match=path.name):
                open_runtime(path, case.backend)


# In a process of its own: a cut file that brings the interpreter down must fail a test, not end the suite.
CUT_SCRIPT = """
import sys
from pathlib import Path
from pose_onnx import ModelFileError
from pose_onnx.runtimes import open_runtime
backend, model, file, step = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
data = file.read_bytes()
for size in [*range(1, len(data), step), len(data) - 1]:
    file.write_bytes(data[:size])
    print(size, flush=True)
    try:
        runtime = open_runtime(model, backend)
    except ModelFileError:
        continue
    raise SystemExit(f"the first {size} of {len(data)} bytes of {file.name} were taken: {runtime.outputs}")
"""


def test_truncated_files_never_load_nor_crash(case: Case, tmp_path: Path) -> None:
    copy = tmp_path / f"copy{case.path.suffix}"
    for original in (case.path,) if case.path.is_file() else tuple(case.path.iterdir()):
        if case.path.is_dir():
            shutil.copytree(case.path, copy, dirs_exist_ok=True)
        file = copy / original.name if case.path.is_dir() else copy
        shutil.copy(original, file)
        step = max(1, original.stat().st_size // 400)
        command = [sys.executable, "-c", CUT_SCRIPT, case.backend, str(copy), str(file), str(step)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(case.site)])}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"at size {done.stdout.split()[-1]}: {done.stderr[-2000:]}"
