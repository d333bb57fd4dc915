"""Classify the windows of a CSV file with a whole-window TFLite file: NumPy and an interpreter, nothing of edgehar.

python tflite_window.py MODEL.tflite SAMPLES.csv [HOP]     rows of t_ns and the model's channels, below a header
"""

import sys

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter

run = Interpreter(model_path=sys.argv[1]).get_signature_runner("serving_default")
window, channels = run.get_input_details()["channels"]["shape"]
hop = int(sys.argv[3]) if len(sys.argv) > 3 else window
x = np.loadtxt(sys.argv[2], np.float32, delimiter=",", skiprows=1, ndmin=2)[:, 1:]
if x.shape[1] != channels:
    sys.exit(f"{sys.argv[2]}: {x.shape[1]} channels, the model takes the {channels} that export.json names")
for end in range(window, len(x) + 1, hop):
    logits = run(channels=x[end - window : end])["logits"][0]
    print(end, logits.argmax(), *logits)
