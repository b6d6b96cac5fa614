"""Tables of separated values: texts, of which one wants to know whether rows or columns have changed."""

from collections import Counter

from capsula.reproduction.comparison import Comparison, different
from capsula.reproduction.kinds import text
from capsula.reproduction.kinds.text import Mismatch
from capsula.reproduction.pair import Pair, Terms, size_of
from capsula.reproduction.tally import Tally

_MOST_SORTED = 64 * 1024 * 1024


def compare(pair: Pair, terms: Terms) -> Comparison:
    """Return how two tables compare, row by row."""
    tally = Tally(terms.tolerance)
    mismatch = text.first_mismatch(pair, tally)
    return _mismatched(mismatch, pair, terms) if mismatch else text.located(tally.comparison("table"), pair, terms)


def _mismatched(mismatch: Mismatch, pair: Pair, terms: Terms) -> Comparison:
    separator = b"\t" if pair.name.lower().endswith(".tsv") else b","
    one, other = mismatch.recorded, mismatch.replayed
    if _are_reordered(pair):
        return different("table", "the same rows in another order")
    if one is not None and other is not None and one.count(separator) != other.count(separator):
        here, there = one.count(separator) + 1, other.count(separator) + 1
        return different("table", f"line {mismatch.line} has {there} columns instead of {here}")
    return text.located(text.mismatched("table", mismatch), pair, terms)


def _are_reordered(pair: Pair) -> bool:
    if max(size_of(pair.recorded), size_of(pair.replayed)) > _MOST_SORTED:
        return False
    return Counter(map(hash, text.lines(pair.recorded))) == Counter(map(hash, text.lines(pair.replayed)))
