"""edgehar: human activity recognition from a sensor to a live decision on a small board.

Read `edgehar.types` first: a source yields `Chunk`s, the pipeline turns them into `Window`s, a runtime turns
those into `Scores`, and every sink gets `Activity`s.
"""

__version__ = "0.1.0"
