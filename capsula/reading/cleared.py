"""Cleared: contents that hold no secret are remembered by what tells them from others, and not searched again."""

from capsula.core.withholding import Withholding

_LENGTH = 24


class Cleared:
    """The contents that were cleared before, and those that are met now: these will be remembered."""

    def __init__(self, withholding: Withholding, remembered: bytes = b"") -> None:
        self.withholding = withholding
        """By what contents are judged; what was cleared by other rules is forgotten."""
        self._fingerprint = withholding.fingerprint
        start = len(self._fingerprint)
        places = range(start, len(remembered), _LENGTH) if remembered.startswith(self._fingerprint) else ()
        self._before = {remembered[place : place + _LENGTH] for place in places}
        self._met: set[bytes] = set()

    def holds(self, path: bytes, identity: bytes) -> bool:
        """Tell whether a content was cleared, by the id that git has for it."""
        token = self.withholding.token(path, identity)
        is_cleared = token in self._before or token in self._met
        if is_cleared:
            self._met.add(token)
        return is_cleared

    def add(self, path: bytes, identity: bytes) -> None:
        """Remember that a content is cleared."""
        self._met.add(self.withholding.token(path, identity))

    @property
    def news(self) -> bytes | None:
        """What is to be remembered; none if that is known."""
        return None if self._met == self._before else self._fingerprint + b"".join(sorted(self._met))
