"""Sessions as chunked Zarr tensors, with their trials, splits and windows."""
