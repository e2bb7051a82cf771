"""int8: weights alone, or weights and activations; layers that it would ruin stay in float32.

Imported by `pose_onnx.exporters.pipeline` only; needs the extra "export".
"""
