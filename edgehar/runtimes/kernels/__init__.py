"""Numba kernels, one file per family. Importing a family's file compiles it, or loads it from the cache.

All take their sizes at run time and have one explicit signature, so nothing is compiled while a stream runs. They
advance a stream of samples in order and each sample's arithmetic is fixed: chunking cannot change a bit.
"""
