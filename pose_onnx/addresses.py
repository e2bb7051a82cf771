"""Addresses without their secrets, for messages, logs and results."""

from __future__ import annotations

import re
from typing import Final

_HIDDEN: Final = "***"
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# RFC 3986, section 3.2: user information stands between "//" and the last "@" before the path.
_USER: Final = re.compile(r"^([a-z][a-z0-9+.-]*://)[^/?#]*@", re.IGNORECASE)
_PRIVATE_FIELDS: Final = r"pass|pwd|token|secret|signature|credential|api_?key|auth|^key$|^sig$"
_FIELD: Final = re.compile(r"([?&;])([^=&;#]*)=([^&;#]*)")


def is_address(text: str) -> bool:
    """Say whether a text is an address such as `https://host/file`, and not a path."""
    return _SCHEME.match(text) is not None


def redacted(address: str) -> str:
    """Return an address with `***` in place of user, password and secrets in the query.

    Anything else, such as a path, is returned unchanged.
    """
    if not is_address(address):
        return address
    return _FIELD.sub(_without_secret, _USER.sub(rf"\g<1>{_HIDDEN}@", address))


def redacted_in(text: str, address: str) -> str:
    """Return a text, such as an error from another library, with the given address redacted."""
    return text.replace(address, redacted(address))


def _without_secret(field: re.Match[str]) -> str:
    mark, name, value = field.groups()
    is_secret = value and re.search(_PRIVATE_FIELDS, name, re.IGNORECASE)
    return f"{mark}{name}={_HIDDEN if is_secret else value}"
