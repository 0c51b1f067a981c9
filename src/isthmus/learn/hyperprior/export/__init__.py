"""A trained and calibrated codec to a model file: ONNX graphs, integer layers, tables."""
