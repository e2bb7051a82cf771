"""Pull an official model: fetch, check, convert, pin."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.lookup import file_name, load_card, models_home, package_files
from pose_onnx.errors import CardError, DependencyError, InputError, ModelFileError
from pose_onnx.files import sha256_of
from pose_onnx.zoo._fetch import Policy, addresses, fetch
from pose_onnx.zoo._store import DOWNLOADS, Store
from pose_onnx.zoo._trust import Trust, trust_in
from pose_onnx.zoo._unpack import demand_archive, is_archive, unpack

if TYPE_CHECKING:
    from pose_onnx.exporters.pipeline import ExportResult

log = logging.getLogger(__name__)

SUFFIXES: Final = (".onnx", ".tflite")
"""Every model is kept in both formats."""
CHECKPOINTS: Final = (".pdparams", ".npz", ".pth")
STATIC: Final = "int8"
WEIGHTS: Final = "int8-dynamic"
"""Names of precisions; the full list is in `pose_onnx.exporters.targets`."""


def pull(
    name: str,
    *,
    dest: str | os.PathLike[str] | None = None,
    precision: Sequence[str] = ("fp32",),
    sha256: str = "",
    policy: Policy | None = None,
    progress: bool = False,
) -> tuple[Path, ...]:
    """Fetch an official model, convert it to ONNX and TFLite, and keep it.

    Files already in the folder are checked against their pinned digests and not fetched again. A download
    with an unknown digest is trusted once: a warning shows its digest, and any other is refused later.

    Args:
        name: name of the model.
        dest: folder to store it in; the models' folder (`models_home`) if None. A built-in model stays in the
            package, which is wherever it can be used.
        precision: precisions of the stored weights: "fp32", "fp16", "int8-dynamic".
        sha256: digest of the download, in hexadecimal; if empty, that of the card or of the first download.
        policy: limits for network retries and waits.
        progress: show a progress bar if there is a terminal.

    Returns:
        The model's files.

    Raises:
        InputError: The precision or digest is not valid, or not for this model, or `POSE_ONNX_MIRROR` is no
            address.
        UnknownNameError: No card has this name.
        DownloadError: It cannot be fetched, or `POSE_ONNX_OFFLINE` forbids it.
        DependencyError: The packages that convert are not installed.
        ModelFileError: The download is not the model, or a file differs from its pinned digest.
        ExportError: The conversion failed, or missed an accuracy limit.
        OutputError: The folder cannot be written.
    """
    card = load_card(name)
    if built_in := _built_in(name, precision, sha256):
        return built_in
    store, wanted = _store_at(dest), _wanted(name, precision)
    if sha256:
        trust_in(card, store, _place(card), sha256)  # existing files must come from that download too
    if not (wanted and store.holds(name, wanted)):
        _demand_exports(card, precision)
        with store.locked(name):
            if not store.holds(name, wanted):  # another process may have pulled it meanwhile
                _make(card, store, precision, sha256, policy, progress=progress)
    return tuple(map(store.path, wanted))


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a `pull`.

    Attributes:
        files: files that it would return.
        urls: addresses for the download, best first; empty if it is already here or not needed.
        sha256: digest that the download must have; empty if unknown: the first download is then trusted.
        converts: whether it would convert the download.
    """

    files: tuple[Path, ...]
    urls: tuple[str, ...]
    sha256: str
    converts: bool


def plan(
    name: str,
    *,
    dest: str | os.PathLike[str] | None = None,
    precision: Sequence[str] = ("fp32",),
    sha256: str = "",
) -> Plan:
    """Return what `pull` with the same arguments would do, without connecting or writing anything.

    Raises:
        PoseOnnxError: As `pull`, as far as known in advance.
    """
    card = load_card(name)
    if built_in := _built_in(name, precision, sha256):
        return Plan(built_in, (), "", converts=False)
    store, wanted = _store_at(dest), _wanted(name, precision)
    files = tuple(map(store.path, wanted))
    place = _place(card) if sha256 or not store.holds(name, wanted) else ""
    trust = trust_in(card, store, place, sha256)
    if store.holds(name, wanted):
        return Plan(files, (), trust.sha256, converts=False)
    urls = () if store.path(place).is_file() else addresses(card.download)
    return Plan(files, urls, trust.sha256, converts=True)


def _built_in(name: str, precision: Sequence[str], sha256: str) -> tuple[Path, ...]:
    built_in = package_files(name)
    if built_in and {*precision} != {"fp32"}:
        raise InputError(
            f"precision {[*precision]} was given, but {name!r} is bundled in fp32 only; leave the precision"
            " out"
        )
    if built_in and sha256:
        raise InputError(f"{name!r} is bundled and not downloaded; leave its SHA-256 out")
    return built_in


def _store_at(dest: str | os.PathLike[str] | None) -> Store:
    return Store(Path(dest).expanduser() if dest is not None else models_home())


def _wanted(name: str, precision: Sequence[str]) -> list[str]:
    """Return the names of the files that a pull writes here, one for each format that can be written.

    Raises:
        InputError: The precision is unknown.
    """
    from pose_onnx.exporters._tools import demand_possible, possible_formats  # noqa: PLC0415 (only needed to pull)

    demand_convertible(precision)
    card = load_card(name)
    formats = possible_formats(card, precision) or ("onnx",)
    kinds = [(kind, each) for each in precision for kind in formats]
    demand_possible(card, kinds)
    return [file_name(name, f".{kind}", each) for kind, each in kinds]


