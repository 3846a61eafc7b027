"""Sparse dictionaries of a decoder's latents, and how they are spliced in."""
