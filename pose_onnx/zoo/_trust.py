"""The digest that a model's download must have: from the user, the card, or the first download."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.lookup import models_home
from pose_onnx.errors import InputError, ModelFileError
from pose_onnx.files import sha256_of
from pose_onnx.zoo._store import Store

_SHA256: Final = re.compile(r"[0-9A-Fa-f]{64}")


@dataclass(frozen=True, slots=True)
class Trust:
    """The expected digest of a download.

    Attributes:
        sha256: its digest; empty if unknown.
        origin: where the digest comes from.
        renewal: the command, up to the digest, that pulls the model from another download.
    """

    sha256: str
    origin: str
    renewal: str

    def demand(self, path: Path) -> None:
        """Refuse a different file.

        Raises:
            ModelFileError: The file has a different digest.
        """
        if self.sha256 and (found := sha256_of(path)) != self.sha256:
            raise ModelFileError(
                f"it sent a file with SHA-256 {found}, but {self.origin} {self.sha256}; if you know that "
                f"the new file is right, run {self.renewal} {found}"
            )


def trust_in(card: ModelCard, store: Store, place: str, given: str) -> Trust:
    """Return the digest that a model's download must have.

    Args:
        card: card of the model.
        store: the folder.
        place: path of its download, relative to the folder.
        given: digest from the user; empty if not given.

    Raises:
        InputError: The given digest is not a SHA-256.
        ModelFileError: The existing files were made from a download with another digest.
    """
    name, sha256 = card.name, given.lower()
    if given and not _SHA256.fullmatch(given):
        raise InputError(f"{given!r} is not a SHA-256; give its 64 hexadecimal digits")
    there = "" if store.home == models_home() else f"POSE_ONNX_HOME={store.home} "
    pinned = store.pins().get(name, {}).get(place, "")
    if sha256 and pinned not in {"", sha256}:
        raise ModelFileError(
            f"{name!r} in {str(store.home)!r} was made from a download with SHA-256 {pinned}, not "
            f"{sha256}; run {there}pose-onnx models remove {name} first"
        )
    remove = f"{there}pose-onnx models remove {name} and then " if pinned else ""
    renewal = f"{remove}{there}pose-onnx models pull {name} --sha256"
    known = (
        ("you requested", sha256),
        ("its card says", card.sha256),
        ("the first download had", store.trusted(name) or pinned),
    )
    for origin, digest in known:
        if digest:
            return Trust(digest, origin, renewal)
    return Trust("", "", renewal)
