"""`pose-onnx bench`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pose_onnx.bench import SCHEMA, STAGES

if TYPE_CHECKING:
    from tests.cli.conftest import Models, Outcome


def measured(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert document["schema"] == SCHEMA
    return document


def test_built_in_models_on_every_engine(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    target = tmp_path / "new" / "bench.json"
    done = cli("bench", "--backends", "ort,tflite", "--threads", "1,2", "--repeat", 2, "--json", target)
    assert done.code == 0, done.err
    for line in (*STAGES, "total", "people a second", "peak memory, MB", "machine", "ort, 1 thread"):
        assert line in done.out
    document = measured(target)
    runs = [(run["backend"], run["threads"], run["people"]) for run in document["runs"]]
    assert runs == [("ort", 1, 1), ("tflite", 1, 1), ("ort", 2, 1), ("tflite", 2, 1)]
    for run in document["runs"]:
        assert tuple(run["stages"]) == STAGES
        for taken in (*run["stages"].values(), run["total"]):
            assert 0 <= taken["lower"] <= taken["median"] <= taken["upper"]
        assert run["people_per_second"] == pytest.approx(1e3 / run["total"]["median"])
    assert document["machine"]["usable_cores"] >= 1
    assert {"python", "pose-onnx", "onnxruntime", "ai-edge-litert"} <= set(document["versions"])
    assert document["threshold"] == 0.4
    assert (document["pictures"][0]["width"], document["repeat"]) == (512, 2)


def test_stages_add_up_to_the_total_of_a_round(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    done = cli("bench", "--backends", "ort", "--repeat", 1, "--json", tmp_path / "b.json")
    assert done.code == 0, done.err
    (run,) = measured(tmp_path / "b.json")["runs"]
    assert sum(taken["median"] for taken in run["stages"].values()) == pytest.approx(run["total"]["median"])


def test_files_leave_out_the_engines_that_cannot_and_say_why(
    cli: Callable[..., Outcome], models: Models, photo: Callable[..., Path], tmp_path: Path
) -> None:
    pictures = [photo(tmp_path / "1.png"), photo(tmp_path / "2.png", level=0)]
    words = ("bench", "--repeat", 1, "--threads", 1, *models.options, "--json", tmp_path / "b.json")
    done = cli(*words, "--image", *pictures)
    assert done.code == 0, done.err
    assert "not measured: tflite: it runs .tflite files" in done.out
    assert "not measured: paddle: it runs Paddle inference folders" in done.out
    document = measured(tmp_path / "b.json")
    assert [(run["backend"], run["people"]) for run in document["runs"]] == [("ort", 1), ("openvino", 1)]
    assert {item["backend"] for item in document["skipped"]} == {"tflite", "paddle"}
    assert [picture["path"] for picture in document["pictures"]] == list(map(str, pictures))


def test_people_are_as_many_as_asked_for(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    words = ("bench", "--backends", "ort", "--threads", 1, "--repeat", 1, "--json", tmp_path / "b.json")
    done = cli(*words, "--people", 3)
    assert done.code == 0, done.err
    document = measured(tmp_path / "b.json")
    assert document["runs"][0]["people"] == 3
    assert document["threshold"] != 0.4


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--repeat", "0"], "--repeat 0 was given"),
        (["--threads", "0"], "threads=0"),
        (["--backends", "tensorrt"], "'tensorrt' is not known; choose one of ['ort', 'tflite'"),
        (["--backends", "ort,paddle"], "it runs Paddle inference folders"),
        (["--backends", "tflite", "--detector", "{detector}"], "it runs .tflite files"),
        (["--detector", "{detector}", "--pose", "{tmp}/absent.tflite"], "it runs .onnx files"),
        (["--pose", "tinypose_9000"], "'tinypose_9000' is not known; did you mean 'tinypose_128x96'?"),
        (["--backends", "ort", "--image", "{tmp}/absent.jpg"], "does not exist"),
        (["--backends", "ort", "--people", "0"], "people=0"),
        (["--backends", "ort", "--people", "2", "--image", "{photo}", "{photo}"], "with one --image"),
        (["--backends", "ort", "--people", "2", "--threshold", "0.3"], "without --threshold"),
        (
            ["--backends", "ort", "--people", "2", "--detector", "{detector}", "--image", "{dark}"],
            "nobody is found",
        ),
        (["--backends", "ort", "--repeat", "1", "--json", "{tmp}"], "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    cli: Callable[..., Outcome],
    models: Models,
    photo: Callable[..., Path],
    tmp_path: Path,
    words: list[str],
    reason: str,
) -> None:
    bright, dark = photo(tmp_path / "p.png"), photo(tmp_path / "d.png", level=0)
    places = {"tmp": tmp_path, "detector": models.detector, "photo": bright, "dark": dark}
    done = cli("bench", *(word.format(**places) for word in words))
    assert done.code == 2
    assert done.err.startswith("pose-onnx: error: ")
    assert len(done.err.strip().splitlines()) == 1
    assert reason in done.err


@pytest.mark.parametrize("words", [["--threads", "two"], ["--repeat", "1.5"], ["--preset", "fast"]])
def test_words_that_are_no_numbers_are_usage_errors(cli: Callable[..., Outcome], words: list[str]) -> None:
    done = cli("bench", *words)
    assert done.code == 2
    assert done.err.startswith("pose-onnx bench: error: ")
    assert len(done.err.strip().splitlines()) == 1
