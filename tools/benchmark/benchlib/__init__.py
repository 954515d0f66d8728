"""The library of the benchmarks in ``tools/benchmark``."""
