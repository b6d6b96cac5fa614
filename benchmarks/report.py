"""The report: what was measured, as text, as JSON and as a picture."""

import json
import os
import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from statistics import median

from attrs import frozen

from benchmarks.clock import Figure
from benchmarks.ground import MIB
from benchmarks.rows import OURS, Claim, Round, Row

_WORDS = {True: "holds", False: "FAILS", None: "not measured"}
_BAR, _LINE, _LEFT, _WIDTH = 14, 20, 190, 760
_OURS, _OTHERS = "#2a6f97", "#b8c4cc"


@frozen
class Result:
    """A row that was measured."""

    name: str
    row: Row
    rounds: tuple[Round, ...]
    failed: Mapping[str, str]
    """Why contenders are missing."""

    @property
    def names(self) -> tuple[str, ...]:
        """The contenders that are not, as they were measured."""
        return tuple(self.rounds[0]) if self.rounds else ()

    def of(self, name: str, figure: Figure) -> list[float]:
        """Return a figure of a contender in each round."""
        return [each[name].get(figure, each[name]["wall"]) for each in self.rounds]


def machine() -> dict[str, str | int]:
    """Return what it was measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def text(result: Result) -> str:
    """Return the table of a row: medians, minima, and ratios of ours to each, taken round by round."""
    row = result.row
    lines = [f"\n{row.title}  [{len(result.rounds)} rounds, {row.figure}]"]
    if result.names:
        lines.append(f"  {'':<24}{'median':>11}{'min':>11}{'CPU':>11}{'peak':>10}{'ours/it':>10}{'by CPU':>9}")
        lines += [_line(result, name) for name in result.names]
    lines += [f"  {name:<24} missing: {why}" for name, why in result.failed.items()]
    lines += [f"  {_WORDS[claim.holds(result.rounds)]:<12} {_told(claim, result)}" for claim in row.claims]
    return "\n".join(lines)


def markdown(results: tuple[Result, ...]) -> str:
    """Return one table of all claims."""
    head = ["| what | compared | measured | target |", "| --- | --- | --- | --- |"]
    return "\n".join([_taken(), "", *head, *(line for result in results for line in _claimed(result))]) + "\n"


def summary(results: tuple[Result, ...]) -> str:
    """Return a short table: what ours took in the median, and what others took."""
    lines = ["| what | Capsula | beside it |", "| --- | --- | --- |"]
    for result in results:
        medians = {name: median(result.of(name, result.row.figure)) for name in result.names}
        ours, *others = (f"{name} {_shown(value)}" for name, value in medians.items())
        lines.append(f"| {result.row.title} | {ours.removeprefix(f'{OURS} ')} | {', '.join(others)} |")
    return "\n".join([_taken(), "", *lines]) + "\n"


def document(results: tuple[Result, ...]) -> str:
    """Return all figures as JSON: seconds, and bytes."""
    rows = {
        result.name: {
            "title": result.row.title,
            "rounds": result.rounds,
            "missing": dict(result.failed),
            "claims": [
                {
                    "says": claim.says,
                    "limit": claim.limit,
                    "unit": claim.unit,
                    "values": claim.values(result.rounds),
                    "holds": claim.holds(result.rounds),
                }
                for claim in result.row.claims
            ],
        }
        for result in results
    }
    return json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n"


def picture(results: tuple[Result, ...]) -> str:
    """Return a drawing (SVG): a bar for the median of each contender, row by row, ours first."""
    shapes: list[str] = []
    y = 0
    for result in results:
        y += 2 * _LINE
        shapes.append(_words(10, y, result.row.title, weight="bold"))
        longest = max((median(result.of(name, result.row.figure)) for name in result.names), default=1.0)
        for number, name in enumerate(result.names):
            y += _LINE
            value = median(result.of(name, result.row.figure))
            width = max(1, round(value / longest * (_WIDTH - _LEFT - 90)))
            colour = _OTHERS if number else _OURS
            shapes += [
                _words(_LEFT - 8, y, name, anchor="end"),
                f'<rect x="{_LEFT}" y="{y - _BAR + 3}" width="{width}" height="{_BAR}" fill="{colour}"/>',
                _words(_LEFT + width + 6, y, _shown(value)),
            ]
    top = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y + _LINE}" font-family="sans-serif" '
    return "\n".join([f'{top}font-size="12">', '<rect width="100%" height="100%" fill="white"/>', *shapes, "</svg>"])


def _taken() -> str:
    facts = machine()
    return (
        f"Taken on {facts['date']} with {facts['cores']} cores of an {facts['cpu']}, Linux {facts['kernel']}, "
        f"Python {facts['python']}: medians of rounds in which each runs once."
    )


def _line(result: Result, name: str) -> str:
    figure, first = result.row.figure, result.names[0]
    values = result.of(name, figure)
    peak = max(result.of(name, "peak")) / MIB
    ratios = (
        median(ours / its for ours, its in zip(result.of(first, each), result.of(name, each), strict=True))
        for each in (figure, "cpu")
    )
    compared = "".join(f"{value:>{width}.2f}" for value, width in zip(ratios, (10, 9), strict=True))
    shown = "".join(f"{_shown(value):>11}" for value in (median(values), min(values), median(result.of(name, "cpu"))))
    return f"  {name:<24}{shown}{peak:>6.0f} MiB{'' if name == first else compared}"


def _claimed(result: Result) -> Iterator[str]:
    for number, claim in enumerate(result.row.claims):
        values = claim.values(result.rounds)
        measured = _amount(median(values), claim) if values else "-"
        mark = "" if claim.holds(result.rounds) is not False else " (missed)"
        what = "" if number else result.row.title
        yield f"| {what} | {claim.says} | {measured}{mark} | {_amount(claim.limit, claim)} |"


def _told(claim: Claim, result: Result) -> str:
    values = claim.values(result.rounds)
    limit = _amount(claim.limit, claim)
    if not values:
        return f"{claim.says}: at most {limit}"
    return f"{claim.says}: {_amount(median(values), claim)} (least {_amount(min(values), claim)}), at most {limit}"


def _amount(value: float, claim: Claim) -> str:
    return f"{value:.3g}{claim.unit if claim.unit == 'x' else ' ' + claim.unit}"


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _words(x: int, y: int, words: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>'
