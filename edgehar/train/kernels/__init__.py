"""Fused training steps: autograd functions whose loops over time are compiled by Numba."""
