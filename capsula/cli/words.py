"""Words of a command line: where the options end."""

from collections.abc import Collection, Sequence

VALUED = {"-C", "--directory", "-l", "--log-level"}
"""The options before a command, or behind it, that take the next word."""


def split(words: Sequence[str], valued: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the options at the front, with their values, and all words from the first that is none.

    Everything after ``--`` is no option, whatever it looks like; ``valued`` are the options that take the next word.

    >>> split(["-q", "-i", "one", "python", "-c", "pass"], {"-i"})
    (['-q', '-i', 'one'], ['python', '-c', 'pass'])
    """
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--":
            return list(words[:position]), list(words[position + 1 :])
        if not word.startswith("-") or word == "-":
            break
        position += 2 if word in valued else 1
    return list(words[:position]), list(words[position:])
