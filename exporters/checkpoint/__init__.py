"""Read training checkpoints: arrays by parameter name, and nothing else.

A checkpoint may be a pickle, and a pickle may run any code, forge any object and
ask for any amount of memory. So no unpickler reads it, and nothing of NumPy is in
its reach: a small interpreter turns it into values of plain Python, numbers are
taken out of the bytes only where they fill a shape exactly, and all of it happens
in a child process with limits.

| file | what it does |
|---|---|
| `reading.py` | a path becomes arrays: the child process, and what it says |
| `machine.py` | runs the opcodes of a pickle, on values of plain Python |
| `values.py` | what a pickle can make: text, tables, descriptions of arrays |
| `calls.py` | the functions that a pickle may name, and what is done instead |
| `numbers.py` | bytes become float32 arrays |
| `pdparams.py`, `pth.py`, `npz.py` | the kinds of files |
| `archives.py` | members of zip files, checked before they are read |
| `matching.py` | parameters of a file against those of a network |
"""

from pose_onnx.exporters.checkpoint.matching import match_parameters as match_parameters
from pose_onnx.exporters.checkpoint.numbers import Parameters as Parameters
from pose_onnx.exporters.checkpoint.reading import read_checkpoint as read_checkpoint
