"""Hash algorithms by the names that settings give them."""

import hashlib
from typing import TYPE_CHECKING

from capsula.core.settings import HashAlgorithm

if TYPE_CHECKING:
    from hashlib import _Hash


def hasher(algorithm: HashAlgorithm) -> "_Hash":
    """Return a new hash object; ``sha3`` is SHA3-256."""
    return hashlib.new("sha3_256" if algorithm == "sha3" else algorithm, usedforsecurity=False)
