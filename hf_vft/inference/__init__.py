"""Answers of a trained model: the predictor, its forward pass, its ONNX graph and its log rows."""
