"""The way out: one trained bundle becomes TFLite, ONNX and C that compute the same."""

from edgehar.export.bundles import export_bundle

__all__ = ["export_bundle"]
