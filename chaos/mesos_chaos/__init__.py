"""Everything that runs implementation and specification together."""
