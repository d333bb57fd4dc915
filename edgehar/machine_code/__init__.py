"""Compiled kernels as object code: Numba writes it once, later processes load it without importing Numba.

Importing Numba takes a third of a second and 90 MiB, LLVM's loader alone a tenth of that. A kernel's entry takes one
argument, the address of a block of 64-bit words that holds its real arguments; so a call from Python costs a fraction
of a microsecond, however many arguments there are.
"""
