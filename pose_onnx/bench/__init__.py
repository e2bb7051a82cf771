"""Measure where the time per picture goes: stages of the real pipeline, engines and threads interleaved."""

from pose_onnx.bench._crowd import Crowd, gather, repeat_picture, threshold_for
from pose_onnx.bench._machine import machine, peak_memory_mb, versions
from pose_onnx.bench._measure import WARM_UP, Quartiles, Run, measure, memory_of, quartiles
from pose_onnx.bench._report import SCHEMA, Column, report
from pose_onnx.bench._stages import REST, STAGES, StageClock, watched

__all__ = [
    "REST",
    "SCHEMA",
    "STAGES",
    "WARM_UP",
    "Column",
    "Crowd",
    "Quartiles",
    "Run",
    "StageClock",
    "gather",
    "machine",
    "measure",
    "memory_of",
    "peak_memory_mb",
    "quartiles",
    "repeat_picture",
    "report",
    "threshold_for",
    "versions",
    "watched",
]
