"""examples/kserve: 200 requests by the KServe v2 protocol, some of them bad; each gets its right answer."""

from __future__ import annotations

import base64
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose_onnx import PoseEstimator
from tests.servers.conftest import free_port, running

# Not imported: kserve and Triton's client register the same Protocol Buffers, and only one of them can.
if find_spec("kserve") is None:
    pytest.skip("kserve is not installed (tests/servers/requirements.txt)", allow_module_level=True)

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "kserve" / "serve.py"
PHOTO = (ROOT / "models" / "photos" / "astronaut.jpg").read_bytes()
REQUESTS, AT_ONCE = 200, 8
MOST_BYTES = 8 << 20
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/v2/models/poses/ready"
    log = tmp_path_factory.mktemp("kserve") / "log"
    with running([sys.executable, EXAMPLE, "--http_port", str(port)], url, log):
        yield port


def asked(picture: object) -> bytes:
    tensor = {"name": "picture", "datatype": "BYTES", "shape": [1], "data": [picture]}
    return json.dumps({"id": "of the test", "inputs": [tensor]}).encode()


def encoded(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def send(port: int, body: bytes, model: str = "poses") -> tuple[int, Any]:
    """Return status and JSON of an answer."""
    url = f"http://127.0.0.1:{port}/v2/models/{model}/infer"
    request = urllib.request.Request(url, body, JSON)
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


PNG_HEADER = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
GOOD = asked(encoded(PHOTO))
BAD = {
    "no JSON": (b"{", 422),
    "no inputs": (b'{"x": 1}', 422),
    "another input": (b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}]}', 400),
    "no picture": (asked(encoded(b"text")), 400),
    "a number": (asked(7), 400),
    "not base64": (asked("é"), 400),
    "half a picture": (asked(encoded(PHOTO[: len(PHOTO) // 2])), 400),
    "nothing in it": (asked(""), 400),
    "60,000 x 60,000 pixels": (
        asked(encoded(PNG_HEADER + b"\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0" + bytes(4))),
        400,
    ),
}


def arrays_of(answer: Any) -> dict[str, Any]:
    return {item["name"]: np.reshape(item["data"], item["shape"]) for item in answer["outputs"]}


def test_200_requests_some_of_them_bad(port: int) -> None:
    bad = list(BAD.values())
    bodies = [bad[index // 3 % len(bad)] if index % 3 == 0 else (GOOD, 200) for index in range(REQUESTS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda body: send(port, body[0]), bodies))
    assert [status for status, _ in answers] == [status for _, status in bodies]
    with PoseEstimator() as estimator:
        expected = estimator(PHOTO)
    for status, answer in answers:
        if status == 200:
            assert answer["id"] == "of the test"
            for name, array in arrays_of(answer).items():
                np.testing.assert_allclose(array, getattr(expected, name), atol=1e-3)
        else:
            assert answer.keys() & {"error", "detail"}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_told_why(port: int, name: str) -> None:
    body, expected = BAD[name]
    status, answer = send(port, body)
    assert status == expected
    assert "Traceback" not in json.dumps(answer)


def test_another_model_is_not_found(port: int) -> None:
    assert send(port, GOOD, model="other")[0] == 404


def test_requests_that_are_too_large_are_refused_unread(port: int) -> None:
    for headers, status in (
        ({"Content-Length": str(MOST_BYTES + 1)}, 413),
        ({"Transfer-Encoding": "chunked"}, 411),
    ):
        connection = HTTPConnection("127.0.0.1", port)
        connection.putrequest("POST", "/v2/models/poses/infer")
        for item in (*JSON.items(), *headers.items()):
            connection.putheader(*item)
        connection.endheaders()  # and nothing of the body
        answer = connection.getresponse()
        assert answer.status == status
        assert "error" in json.load(answer)
        connection.close()


def test_metadata_says_what_goes_in_and_comes_out(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/models/poses") as answer:
        facts = json.load(answer)
    assert facts["inputs"] == [{"name": "picture", "datatype": "BYTES", "shape": [1]}]
    assert {item["name"]: item["shape"] for item in facts["outputs"]}["keypoints"] == [-1, 17, 2]


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 80
