"""Classify the windows of a CSV file with a whole-window ONNX file: NumPy and ONNX Runtime, nothing of edgehar.

python onnx_window.py MODEL.onnx SAMPLES.csv [HOP]     rows of t_ns and the model's channels, below a header
"""

import json
import sys

import numpy as np
from onnxruntime import InferenceSession

session = InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
told = json.loads(session.get_modelmeta().custom_metadata_map["edgehar"])
window, labels = told["window"], told["labels"]
hop = int(sys.argv[3]) if len(sys.argv) > 3 else window
x = np.loadtxt(sys.argv[2], np.float32, delimiter=",", skiprows=1, ndmin=2)[:, 1:]
for end in range(window, len(x) + 1, hop):
    (logits,) = session.run(["logits"], {"channels": x[None, end - window : end]})
    print(end, labels[logits[0].argmax()], *logits[0])
