"""int8: weights only, or weights and activations. Layers that int8 would ruin stay in float32.

Imported only by `pose_onnx.exporters.pipeline`; needs the extra "export".
"""
