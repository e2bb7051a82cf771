"""The stages of an export: read, to_onnx, trim, simplify, write, verify, receipt."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pose_onnx.cards.card import ModelCard
from pose_onnx.cards.lookup import file_name
from pose_onnx.errors import ExportError, InputError
from pose_onnx.exporters._memory import return_freed_memory
from pose_onnx.exporters._tools import demand_possible, demand_targets, formats_of
from pose_onnx.exporters.conversion import Original, Way, convert
from pose_onnx.exporters.end_to_end import write_end_to_end
from pose_onnx.exporters.graph import Graph
from pose_onnx.exporters.identity import Identity, resolve_card
from pose_onnx.exporters.outputs import export_of
from pose_onnx.exporters.passes import FOR_AVX512, FOR_ORT, SIMPLIFY, SIMPLIFY_FREE, rewrite
from pose_onnx.exporters.quantize.calibration import calibration_samples
from pose_onnx.exporters.quantize.gate import Accuracy, Gate
from pose_onnx.exporters.quantize.request import INT8, STATIC, Quantization
from pose_onnx.exporters.receipt import SUFFIX, make_receipt
from pose_onnx.exporters.source import read_source
from pose_onnx.exporters.targets import FORMATS, PRECISIONS, REFERENCE, Kind, candidates, check
from pose_onnx.exporters.targets.material import Material
from pose_onnx.exporters.trim import trim
from pose_onnx.exporters.verify import (
    Arrays,
    Measured,
    compare,
    demand,
    make_inputs,
    measure_damage,
    run_file,
    run_with_rounding,
)
from pose_onnx.files import cannot_write, make_folder

log = logging.getLogger(__name__)


STAGES: Final = (
    "read",
    "to_onnx",
    "trim",
    "simplify",
    "calibrate",
    "write",
    "verify",
    "end_to_end",
    "receipt",
)
"""The stages in their order."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export wrote.

    Attributes:
        files: model files, in the order of the requested formats and precisions.
        receipt: the receipt's path.
        measured: every difference that was measured.
        accuracy: average precision of files in smaller number formats.
        notes: one sentence for each thing that a folder's card lacks, with how to add it.
    """

    files: tuple[Path, ...]
    receipt: Path
    measured: tuple[Measured, ...]
    accuracy: tuple[Accuracy, ...] = ()
    notes: tuple[str, ...] = ()


def run_export(
    source: Path,
    *,
    said: Identity,
    to: Sequence[str] | None,
    precision: Sequence[str],
    out: Path,
    photo: Path | None,
    quantization: Quantization,
    end_to_end: bool = False,
    avx512: bool = False,
    via: Way | None = None,
    progress: Callable[[str], None] = lambda _: None,
    sha256: str | None = None,
) -> ExportResult:
    """Export one model; see `pose_onnx.exporters.export`."""
    targets = _targets(FORMATS if to is None else to, precision)
    to_wrap = _targets_to_wrap(targets) if end_to_end else []
    demand_targets([REFERENCE[0]] if to is None else to, precision)
    quantization.check(precision)
    gate = Gate(quantization.dev, force=quantization.force)
    stages = _Stages(progress)
    # Weights are kept once: what holds them is deleted when it has been used, before an engine copies them.
    with stages("read"):
        given = read_source(source, sha256)
        origin = given.origin
        known, notes = resolve_card(given, said)
        if to is None:
            targets = _targets(formats_of(known), precision)
            notes += _left_out(known)
            demand_targets(formats_of(known), precision)
        demand_possible(known, targets)
    with _work_folder(out) as work:
        with stages("to_onnx"):
            graph, original = convert(given, known, make_inputs(known, photo), work, via)
            del given
        with stages("trim"):
            graph = trim(graph, known)
        with stages("simplify"):
            graph = rewrite(graph, SIMPLIFY_FREE if export_of(known).free else SIMPLIFY)
        with stages("calibrate"):
            photos = quantization.calibration if STATIC in precision else None
            material = _material(graph, known, photos, gate)
            material = replace(material, passes=FOR_AVX512 if avx512 else FOR_ORT)
        with stages("write"):
            files, accuracy = _write(material, targets, gate, work)
            skipped = material.for_ort.skipped
            del graph, material
        with stages("verify"):
            for target in files:
                check(target, files[target], files[REFERENCE])
            measured = _verify(files, known, original, make_inputs(known, photo))
            demand(measured)
        wanted = [files[target] for target in targets]
        with stages("end_to_end"):
            for target in to_wrap:
                file, found = write_end_to_end(files[target], known, photo)
                wanted.append(file)
                measured += found
            demand(measured)
        with stages("receipt"):
            receipt = work / f"{known.name}{SUFFIX}"
            made = make_receipt(
                known,
                origin,
                wanted,
                measured,
                structure=original.structure,
                photo=photo,
                accuracy=accuracy,
                measured_on=gate.facts(),
            )
            text = replace(made, skipped=skipped).to_json()
            receipt.write_text(text, encoding="utf-8")
        *published, published_receipt = _publish([*wanted, receipt], out)
    return ExportResult(tuple(published), published_receipt, tuple(measured), tuple(accuracy), notes)


def _targets(to: Sequence[str], precision: Sequence[str]) -> list[Kind]:
    unknown = [t for t in to if t not in FORMATS] + [p for p in precision if p not in PRECISIONS]
    if unknown or not to or not precision:
        raise InputError(
            f"to={list(to)} and precision={list(precision)} were given; choose formats from "
            f"{list(FORMATS)} and precisions from {list(PRECISIONS)}"
        )
    return list(dict.fromkeys((kind, p) for kind in to for p in precision))


def _left_out(card: ModelCard) -> tuple[str, ...]:
    """Say why a model is not written in each format, in one sentence."""
    if {*formats_of(card)} == {*FORMATS}:
        return ()
    sentence = (
        f"{card.name!r} is a two-stage detector: the number of its regions depends on the picture, which"
        " TFLite cannot run; only ONNX was written"
    )
    return (sentence,)


def _targets_to_wrap(targets: Sequence[Kind]) -> list[Kind]:
    """Return the files that have an end-to-end file."""
    if found := [target for target in targets if target[0] == REFERENCE[0]]:
        return found
    raise InputError(
        f"end-to-end files are made from ONNX files, but the formats are {[kind for kind, _ in targets]}; "
        "add 'onnx'"
    )


class _Stages:
    """Adds the failed stage, and the stages that succeeded before it, to an error."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._done: list[str] = []
        self._progress = progress

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        self._progress(name)
        try:
            yield
        except ExportError as error:
            before = ", ".join(self._done) or "none"
            # The same exception: its class says more than its text.
            error.args = (f"export stage {name!r} failed (done before: {before}): {error}",)
            raise
        return_freed_memory()
        log.info("%s: %.1f s", name, time.perf_counter() - start)
        self._done.append(name)


