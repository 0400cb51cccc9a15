"""Trained models as files that other programs run: ONNX in float32 and int8, TorchScript, safetensors."""
