"""Classify a live stream with a one-step TFLite file: NumPy and an interpreter, nothing of edgehar.

SENSOR | python tflite_stream.py MODEL.step.tflite WINDOW     lines of t_ns and the model's channels on stdin
"""

import sys

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter

run, window = Interpreter(model_path=sys.argv[1]).get_signature_runner("serving_default"), int(sys.argv[2])
inputs = run.get_input_details()
samples = inputs.pop("channels")["shape"][0]  # a convnet takes several a call
start = {name: np.zeros(told["shape"], told["dtype"]) for name, told in inputs.items()}
rows, states = [], start
for n, line in enumerate((line for line in sys.stdin if line[0].isdigit()), 1):  # a header is no sample
    rows.append(line.split(",")[1:])
    if len(rows) == samples:
        found = run(channels=np.array(rows, np.float32), **states)
        rows, states = [], {name: found[f"{name}_next"] for name in states}  # raw values go back as they came
    if n % window == 0:
        print(n, found["logits"][0].argmax(), *found["logits"][0], flush=True)
        states = start
