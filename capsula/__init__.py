"""Capsula: capture what exactly produced a result, so that you can get it again."""

__version__ = "0.1.0"
