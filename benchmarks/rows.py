"""The rows: what is measured, beside what, and what is claimed of it."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from time import sleep
from typing import Literal, TypeAlias

from attrs import field, frozen

from benchmarks.clock import Contender, Figure, Tells, nothing
from benchmarks.ground import MIB, Sizes, big_file, large_repository, many_files, small_repository
from benchmarks.peers import SCITRACK, UPSTREAM, upstream_settings
from tests.running import PLAIN

OURS = "capsula"

_FLOORS = Path(__file__).with_name("floors")
_PASS = "python -c pass"  # noqa: S105  # no password
_CPU_OFF = "[capture]\ninclude-cpu = false\n"
_SOURCE_OFF = "[capture]\ninclude-cpu = false\ninclude-source = false\n"
_UNTIL_REMEMBERED = 61
"""Seconds: of a file that was just changed no hash is remembered."""
_NO_REPOSITORY = "[capture.git.repositories]\n"
_KEEP_BIG = '"big.bin" = { hash = "sha256", copy = true }'
_HASH_BIG = '"big.bin" = { hash = "sha256" }'

Round: TypeAlias = Mapping[str, Mapping[Figure, float]]
"""The figures of each contender in one round."""


@frozen
class Claim:
    """That a figure of a round is at most so much, in the median of all rounds."""

    says: str
    limit: float
    unit: Literal["x", "ms", "MiB"]
    value: Callable[[Round], float] = field(eq=False, repr=False)
    """Raises KeyError if a contender is missing that it needs."""

    def values(self, rounds: tuple[Round, ...]) -> list[float]:
        """Return its value in each round; nothing if a contender is missing."""
        try:
            return [self.value(each) for each in rounds]
        except KeyError:
            return []

    def holds(self, rounds: tuple[Round, ...]) -> bool | None:
        """Tell whether it holds; none if there is no telling."""
        values = self.values(rounds)
        return median(values) <= self.limit if values else None


@frozen
class Row:
    """What is measured in turn, and what is claimed of it."""

    title: str
    contenders: tuple[Contender, ...]
    claims: tuple[Claim, ...]
    rounds: int
    figure: Figure = "wall"
    """What is shown first."""


@frozen
class Ground:
    """Where to measure, and with what."""

    directory: Path
    sizes: Sizes
    ours: Path
    """The programs of the environment that ours is installed in."""
    bare: Path
    """The programs of an environment with what the floors import."""
    upstream: Path | None
    peers: tuple[Contender, ...]
    """On repositories of their own, like the small one."""

    def capsula(
        self,
        directory: Path,
        *words: str,
        name: str = OURS,
        tells: Tells = "nothing",
        prepared: Callable[[], None] = nothing,
    ) -> Contender:
        """Return our command line as a contender."""
        return Contender(name, (str(self.ours / "capsula"), *words), directory, tells, prepared)

    def theirs(self, directory: Path, *words: str, prepared: Callable[[], None] = nothing) -> tuple[Contender, ...]:
        """Return upstream's command line as a contender, if it is there."""
        if self.upstream is None:
            return ()
        return (Contender(UPSTREAM, (str(self.upstream / "capsula"), *words), directory, prepared=prepared),)

    def floor(
        self,
        name: str,
        directory: Path,
        script: str,
        *words: str,
        tells: Tells = "nothing",
        prepared: Callable[[], None] = nothing,
    ) -> Contender:
        """Return one of the floors as a contender."""
        argv = (str(self.bare / "python"), str(_FLOORS / script), *words)
        return Contender(name, argv, directory, tells, prepared)

    def python(self, name: str, *words: str, programs: Path | None = None) -> Contender:
        """Return a Python with these arguments as a contender."""
        return Contender(name, (str((programs or self.bare) / "python"), *words), self.directory)


