"""Restorers: one facet per module, each turns recorded facts into what is to be done to bring them back."""
