"""The way out: one trained bundle becomes TFLite, ONNX and C that compute the same."""
