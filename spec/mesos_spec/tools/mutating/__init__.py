"""Mutants of a specification: every guard, effect and claim left out in turn; who notices?"""
