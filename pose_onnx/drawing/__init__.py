"""Poses drawn into a copy of a picture."""
