"""Judging traces: is what real processes did a behaviour of the specification?"""
