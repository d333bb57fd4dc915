"""ONNX files written by hand (package `onnx` only): opset 18, a whole window by `Scan`, or one step with its states."""
