"""An embedding of one's own: a further source of candidates, by an ONNX model or by vectors in a Parquet file."""
