"""Raw two-photon sessions: read, catalogued, simulated."""
