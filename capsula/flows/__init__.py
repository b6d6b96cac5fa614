"""Flows: one verb per module, from what the user asked for to what is done."""
