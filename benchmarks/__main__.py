"""Measure: ``python -m benchmarks``."""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.clock import Contender, FailedError, Figure, measured
from benchmarks.ground import QUICK, Sizes
from benchmarks.peers import PEERS, UPSTREAM, contender, environment
from benchmarks.report import Result, document, machine, markdown, picture, summary, text
from benchmarks.rows import ROWS, Ground, Round, Row

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / ".bench"
"""For the environments of the peers, which are kept, and for what was measured."""

_BEGIN, _END = "<!-- measured -->", "<!-- end -->"
"""What the table stands between in the readme."""
_QUICK_ROUNDS = 3
_FLOORS_IMPORT = ("numpy", "pygit2", "returns", "click")


def main() -> int:
    """Measure the rows that are asked for, and write what came of it; 1 if a claim does not hold."""
    options = _options()
    PLACE.mkdir(exist_ok=True)
    for name, value in machine().items():
        _say(f"{name}: {value}")
    results: list[Result] = []
    with TemporaryDirectory(prefix="capsula-benchmarks-") as scratch:
        environ = _environ(Path(scratch))
        ground, missing = _ground(Path(scratch), environ, options)
        for name in options.rows:
            row = ROWS[name](ground)
            rounds = options.rounds or (_QUICK_ROUNDS if options.quick else row.rounds)
            result = _measured(name, row, rounds, environ, missing if name == "trivial" else {})
            results.append(result)
            _say(text(result))
    for file, content in (
        ("result.json", document(tuple(results))),
        ("table.md", markdown(tuple(results))),
        ("picture.svg", picture(tuple(results))),
    ):
        (PLACE / file).write_text(content)
        _say(f"written: {PLACE / file}")
    if options.readme:
        _show(summary(tuple(results)))
    return int(any(claim.holds(result.rounds) is False for result in results for claim in result.row.claims))


def _options() -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks", description="Measure what Capsula costs.")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=[*ROWS], metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--rounds", type=int, help="how often each command of a row is run, after once to warm up")
    parser.add_argument("--quick", action="store_true", help="less of everything: a few minutes")
    parser.add_argument("--no-peers", action="store_true", help="only ours and the floors")
    parser.add_argument("--readme", action="store_true", help="put a short table into README.md")
    return parser.parse_args()


def _show(table: str) -> None:
    readme = ROOT / "README.md"
    before, begin, rest = readme.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    readme.write_text(f"{before}{begin}\n{table}{end}{after}")


def _environ(scratch: Path) -> dict[str, str]:
    """Return what every contender has: a home of its own, and the ordinary programs."""
    home = scratch / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = A\nemail = a@example.org\n")
    passed = ("LANG", "TMPDIR", "SSL_CERT_FILE")
    return {
        **{name: os.environ[name] for name in passed if name in os.environ},
        "PATH": f"{PLACE / 'bare' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
    }


def _ground(scratch: Path, environ: Mapping[str, str], options: Namespace) -> tuple[Ground, dict[str, str]]:
    """Install all that is to be measured; the peers that cannot be had are told, and why."""
    _say("installing, into environments below .bench")
    for name, requirements in (("ours", (str(ROOT),)), ("bare", _FLOORS_IMPORT)):
        failure = environment(PLACE / name, requirements, anew=name == "ours")
        if failure:
            sys.exit(f"{name}: {failure}")
    peers: list[Contender] = []
    missing: dict[str, str] = {}
    for peer in () if options.no_peers else PEERS:
        folder = peer.name.replace(" ", "-")
        ready = contender(peer, PLACE / folder, scratch / folder, environ)
        if isinstance(ready, Contender):
            peers.append(ready)
        else:
            missing[peer.name] = ready
            _say(f"{peer.name} is left out: {ready}")
    upstream = next((PLACE / peer.name.replace(" ", "-") / "bin" for peer in peers if peer.name == UPSTREAM), None)
    sizes = QUICK if options.quick else Sizes()
    return Ground(scratch, sizes, PLACE / "ours" / "bin", PLACE / "bare" / "bin", upstream, tuple(peers)), missing


def _measured(name: str, row: Row, rounds: int, environ: Mapping[str, str], missing: Mapping[str, str]) -> Result:
    """Run all contenders in turn, once to warm up and then so often; one that fails is left out."""
    failed = dict(missing)
    ready = list(row.contenders)
    taken: list[Round] = []
    for _ in range(rounds + 1):
        taken.append(dict(_round(ready, environ, failed)))
        ready = [each for each in ready if each.name not in failed]
    whole = tuple({each.name: one[each.name] for each in ready} for one in taken[1:])
    return Result(name, row, whole, failed)


def _round(
    ready: Iterable[Contender], environ: Mapping[str, str], failed: dict[str, str]
) -> Iterator[tuple[str, Mapping[Figure, float]]]:
    for each in ready:
        try:
            yield each.name, measured(each, environ)
        except FailedError as error:
            failed[each.name] = str(error)


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