def ratio(ours: str, theirs: str, limit: float, figure: Figure = "wall") -> Claim:
    """Claim that ours takes at most so many times what theirs takes."""
    return Claim(f"{ours} / {theirs}{_in(figure)}", limit, "x", lambda each: each[ours][figure] / each[theirs][figure])


def above(ours: str, theirs: str, limit: float) -> Claim:
    """Claim that ours takes at most so many ms longer than theirs."""
    return Claim(f"{ours} - {theirs}", limit, "ms", lambda each: (each[ours]["wall"] - each[theirs]["wall"]) * 1000)


def alone(ours: str, limit: float, figure: Figure) -> Claim:
    """Claim that ours takes at most so many ms, or MiB."""
    unit, size = ("MiB", 1 / MIB) if figure == "peak" else ("ms", 1000.0)
    return Claim(f"{ours}{_in(figure)}", limit, unit, lambda each: each[ours][figure] * size)  # type: ignore[arg-type]  # both are units


def better(ours: str, floors: tuple[str, ...], limit: float) -> Claim:
    """Claim that ours takes at most so many times what the better of the floors takes."""
    return Claim(
        f"{ours} / better of {', '.join(floors)}",
        limit,
        "x",
        lambda each: each[ours]["wall"] / min(each[floor]["wall"] for floor in floors),
    )


def whole(ground: Ground) -> Row:
    """A trivial command, everything captured."""
    here = small_repository(ground.directory / "whole")
    upstream = small_repository(ground.directory / "whole-upstream", upstream_settings(cpu=True))
    return Row(
        "`monitor true`, 10 files, all that is captured by default",
        (
            ground.capsula(here, "monitor", "true"),
            ground.python(_PASS, "-c", "pass"),
            *ground.theirs(upstream, "monitor", "true"),
        ),
        (ratio(OURS, UPSTREAM, 1 / 12), ratio(OURS, _PASS, 9)),
        rounds=9,
    )


def trivial(ground: Ground) -> Row:
    """A trivial command, beside all the peers."""
    here = small_repository(ground.directory / "trivial", _CPU_OFF)
    others = [peer.name for peer in ground.peers if peer.name not in {UPSTREAM, SCITRACK}]
    return Row(
        "the same without CPU",
        (ground.capsula(here, "monitor", "true"), *ground.peers),
        (ratio(OURS, UPSTREAM, 0.38), *(ratio(OURS, other, 1) for other in others)),
        rounds=9,
    )


def science(ground: Ground) -> Row:
    """A small numerical script."""
    here = small_repository(ground.directory / "science", _CPU_OFF)
    script = (str(ground.bare / "python"), str(_FLOORS / "science.py"))
    return Row(
        "a short numpy script",
        (Contender("bare", script, here), ground.capsula(here, "monitor", *script)),
        (above(OURS, "bare", 100),),
        rounds=9,
    )


def delay(ground: Ground) -> Row:
    """What passes before the command starts, and after it has ended."""
    here = small_repository(ground.directory / "delay", _CPU_OFF)
    kept = ground.directory / "delay-kept"
    kept.mkdir()
    moment = ("date", "+%s%N")
    return Row(
        "until the command starts",
        (
            ground.capsula(here, "monitor", *moment, tells="moment"),
            ground.floor("bare script", here, "before.py", str(kept), *moment, tells="moment"),
        ),
        (ratio(OURS, "bare script", 1.15, "before"), alone(OURS, 20, "after")),
        rounds=11,
        figure="before",
    )


