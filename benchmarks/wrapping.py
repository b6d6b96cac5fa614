"""What a command can notice of who runs it, as a table of wrappers: ``python -m benchmarks.wrapping [WRAPPER]...``.

The cases are those of the tests. The columns of wrappers that are not named, or not on ``PATH``, stay as they are.
"""

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from capsula import __version__
from tests.running import PLAIN
from tests.transparency import CASES, Case, Seen, seen

PAGE = Path(__file__).resolve().parents[1] / "docs" / "wrapping.md"
_BEGIN, _END = "<!-- measured -->", "<!-- end -->"
"""What the tables stand between on the page."""

_PATIENCE = 15.0
_KEPT = "kept"
_TICK = "✓"


@frozen
class Wrapper:
    """A program that runs another one."""

    name: str
    words: tuple[str, ...]
    """Before the command."""
    records: bool
    """Whether it keeps what the command writes."""
    version: tuple[str, ...]
    """What prints its version."""
    setup: tuple[tuple[str, ...], ...] = ()
    """What it needs to be done in a directory first."""


_AS_ONE_WORD = ("bash", "-c", 'script --quiet --flush --return --command "${*@Q}" /dev/null', "bash")
"""``script`` takes a command in one word."""

_CAPSULA = (sys.executable, "-P", "-m", "capsula", "--quiet", "monitor")

WRAPPERS = (
    Wrapper("capsula", _CAPSULA, True, ("echo", __version__)),
    Wrapper("capsula --no-output", (*_CAPSULA, "--no-output"), False, ("echo", __version__)),
    Wrapper(
        "datalad run",
        ("datalad", "-l", "critical", "-f", "disabled", "run", "--explicit", "--"),
        False,
        ("datalad", "--version"),
        setup=(("datalad", "create", "--force", "."),),
    ),
    Wrapper("con-duct", ("duct", "--log-level", "NONE", "--"), True, ("duct", "--version")),
    Wrapper("script", _AS_ONE_WORD, True, ("script", "--version")),
    Wrapper("timeout", ("timeout", "600"), False, ("timeout", "--version")),
    Wrapper("timeout --foreground", ("timeout", "--foreground", "600"), False, ("timeout", "--version")),
    Wrapper("tini", ("tini", "-s", "--"), False, ("tini", "--version")),
    Wrapper("dumb-init", ("dumb-init", "--"), False, ("dumb-init", "--version")),
)


@frozen
class Column:
    """What was seen of a wrapper: of which version, when and where, and in a word or two how it keeps each case."""

    version: str
    measured: str
    told: Mapping[str, str]


def main() -> int:
    """Run all cases under the wrappers that are named, or all that are here, and write the tables into the page."""
    named = sys.argv[1:] or [wrapper.name for wrapper in WRAPPERS]
    wrappers = [wrapper for wrapper in WRAPPERS if wrapper.name in named and shutil.which(wrapper.version[0])]
    with TemporaryDirectory(prefix="wrapping-") as scratch:
        seen_now = {wrapper.name: _column(wrapper, Path(scratch)) for wrapper in wrappers}
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    known, _, after = rest.partition(_END)
    columns = {**_columns(known), **seen_now}
    PAGE.write_text(f"{before}{_BEGIN}\n\n{_page(columns)}\n{_END}{after}")
    return 0


def _column(wrapper: Wrapper, scratch: Path) -> Column:
    measured = f"{date.today().isoformat()}, {platform.system()} {platform.release().partition('-')[0]}"
    told = {case.name: _told(case, wrapper, scratch) for cases in CASES.values() for case in cases}
    return Column(_version(wrapper), measured, told)


def _columns(page: str) -> dict[str, Column]:
    """Return the columns of the tables on a page."""
    lines = groupby(page.splitlines(), lambda line: line.startswith("|"))
    of_wrappers, *tables = [[_cells(line) for line in table] for is_table, table in lines if is_table]
    return {
        name: Column(
            version,
            measured,
            {row[0]: row[head.index(name)].replace(_TICK, _KEPT) for head, _, *rows in tables for row in rows},
        )
        for name, _, version, measured, _ in of_wrappers[2:]
    }


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.removeprefix("|").removesuffix("|").split("|")]


def _told(case: Case, wrapper: Wrapper, scratch: Path) -> str:
    """Return in a word or two how a wrapper keeps a case."""
    model = scratch / wrapper.name
    if not model.exists():
        model.mkdir()
        for words in wrapper.setup:
            subprocess.run(words, cwd=model, capture_output=True, check=True)
    bare = seen(case, (), _place(scratch, model))
    try:
        wrapped = seen(case, wrapper.words, _place(scratch, model), _PATIENCE)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        told = "hangs" if isinstance(error, subprocess.TimeoutExpired) else "does not get there"
    else:
        told = _difference(bare, wrapped)
    print(f"{wrapper.name}: {case.name}: {told}", flush=True)
    return told


def _place(scratch: Path, model: Path) -> Path:
    """Return a fresh copy of a directory, always at the same place."""
    (scratch / "capsula.toml").write_text(PLAIN)
    place = scratch / "work"
    shutil.rmtree(place, ignore_errors=True)
    return shutil.copytree(model, place, symlinks=True)


def _difference(bare: Seen, wrapped: Seen) -> str:
    if wrapped == bare:
        return _KEPT
    if wrapped.status != bare.status:
        return f"ends with {_shell_status(wrapped.status)}, not {_shell_status(bare.status)}"
    return "other output" if wrapped.out != bare.out else "other stderr"


def _shell_status(status: int) -> int:
    return 128 - status if status < 0 else status


def _page(columns: Mapping[str, Column]) -> str:
    shown = {wrapper: columns[wrapper.name] for wrapper in WRAPPERS if wrapper.name in columns}
    names = [case.name for cases in CASES.values() for case in cases]
    parts = [
        _table(
            ("", "records output", "version", "measured", "cases kept"),
            (
                (
                    wrapper.name,
                    "yes" if wrapper.records else "no",
                    column.version,
                    column.measured,
                    f"{sum(column.told.get(name) == _KEPT for name in names)} of {len(names)}",
                )
                for wrapper, column in shown.items()
            ),
        ),
    ]
    for about, cases in CASES.items():
        rows = (
            (case.name, *(_cell(column.told.get(case.name, "not tried")) for column in shown.values()))
            for case in cases
        )
        parts += [f"### {about}", _table((about, *(wrapper.name for wrapper in shown)), rows)]
    known = (_exception(case) for cases in CASES.values() for case in cases if case.differs)
    parts += ["### Where Capsula's row is not kept", "\n".join(known)]
    return "\n\n".join(parts) + "\n"


def _exception(case: Case) -> str:
    return f"- {case.name}: {case.differs}{'' if case.is_of_streams else '; so with --no-output'}."


def _cell(told: str) -> str:
    return _TICK if told == _KEPT else told


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _version(wrapper: Wrapper) -> str:
    told = subprocess.run(
        wrapper.version, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    ).stdout
    words = [word.removeprefix("v") for word in told.splitlines()[0].split()]
    return next(word for word in words if word[:1].isdigit())


if __name__ == "__main__":
    sys.exit(main())
