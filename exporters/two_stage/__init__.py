"""Two-stage detectors (Faster R-CNN): regions are proposed and pooled between the network's two parts.

paddle2onnx knows neither `generate_proposals` nor `distribute_fpn_proposals`. It converts what is before and
after them, in one graph with additional inputs; `join` computes those inputs.
"""
