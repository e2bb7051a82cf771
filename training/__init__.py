"""Training recipe of the built-in models: distillation of the official networks, in PyTorch."""
