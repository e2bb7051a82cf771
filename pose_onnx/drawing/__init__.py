"""Draw poses on a copy of a picture."""
