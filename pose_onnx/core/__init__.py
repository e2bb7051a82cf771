"""The pipeline's arithmetic: pure functions on arrays. No engine, no file and no network is touched here."""
