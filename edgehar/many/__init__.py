"""Many sensors in one process: rooms 2 to 5 of `edgehar.pipeline` over a batch of streams, with its decisions.

`edgehar.many.pipeline.ManyPipeline` is the way in.
"""
