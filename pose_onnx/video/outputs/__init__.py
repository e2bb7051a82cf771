"""Annotated video files."""
