"""Notebooks: sources must be equal, outputs compare by their kind; counters, ids and metadata are of no account."""

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping
from functools import partial

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault
from capsula.reproduction.comparison import Comparison, or_different, unjudged
from capsula.reproduction.kinds import values
from capsula.reproduction.pair import TOO_MUCH, Pair, Terms, both, size_of
from capsula.reproduction.parts import Parts, compared_parts

_SUFFIXES: Mapping[str, str] = {
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "application/pdf": ".pdf",
    "application/json": ".json",
    "text/csv": ".csv",
}
_ENCODED = {"image/png", "application/pdf"}
_ADDRESS = re.compile(rb" at 0x[0-9a-fA-F]{1,16}>")


def compare(pair: Pair, terms: Terms) -> Comparison:
    """Return how two notebooks compare, cell by cell."""
    if max(size_of(pair.recorded), size_of(pair.replayed)) > values.MOST_PARSED:
        return unjudged("notebook", TOO_MUCH.message)
    parts = pair.whole.bind(lambda contents: both(_parts, *contents))
    return or_different("notebook", parts.map(lambda it: compared_parts("notebook", *it, terms)))


def _parts(content: bytes) -> Result[Parts, Fault]:
    match values.parsed(content).value_or(None):
        case {"cells": list() as cells}:
            parts = {name: part for number, cell in enumerate(cells, 1) for name, part in _cell(number, cell)}
            return Success({name: partial(_told, part) for name, part in parts.items()})
    return Failure(Fault("malformed", "is no sound notebook"))


def _told(part: bytes) -> Result[bytes, Fault]:
    return Success(part)


def _cell(number: int, cell: object) -> Iterator[tuple[str, bytes]]:
    match cell:
        case {"cell_type": str() as kind, "source": source, **rest}:
            yield f"cell {number}, {kind}", _bytes(source)
            if attachments := rest.get("attachments"):
                yield f"attachments of cell {number}", _bytes(attachments)
            outputs = rest.get("outputs")
            for index, output in enumerate(outputs if isinstance(outputs, list) else (), 1):
                for name, part in _output(output):
                    yield f"output {index} of cell {number}, {name}", part
        case _:
            yield f"cell {number}", repr(cell).encode("utf-8", "surrogatepass")


def _output(output: object) -> Iterator[tuple[str, bytes]]:
    match output:
        case {"output_type": "stream", "name": str() as name, "text": text}:
            yield f"{name}.txt", _bytes(text)
        case {"output_type": str(), "data": dict() as data}:
            for kind, value in data.items():
                yield f"{kind}{_SUFFIXES.get(kind, '.txt')}", _datum(kind, value)
        case {"output_type": "error", "ename": str() as error, "evalue": value, **_rest}:
            yield f"{error}.txt", _bytes(value)
        case _:
            yield "of an unknown type", repr(output).encode("utf-8", "surrogatepass")


def _datum(kind: str, value: object) -> bytes:
    content = _bytes(value)
    if kind in _ENCODED:
        try:
            return b64decode(content)
        except Base64Error:
            return content
    return _ADDRESS.sub(b" at 0x0>", content) if kind == "text/plain" else content


def _bytes(text: object) -> bytes:
    """Return a text, which may be a list of its lines, or any other value as JSON."""
    match text:
        case str():
            joined = text
        case list() if all(isinstance(line, str) for line in text):
            joined = "".join(text)
        case _:
            joined = json.dumps(text, sort_keys=True)
    return joined.encode("utf-8", "surrogatepass")
