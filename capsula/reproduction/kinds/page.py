"""PDF and PostScript: the same bytes, but for dates, ids, and the offsets that shift with them."""

import re

from capsula.reproduction.comparison import Comparison, Grade, different, or_different
from capsula.reproduction.pair import Pair, Terms

_DATE = rb"\((?:D:)?[0-9+\-'Z: ]{0,40}\)"
_HEXADECIMAL = rb"<[0-9A-Fa-f]{0,64}>"
_VOLATILE = re.compile(
    rb"/(?:CreationDate|ModDate)\s{0,4}" + _DATE
    + rb"|/ID\s{0,4}\[\s{0,4}" + _HEXADECIMAL + rb"\s{0,4}" + _HEXADECIMAL + rb"\s{0,4}\]"
    + rb"|<(?:xmp:(?:CreateDate|ModifyDate|MetadataDate)|xmpMM:(?:DocumentID|InstanceID))>[^<>]{0,80}<"
    + rb"|\b\d{10} \d{5} [nf]|\bstartxref\s{1,4}\d{1,20}"
    + rb"|^%%CreationDate:[^\r\n]{0,200}",
    re.MULTILINE,
)  # fmt: skip


def compare(pair: Pair, _terms: Terms) -> Comparison:
    """Return how two documents compare."""
    kind = "pdf" if pair.name.lower().endswith(".pdf") else "postscript"
    return or_different(kind, pair.whole.map(lambda contents: _compared(kind, *contents)))


def _compared(kind: str, recorded: bytes, replayed: bytes) -> Comparison:
    if _VOLATILE.sub(b"", recorded) == _VOLATILE.sub(b"", replayed):
        return Comparison(Grade.EQUIVALENT, kind, "the same but for dates and ids")
    return different(kind, "more than dates and ids differs")
