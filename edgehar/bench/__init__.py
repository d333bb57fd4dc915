"""Measurements of the runtimes, beside other runtimes in the same run."""
