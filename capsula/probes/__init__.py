"""Probes: tiny programs that an interpreter runs to tell what only it can know."""
