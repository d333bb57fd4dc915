"""C99 modules of bundles: the whole way from a sample to a decision, without malloc and without dependencies.

literals, unit and matrices know C; products, columns, integer, floats and preprocess turn a graph into calls of the
kernels in runtime/; model puts the files' text together, emit writes them, harness talks to the verification program.
"""
