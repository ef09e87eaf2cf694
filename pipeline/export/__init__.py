"""A finished model as a bundle of ONNX files that runs without torch, and the proof that it computes the same."""
