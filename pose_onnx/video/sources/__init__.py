"""Sources of frames: files, folders, cameras, streams, and iterables of the caller."""
