"""Transformer decoders of the stimulus, and their linear reference."""
