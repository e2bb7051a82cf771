"""The models on this machine: fetch official ones, register your own, find, check and remove them.

The Python form of `pose-onnx models ...`. `pose_onnx.cards.lookup` finds the file of a name; this package
only stores files. It is not needed to run a model, and only `pull` downloads anything.

| module | what |
|---|---|
| `_store.py` | the folder: pinned digests, locks between processes, atomic writes |
| `_http.py` | one request, with a deadline and checked redirects |
| `_part.py` | a partial download, and one attempt to receive the rest |
| `_fetch.py` | mirrors and retries |
| `_trust.py` | which digest a download must have |
| `_unpack.py` | safe unpacking of archives |
| `_pull.py` | an official name: fetch, check, convert, keep |
| `_register.py` | register your own file under a name |
| `_care.py` | where, check, remove |
"""

from __future__ import annotations

from pose_onnx.cards.lookup import card_names, models_home
from pose_onnx.zoo._care import Checked, check, remove, where
from pose_onnx.zoo._fetch import Policy
from pose_onnx.zoo._pull import Plan, plan, pull
from pose_onnx.zoo._register import add

__all__ = [
    "Checked",
    "Plan",
    "Policy",
    "add",
    "card_names",
    "check",
    "models_home",
    "plan",
    "pull",
    "remove",
    "where",
]
