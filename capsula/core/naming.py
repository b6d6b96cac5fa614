"""Naming: an id that nobody can remember, as two words that one can."""

from capsula.core.words import ADJECTIVES, ANIMALS


def memorable(identity: str) -> str:
    """Return the memorable name of an id, of which the first four hexadecimal digits choose it.

    One name has 2 ** 112 ids: it is a way to say which capsule is meant, and no identity.

    >>> memorable("15a50c6a51b34b7f9d0e2a4c6b8d0f1e")
    'brave-otter'
    """
    adjective, animal = bytes.fromhex(identity[:4])
    return f"{ADJECTIVES[adjective]}-{ANIMALS[animal]}"