def large(ground: Ground) -> Row:
    """A trivial command in a large repository."""
    directory, sizes = ground.directory, ground.sizes
    here = large_repository(directory / "large", sizes, _SOURCE_OFF)
    full = large_repository(directory / "large-source", sizes, _CPU_OFF)
    upstream = large_repository(directory / "large-upstream", sizes, upstream_settings())
    with_source, walk = "capsula, with source", "one walk"
    return Row(
        f"`monitor true`, {sizes.tracked} files, {sizes.dirty} edited, {sizes.untracked} untracked",
        (
            ground.capsula(here, "monitor", "true"),
            ground.capsula(full, "monitor", "true", name=with_source),
            ground.floor(walk, here, "walk.py", tells="seconds"),
            Contender("git status", ("git", "status", "--porcelain"), here),
            *ground.theirs(upstream, "monitor", "true"),
        ),
        (
            ratio(OURS, UPSTREAM, 0.85),
            Claim(
                f"({with_source} - {OURS}) / {walk}",
                1.5,
                "x",
                lambda each: (each[with_source]["wall"] - each[OURS]["wall"]) / each[walk]["told"],
            ),
        ),
        rounds=7,
    )


def calls(ground: Ground) -> Row:
    """Calls of a decorated function."""
    directory = ground.directory
    bare = directory / "calls-bare"
    bare.mkdir()
    (bare / "capsula.toml").write_text(PLAIN + _NO_REPOSITORY)
    files = directory / "calls-files"
    files.mkdir()
    small = small_repository(directory / "calls-small", PLAIN)
    large = large_repository(directory / "calls-large", ground.sizes, PLAIN)
    upstream = small_repository(directory / "calls-upstream", upstream_settings())
    script = str(_FLOORS / "calls.py")

    def called(name: str, python: Path, kind: str, place: Path, count: int = 100) -> Contender:
        argv = (str(python / "python"), script, kind, str(place), str(count))
        return Contender(name, argv, place, "seconds")

    theirs = (called(f"{UPSTREAM}, git, small", ground.upstream, "upstream", upstream),) if ground.upstream else ()
    return Row(
        "one call of a decorated function",
        (
            called("no git", ground.ours, "capsula", bare),
            called("git, small", ground.ours, "capsula", small),
            called("git, large", ground.ours, "capsula", large, 10),
            called("three files", ground.bare, "files", files),
            ground.floor("diffs, large", large, "walk.py", tells="seconds"),
            *theirs,
        ),
        (
            alone("no git", 0.25, "told"),
            alone("git, small", 1.0, "told"),
            ratio("git, large", "diffs, large", 1.2, "told"),
        ),
        rounds=5,
        figure="told",
    )


def big(ground: Ground) -> Row:
    """Hashing and copying a big file."""
    here, upstream = (ground.directory / name for name in ("big", "big-upstream"))
    for folder, settings in ((here, PLAIN + _NO_REPOSITORY + f"[capture.files]\n{_KEEP_BIG}\n"), (upstream, "")):
        folder.mkdir()
        (folder / "capsula.toml").write_text(settings or upstream_settings(files=_KEEP_BIG, repositories=""))
        big_file(folder / "big.bin", ground.sizes.big)
    beside, behind = "copy beside hash", "hash behind copy"
    origin, target = here / "big.bin", here / "copy.bin"

    def copying(name: str, way: str) -> Contender:
        words = (way, str(origin), str(target))
        return ground.floor(name, here, "keep.py", *words, prepared=lambda: target.unlink(missing_ok=True))

    return Row(
        f"one file of {ground.sizes.big // MIB} MiB: sha256 and copy, all on the disk",
        (
            ground.capsula(here, "capture", prepared=_emptied(here)),
            copying(beside, "beside"),
            copying(behind, "behind"),
            *ground.theirs(upstream, "capture", prepared=_emptied(upstream)),
        ),
        (better(OURS, (beside, behind), 1.15), alone(OURS, 64, "peak")),
        rounds=5,
    )


