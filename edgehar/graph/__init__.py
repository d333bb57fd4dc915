"""The model between its bundle and every target: one small graph, float and integer. NumPy only; runs on the device.

`ops` and `intops` hold the operations with their equations, `graph` what joins them; `lower` makes a Graph of a
bundle's model, `calibrate` the ranges of its tensors, `quantise` an IntGraph (after `equalise`); `execute` and
`intexecute` run both in NumPy.
"""
