"""No password is shown or stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_onnx.addresses import redacted, redacted_in


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:12@34@10.0.0.1:554/live?channel=1", "rtsp://***@10.0.0.1:554/live?channel=1"),
        ("RTSP://admin@cam/live", "RTSP://***@cam/live"),
        ("http://cam/v.cgi?user=me&pwd=12&x=1", "http://cam/v.cgi?user=me&pwd=***&x=1"),
        (
            "https://s3/x.mp4?X-Amz-Signature=ab&X-Amz-Date=1",
            "https://s3/x.mp4?X-Amz-Signature=***&X-Amz-Date=1",
        ),
        ("http://cam/a@b.mp4", "http://cam/a@b.mp4"),
        ("/home/me:x@y/walk.mp4", "/home/me:x@y/walk.mp4"),
        ("walk.mp4", "walk.mp4"),
    ],
)
def test_what_is_shown(address: str, shown: str) -> None:
    assert redacted(address) == shown


@given(st.text(st.characters(exclude_characters="/?#", exclude_categories=["Cs"]), min_size=1))
def test_user_and_password_never_show(secret: str) -> None:
    assert redacted(f"rtsp://{secret}@camera/live") == "rtsp://***@camera/live"
    assert redacted(redacted(f"rtsp://me:{secret}@camera/live")) == "rtsp://***@camera/live"


def test_an_address_in_the_words_of_somebody_else() -> None:
    address = "https://host/a.jpg?token=secret"
    assert redacted_in(f"404: {address}", address) == "404: https://host/a.jpg?token=***"
    assert redacted_in("no such file: /a.jpg", "/a.jpg") == "no such file: /a.jpg"
