"""Classify a live stream with an ONNX step file: NumPy and ONNX Runtime, nothing of edgehar.

SENSOR | python onnx_stream.py MODEL.step.onnx     lines of t_ns and the model's channels on stdin
"""

import json
import sys

import numpy as np
from onnxruntime import InferenceSession

session = InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
told = json.loads(session.get_modelmeta().custom_metadata_map["edgehar"])
shapes = {given.name: (1, *given.shape[1:]) for given in session.get_inputs()}  # one stream
shape = shapes.pop("channels")
start = {name: np.zeros(size, np.float32) for name, size in shapes.items()}
rows, states = [], start
for n, line in enumerate((line for line in sys.stdin if line[0].isdigit()), 1):  # a header is no sample
    rows.append([float(value) for value in line.split(",")[1:]])
    if len(rows) == (shape[1] if len(shape) == 3 else 1):  # a convnet takes several samples a call
        logits, *following = session.run(None, {"channels": np.array(rows, np.float32).reshape(shape), **states})
        rows, states = [], dict(zip(start, following, strict=True))
    if n % told["window"] == 0:
        print(n, told["labels"][logits[0].argmax()], *logits[0], flush=True)
        states = start
