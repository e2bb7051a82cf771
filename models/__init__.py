"""Model cards (one JSON file each) and the built-in weights. Data only: see `pose_onnx.load_card`."""
