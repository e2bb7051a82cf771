"""Fuzzers of everything that reads foreign bytes: few fixed seeds in the suite, long runs by command."""
