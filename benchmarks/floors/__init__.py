"""The floors: the least that must be done for the same, as plain scripts that any Python runs by their path."""
