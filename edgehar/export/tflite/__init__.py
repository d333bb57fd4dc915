"""TFLite files written by ourselves: NumPy and the `flatbuffers` package, neither TensorFlow nor a converter.

schema.py, versions.py, model.py and writer.py know the file format; the rest knows edgehar's graphs.
"""
