"""TFLite files written by ourselves: NumPy and the `flatbuffers` package, neither TensorFlow nor a converter.

schema, model, versions and writer know the file format; builder, preprocess, floats and integers turn a bundle's graph
into operators; form joins them to one step or a whole window, and `emit.emit_tflite` is the way in.
"""