@contextmanager
def _work_folder(out: Path) -> Iterator[Path]:
    """Make a temporary folder beside the future results, so that a rename publishes them."""
    make_folder(out)
    try:
        work = Path(tempfile.mkdtemp(prefix=".pose-onnx-", dir=out))
    except OSError as error:
        raise ExportError(cannot_write(out, error)) from error
    try:
        yield work
    except OSError as error:
        raise ExportError(cannot_write(out, error)) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _material(graph: Graph, card: ModelCard, calibration: Path | None, gate: Gate) -> Material:
    if calibration is None:
        return Material(graph, card)
    return Material(graph, card, calibration_samples(calibration, card), gate.shares)


def _write(
    material: Material, targets: Sequence[Kind], gate: Gate, work: Path
) -> tuple[dict[Kind, Path], list[Accuracy]]:
    """Write the reference and every target; return their files, and the accuracy cost of smaller formats."""
    files, accuracy = {}, []
    for target in dict.fromkeys([REFERENCE, *targets]):
        kind, precision = target
        files[target] = file = work / file_name(material.card.name, f".{kind}", precision)
        found = candidates(target, material)
        if gate.judges(precision):
            accuracy.append(gate.choose(found, file, files[REFERENCE], material))
        else:
            file.write_bytes(next(found).content)
        return_freed_memory()
    return files, accuracy


def _verify(
    files: Mapping[Kind, Path], card: ModelCard, original: Original, inputs: Arrays
) -> list[Measured]:
    reference, rounding = run_with_rounding(files[REFERENCE], inputs, card)
    stage = f"onnx fp32 vs {original.engine}"
    measured = compare(
        stage, original.outputs, reference, card=card, precision=REFERENCE[1], rounding=rounding
    )
    for target, file in files.items():
        if target != REFERENCE:
            stage, found = f"{' '.join(target)} vs onnx fp32", run_file(file, inputs)
            measured += compare(stage, reference, found, card=card, precision=target[1], rounding=rounding)
            if target[1] in INT8:
                measured.append(measure_damage(stage, reference, found, card))
    return measured


def _publish(files: Sequence[Path], out: Path) -> list[Path]:
    return [file.replace(out / file.name) for file in files]