def demand_convertible(precision: Sequence[str]) -> None:
    """Check that a download or a file of one's own can be converted to these precisions without photos.

    Raises:
        InputError: It cannot, or no precision has this name.
    """
    from pose_onnx.exporters.targets import PRECISIONS  # noqa: PLC0415 (only needed to convert)

    known = [each for each in PRECISIONS if each != STATIC]
    if not precision or {*precision} - {*known}:
        raise InputError(
            f"precision {[*precision]} was given; choose from {known} ({STATIC!r} needs your photos: make "
            "it with pose-onnx export)"
        )


def _make(
    card: ModelCard,
    store: Store,
    precision: Sequence[str],
    sha256: str,
    policy: Policy | None,
    *,
    progress: bool,
) -> None:
    """Fetch, convert and pin; a download that is not the model is not kept."""
    place = _place(card)
    trust = trust_in(card, store, place, sha256)
    _fetch(card, store, place, trust, policy, progress=progress)
    download = store.path(place)
    with store.workspace(card.name) as work:
        try:
            with _stage_bar(card.name, show=progress) as advance:
                done = convert(download, card, precision, work, sha256=trust.sha256, progress=advance)
        except ModelFileError:
            if place not in store.pins().get(card.name, {}):
                download.unlink()
            raise
        results = (*done.files, done.receipt)
        files = {place: download} | {file.name: file for file in results}
        store.put(card.name, files, trust=place)
    if not trust.sha256:
        log.warning("%s: no SHA-256 was given; trusted from now on: %s", card.name, store.trusted(card.name))


def _place(card: ModelCard) -> str:
    """Return where the download of a model is kept, relative to the folder."""
    address = urlsplit(card.download)
    remote = Path(PurePosixPath(unquote(address.fragment or address.path)).name)
    suffixes = "".join(remote.suffixes[-2:]) if ".tar" in remote.suffixes else remote.suffix
    if not is_archive(remote) and suffixes not in CHECKPOINTS:
        raise CardError(
            f"model {card.name!r} has no usable download ({card.download!r}); make its files with "
            "pose-onnx export, or add them with pose-onnx models add"
        )
    return f"{DOWNLOADS}/{card.name}{suffixes}"


def _fetch(
    card: ModelCard, store: Store, place: str, trust: Trust, policy: Policy | None, *, progress: bool
) -> None:
    """Make sure that the download is present, complete and unchanged."""
    target = store.path(place)
    if target.is_file():
        if place in store.pins().get(card.name, {}):
            store.demand_pinned(card.name, place, trust.sha256)
            return
        if trust.sha256 in {"", sha256_of(target)}:  # an earlier pull stopped after the download
            return

    def accept(path: Path) -> None:
        trust.demand(path)
        _demand_readable(path)

    fetch(addresses(card.download), target, accept=accept, policy=policy, progress=progress)


def _demand_readable(path: Path) -> None:
    """Refuse other content, such as a "not found" web page sent with status 200."""
    if is_archive(path):
        demand_archive(path)
        return
    from pose_onnx.exporters.checkpoint import read_checkpoint  # noqa: PLC0415 (only needed to pull)

    read_checkpoint(path)


@contextmanager
def _stage_bar(name: str, *, show: bool) -> Iterator[Callable[[str], None]]:
    """Show a progress bar of the conversion's stages, on a terminal only."""
    from tqdm import tqdm  # noqa: PLC0415 (only needed to pull)

    from pose_onnx.exporters.pipeline import STAGES  # noqa: PLC0415 (likewise)

    with tqdm(desc=name, total=len(STAGES), unit="stage", disable=None if show else True) as bar:

        def advance(stage: str) -> None:
            bar.set_postfix_str(stage)
            bar.update()

        yield advance


def convert(
    source: Path,
    card: ModelCard,
    precision: Sequence[str],
    work: Path,
    *,
    sha256: str = "",
    progress: Callable[[str], None] = lambda _: None,
) -> ExportResult:
    """Export a checkpoint, an inference folder, or an archive with one of them, into a folder.

    The export first compares the names, shapes and number of a checkpoint's parameters with the network's.
    """
    from pose_onnx.exporters import export  # noqa: PLC0415 (only needed to convert)
    from pose_onnx.exporters._tools import possible_formats  # noqa: PLC0415 (likewise)

    digest: str | None = sha256 or None
    if source.is_file() and is_archive(source):
        unpacked = work / "unpacked"
        unpack(source, unpacked)
        source, digest = _source_in(unpacked, source.name), None
    return export(
        source,
        card=card,
        to=possible_formats(card, precision),
        precision=precision,
        out=work / "exported",
        sha256=digest,
        progress=progress,
        force=WEIGHTS in precision,  # no annotated pictures to measure it on; the receipt says so
    )


def _source_in(folder: Path, archive: str) -> Path:
    checkpoints = [file for file in sorted(folder.rglob("*")) if file.suffix in CHECKPOINTS]
    programs = [file.parent for file in sorted(folder.rglob("*.pdiparams"))]
    if len(found := programs or checkpoints) != 1:
        raise ModelFileError(
            f"archive {archive!r} contains {len(programs)} Paddle programs and {len(checkpoints)} "
            "checkpoints; it must contain one model"
        )
    return found[0]


def _demand_exports(card: ModelCard, precision: Sequence[str]) -> None:
    """Check that conversion is possible before fetching anything."""
    from pose_onnx.exporters._tools import demand_targets  # noqa: PLC0415 (only needed to pull)
    from pose_onnx.exporters.conversion import template_for  # noqa: PLC0415 (likewise)

    try:
        demand_targets(["onnx"], precision)
        template_for(card, None)
    except DependencyError as error:
        raise DependencyError(
            f"{error}; or use the built-in models, or run pose-onnx models pull {card.name} --dest DIR on"
            " another machine, copy DIR here and name it in POSE_ONNX_HOME"
        ) from error
