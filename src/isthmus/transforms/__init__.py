"""Pictures to latents and back: runs the ONNX graphs of a model file on an engine."""
