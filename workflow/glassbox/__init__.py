"""Glassbox: opens the black box of transformers trained on neural data.

One subpackage a stage, in the order in which data flows: sessions, tensors, decoders,
dictionaries, units, interventions, figures. No stage imports a later one, and importing
`glassbox` itself imports nothing heavy.
"""

__version__ = "0.1.0"
