"""The documentation: pages that are written by hand, and the code that writes the others."""
