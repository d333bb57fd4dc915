"""Evaluation: metrics, reports, and the pipeline run over a dataset."""
