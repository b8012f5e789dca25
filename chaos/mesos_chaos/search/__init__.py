"""Searching for plans that break something, making them small, and keeping them."""
