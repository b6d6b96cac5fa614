"""Structuring that guesses nothing."""
