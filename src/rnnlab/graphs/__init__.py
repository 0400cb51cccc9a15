"""A network written as a graph of ONNX operators, in float32 or with matrices of eight bits."""
