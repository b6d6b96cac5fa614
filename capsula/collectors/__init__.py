"""Collectors: one facet of the context per module; each looks, and touches nothing."""
