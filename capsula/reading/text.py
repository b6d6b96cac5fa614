"""What the system tells of itself in a file."""

from pathlib import Path


def text(file: Path) -> str:
    """Return what a file holds; nothing if it cannot be read."""
    try:
        return file.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
