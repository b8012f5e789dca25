"""Searches: every state that a model can reach."""