def many(ground: Ground) -> Row:
    """Hashing and copying many small files."""
    here, upstream = (ground.directory / name for name in ("many", "many-upstream"))
    wish = '{ hash = "sha256", copy = true }'
    for folder in (here, upstream):
        folder.mkdir()
        many_files(folder / "data", ground.sizes.small)
    (here / "capsula.toml").write_text(f'{PLAIN}{_NO_REPOSITORY}[capture.files]\n"data" = {wish}\n')
    named = (path.relative_to(upstream) for path in sorted((upstream / "data").glob("*/*")))
    listed = "\n".join(f'"{path}" = {wish}' for path in named)
    (upstream / "capsula.toml").write_text(upstream_settings(files=listed, repositories=""))
    floor, target = "calls of the system", here / "copies"
    return Row(
        f"{ground.sizes.small} files of 2 KiB: sha256 and copy, all on the disk",
        (
            ground.capsula(here, "capture", prepared=_emptied(here)),
            ground.floor(floor, here, "many.py", str(here / "data"), str(target), prepared=_emptied(here, "copies")),
            *ground.theirs(upstream, "capture", prepared=_emptied(upstream)),
        ),
        (ratio(OURS, floor, 1.5),),
        rounds=5,
    )


def output(ground: Ground) -> Row:
    """A command that prints much."""
    here, upstream = (ground.directory / name for name in ("output", "output-upstream"))
    here.mkdir()
    upstream.mkdir()
    (here / "capsula.toml").write_text(PLAIN + _NO_REPOSITORY)
    (upstream / "capsula.toml").write_text(upstream_settings(repositories=""))
    printer = (str(ground.bare / "python"), str(_FLOORS / "printer.py"), str(ground.sizes.big // MIB))
    log = here / "pump.log"
    return Row(
        f"a command that prints {ground.sizes.big // MIB} MiB",
        (
            ground.capsula(here, "monitor", *printer, prepared=_emptied(here)),
            ground.floor("pump", here, "pump.py", str(log), *printer, prepared=lambda: log.unlink(missing_ok=True)),
            Contender("bare", printer, here),
            *ground.theirs(upstream, "monitor", *printer, prepared=_emptied(upstream)),
        ),
        (ratio(OURS, "pump", 1.15), alone(OURS, 64, "peak")),
        rounds=3,
    )


def word(ground: Ground) -> Row:
    """Words about ourselves."""
    click = "import click; click.command()(lambda: None)(['--help'])"
    here, click_alone = ground.directory, "click alone"
    return Row(
        "`--help`, `--version`",
        (
            ground.capsula(here, "--help", name="--help"),
            ground.capsula(here, "--version", name="--version"),
            ground.python(click_alone, "-c", click),
            ground.python(_PASS, "-c", "pass"),
        ),
        (ratio("--help", click_alone, 1, "cpu"), ratio("--version", click_alone, 1, "cpu")),
        rounds=11,
        figure="cpu",
    )


def again(ground: Ground) -> Row:
    """A capture of big inputs that are as they were at the last."""
    here, bare = (ground.directory / name for name in ("again", "again-bare"))
    for folder, files in ((here, _HASH_BIG), (bare, "")):
        folder.mkdir()
        (folder / "capsula.toml").write_text(f"{PLAIN}{_NO_REPOSITORY}[capture.files]\n{files}\n")
    big_file(here / "big.bin", ground.sizes.big)
    sleep(_UNTIL_REMEMBERED)
    without = "without inputs"
    return Row(
        f"capture again, an input of {ground.sizes.big // MIB} MiB unchanged",
        (ground.capsula(here, "capture"), ground.capsula(bare, "capture", name=without)),
        (above(OURS, without, 20),),
        rounds=7,
    )


ROWS: Mapping[str, Callable[[Ground], Row]] = {
    "whole": whole,
    "trivial": trivial,
    "science": science,
    "delay": delay,
    "large": large,
    "calls": calls,
    "big": big,
    "many": many,
    "output": output,
    "word": word,
    "again": again,
}
"""Each makes its ground, and answers with the row."""


def _in(figure: Figure) -> str:
    return {"wall": "", "told": "", "before": ", before", "after": ", after", "cpu": ", CPU", "peak": ", peak"}[figure]


def _emptied(folder: Path, name: str = "vault") -> Callable[[], None]:
    return lambda: shutil.rmtree(folder / name, ignore_errors=True)
