"""What the units of a dictionary stand for."""
