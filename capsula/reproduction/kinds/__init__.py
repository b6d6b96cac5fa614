"""Comparators, one kind of file per module, each exports ``compare(pair, terms)``; imported only when asked for."""
