"""Batch jobs on a real Ray of this machine: nothing lost and nothing twice, whatever happens to workers."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest

from pose_onnx import InputError, PoseEstimator, UnknownNameError
from pose_onnx.cli import main

pytest.importorskip("ray", reason="needs pose-onnx[ray]")

import pyarrow as pa
import ray.data

from pose_onnx.ray import PoseBatch, Report, run_batch
from pose_onnx.ray._parts import ResultFolder
from pose_onnx.ray._session import ray_session
from pose_onnx.ray._workers import ATTEMPTS, WORKER_DIED, _PartWriter
from tests.ray.conftest import children, kill_reader, left_of, options, rows_of, wait_for_reader

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),  # it warns of its own settings
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
ROOT = Path(__file__).parents[2]
WORKERS = 2


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    """Start Ray once: `run_batch` uses the one that it finds."""
    with ray_session("local", WORKERS):
        yield


@pytest.fixture
def album(tmp_path: Path, photo: Callable[..., Path]) -> Path:
    """Make a folder of 22 photos, and two files that are none."""
    for number in range(22):
        photo(tmp_path / "album" / f"{number:02}.png", number % 3)
    (tmp_path / "album" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "album" / "empty.png").touch()
    return tmp_path / "album"


@pytest.mark.usefixtures("local_ray")
def test_a_folder(album: Path, tmp_path: Path, tiny_detector: Path, tiny_pose: Path) -> None:
    reports: list[Report] = []
    models = options(tiny_detector, tiny_pose)
    out = tmp_path / "out"
    report = run_batch([str(album)], str(out), workers=WORKERS, progress=reports.append, **models)
    assert report == Report(total=24, before=0, failed_before=0, done=24, people=21, failed=2)
    assert (reports[0].done, reports[-1]) == (0, report)
    assert [one.done for one in reports] == sorted(one.done for one in reports)
    rows = {row["path"]: row for row in rows_of(out)}
    assert sorted(rows) == sorted(map(str, album.iterdir()))
    assert len(rows_of(out)) == 24
    estimator = PoseEstimator(tiny_detector, tiny_pose, threads=1)
    for path in album.glob("[0-9]*.png"):
        people = rows[str(path)]["people"]
        assert [person["keypoints"] for person in people] == estimator(path).keypoints.tolist()

    # Again: what is there stays, and what failed is done again only when asked for.
    report = run_batch([str(album)], str(out), workers=WORKERS, **models)
    assert report == Report(total=0, before=24, failed_before=2)
    shutil.copy(album / "01.png", album / "new.png")
    shutil.copy(album / "02.png", album / "empty.png")
    report = run_batch([str(album)], str(out), workers=WORKERS, retry_failed=True, **models)
    assert report == Report(total=3, before=22, failed_before=0, done=3, people=3, failed=1)
    assert Counter(row["path"] for row in rows_of(out)) == Counter(map(str, album.iterdir()))


@pytest.mark.usefixtures("local_ray")
def test_other_models_of_the_same_name_and_folders_of_the_name_of_an_option(
    tmp_path: Path,
    photo: Callable[..., Path],
    tiny_detector: Path,
    tiny_pose: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.txt").touch()
    monkeypatch.chdir(tmp_path)
    for name in ("ort", "accurate"):  # values of options, which no path may take the place of
        (tmp_path / name).mkdir()
    mine = Path(shutil.copy(tiny_pose, tmp_path))
    models = {**options(tiny_detector, Path(mine.name)), "backend": "ort", "preset": "accurate"}
    report = run_batch(["in"], "out", workers=1, **models)
    assert (report.done, report.failed) == (1, 0)
    assert report.skipped == "1 file of another kind (.txt)"
    model = onnx.load(mine)
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.ones((17, 3, 4, 4), np.float32), "f"))
    model.graph.node[0].input[1] = "f"
    onnx.save(model, mine)
    with pytest.raises(InputError, match="results with another pose_sha256"):
        run_batch(["in"], "out", workers=1, **models)


def test_a_worker_with_another_model_of_the_same_name_does_not_work(
    tiny_detector: Path, tiny_pose: Path
) -> None:
    models = options(tiny_detector, tiny_pose)
    digests = PoseBatch(**models).facts
    folder = ResultFolder("nowhere", {**digests, "pose_sha256": "another"})
    table = _PartWriter(folder, models)({"name": pa.array(["part"]), "paths": pa.array([["a.png"]])})
    assert "another model of the same name (pose_sha256)" in table["trouble"][0].as_py()


@linux_only
@pytest.mark.usefixtures("local_ray")
def test_killed_workers(
    album: Path,
    tmp_path: Path,
    photo: Callable[..., Path],
    tiny_detector: Path,
    tiny_pose: Path,
) -> None:
    # Two named pipes stop the worker that reads them, in the middle of the job, until it is killed.
    once, always = album / "once.png", album / "always.png"
    os.mkfifo(once)
    os.mkfifo(always)
    picture = photo(tmp_path / "picture.png", 2)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(kill_reader, once, picture)
        others = pool.submit(lambda: [kill_reader(always) for _ in range(ATTEMPTS)])
        models = options(tiny_detector, tiny_pose)
        report = run_batch([str(album)], str(tmp_path / "out"), workers=WORKERS, **models)
    assert len({first.result(), *others.result()}) == 1 + ATTEMPTS
    assert (report.done, report.people, report.failed) == (26, 23, 3)
    rows = rows_of(tmp_path / "out")
    assert Counter(row["path"] for row in rows) == Counter(map(str, album.iterdir()))
    kinds = {Path(row["path"]).name: row["error_kind"] for row in rows if row["error"]}
    assert kinds == {"broken.jpg": "InputError", "empty.png": "InputError", "always.png": WORKER_DIED}
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".parquet"}


@pytest.mark.usefixtures("local_ray")
def test_the_class_by_itself(
    album: Path, tiny_detector: Path, tiny_pose: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Ray Data closes its log file while its threads may still write to it; logging then opens the file
    # again, and nothing closes it. So it logs nothing here, as in `run_batch`.
    caplog.set_level(logging.CRITICAL, logger="ray.data")
    files = ray.data.read_binary_files(str(album), include_paths=True)
    rows = files.map_batches(
        PoseBatch,
        batch_size=8,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=1),
        num_cpus=1,
        fn_constructor_kwargs=options(tiny_detector, tiny_pose),
    )
    found = {Path(row["path"]).name: row for row in rows.take_all()}
    assert sorted(found) == sorted(path.name for path in album.iterdir())
    assert [len(found[name]["people"]) for name in ("00.png", "01.png", "02.png")] == [0, 1, 2]
    assert found["broken.jpg"]["error_kind"] == "InputError"


@linux_only
def test_stopped_and_started_again(
    album: Path, tmp_path: Path, photo: Callable[..., Path], tiny_detector: Path, tiny_pose: Path
) -> None:
    os.mkfifo(album / "stop.png")
    out = tmp_path / "out"
    words = ["batch", str(album), "--out", str(out), "--workers", "1"]
    words += ["--detector", str(tiny_detector), "--pose", str(tiny_pose)]
    with subprocess.Popen(
        [sys.executable, "-m", "pose_onnx", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as job:
        _, writer = wait_for_reader(album / "stop.png")
        started = children(job.pid)
        os.killpg(job.pid, signal.SIGINT)  # Ctrl-C
        _, errors = job.communicate()
        os.close(writer)
    assert job.returncode == 130
    assert errors.rstrip().endswith("pose-onnx: stopped")
    assert "Traceback" not in errors
    assert started
    assert not left_of(started)
    finished = rows_of(out)
    assert 0 < len(finished) < 25

    assert "log level" not in errors  # nor any other line of Ray's own
    photo(tmp_path / "picture.png").replace(album / "stop.png")
    assert main(words) == 1  # two are broken
    rows = rows_of(out)
    assert Counter(row["path"] for row in rows) == Counter(map(str, album.iterdir()))
    assert all(row in rows for row in finished)


def test_wrong_counts(album: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="workers=0 was given"):
        run_batch([str(album)], str(tmp_path / "out"), workers=0)
    with pytest.raises(InputError, match="threads=-1 was given"):
        run_batch([str(album)], str(tmp_path / "out"), threads=-1)
    with pytest.raises(UnknownNameError, match="no_such_model"):
        run_batch([str(album)], str(tmp_path / "out"), pose="no_such_model")
    assert not (tmp_path / "out").exists()
