"""The second tier: real shells on virtual time (T2)."""
