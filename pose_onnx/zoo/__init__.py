"""The models on this machine: fetch official ones, register your own, find, check and remove them.

The same as `pose-onnx models ...`. `pose_onnx.cards.lookup` finds the file of a name; this package only puts
files there. Nothing here is needed to run a model, and nothing is downloaded unless `pull` is called.

| module | what |
|---|---|
| `_store.py` | the folder: pinned digests, locks between processes, files that appear whole |
| `_http.py` | one request, with a deadline and redirects that are looked at |
| `_part.py` | what was received so far, and one attempt to receive the rest |
| `_fetch.py` | mirrors and retries |
| `_trust.py` | which digest a download must have |
| `_unpack.py` | archives, safely |
| `_pull.py` | an official name: fetch, check, convert, keep |
| `_register.py` | a file of your own becomes a name |
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
