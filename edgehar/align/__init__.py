"""Several sensors on one time line: each device's clock fitted, its link's least delay taken off, one grid for all.

Pure and synchronous: `aligner` is what a pipeline is fed from, `survey` looks at a recording, `edgehar.sources.aligned`
does it live.
"""
