"""Makes a trained bundle smaller: pruning, low rank, quantisation, each with fine-tuning and a before/after report.

`edgehar.compress.steps.compress` is the way in; `docs/compress.md` says which step suits which model and board.
"""
