"""`python -m pose_onnx`: the command line, where its script is not installed."""

import sys

from pose_onnx.cli import main

sys.exit(main())
