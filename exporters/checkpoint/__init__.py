"""Read training checkpoints: arrays by parameter name, and nothing else.

A checkpoint may be a pickle, and a pickle may run any code, forge any object and
ask for any amount of memory. So no unpickler reads it, and it cannot reach any of
NumPy: a small interpreter turns it into plain Python values, numbers are read from
the bytes only if they fill a shape exactly, and all of this happens in a child
process with limits.

| file | what it does |
|---|---|
| `reading.py` | reads the arrays of a file in the child process, and reports its errors |
| `machine.py` | runs the opcodes of a pickle, on plain Python values |
| `values.py` | what a pickle can make: text, tables, descriptions of arrays |
| `calls.py` | the functions that a pickle may name, and what is done instead |
| `numbers.py` | converts bytes to float32 arrays |
| `pdparams.py`, `pth.py`, `npz.py` | the file formats |
| `archives.py` | members of zip files, checked before they are read |
| `matching.py` | matches the parameters of a file with those of a network |
"""

from pose_onnx.exporters.checkpoint.matching import match_parameters as match_parameters
from pose_onnx.exporters.checkpoint.numbers import Parameters as Parameters
from pose_onnx.exporters.checkpoint.reading import read_checkpoint as read_checkpoint
