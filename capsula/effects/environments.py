"""Environments: built once for what they consist of, looked at before they are used, and found again at once."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from attrs import asdict, evolve, frozen
from returns.result import Failure, Result, Success

from capsula.collectors import python_packages
from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.report import Report, silent
from capsula.core.settings import Settings
from capsula.effects.asks import started
from capsula.effects.files import folders, replaced
from capsula.effects.installers import OWN_PIP, Installer, Pip, Stage, Workshop, environment, installer
from capsula.effects.interpreters import Found, found
from capsula.effects.links import linked, site_directory
from capsula.restorers.python_packages import Difference, Pin, Python, Recipe, differences

MARK = ".complete"
TIME_LIMIT = 1800.0
"""Seconds that building may take, and that another builder of the same is waited for."""


@frozen
class Environment:
    """A virtual environment that can be used."""

    directory: Path
    python: Python
    why: tuple[str, ...]
    """In what its interpreter is not the one that was asked for."""
    differences: tuple[Difference, ...]
    """In what its distributions are not those that were asked for."""
    is_new: bool

    @property
    def program(self) -> Path:
        """Its interpreter."""
        return self.directory / "bin" / "python"


@frozen
class Order:
    """What is built, where, and by what means."""

    recipe: Recipe
    place: Path
    """The directory of the environments."""
    surroundings: Surroundings
    offline: bool = False
    """Whether nothing may be fetched."""
    wheels: tuple[Path, ...] = ()
    """Directories of wheels to take from, beside what the user's configuration says."""
    interpreters: tuple[Path, ...] = ()
    """Directories in which to look for interpreters first; those found are run."""
    time_limit: float = TIME_LIMIT
    installer: Installer | None = None
    """Left out: uv if it is there, else pip."""


def built(order: Order, report: Report = silent) -> Result[Environment, Fault]:
    """Return the environment of a recipe: one that was built before, or else a new one.

    It stands where it was built, for its scripts name that place; its mark, written last, says that it is whole. A
    lock lets one builder work, and is held until whatever that has started is over.

    Faults: ``unavailable`` (no such Python, or packages that cannot be had: all are told), ``failed``, ``timeout``,
    ``busy``, and those of the disk.
    """
    whole = _whole(order.place / order.recipe.key, order.recipe.python)
    if whole is not None:
        return Success(whole)
    return found(order.recipe.python, order.surroundings, order.interpreters).bind(
        lambda base: _of_base(order, base, report)
    )


def _of_base(order: Order, base: Found, report: Report) -> Result[Environment, Fault]:
    recipe = evolve(order.recipe, python=evolve(base.python, build=""))
    directory = order.place / recipe.key
    whole = _whole(directory, base.python)
    if whole is not None:
        return Success(evolve(whole, why=base.why))
    try:
        folders(order.place)
        with _locked(directory.with_suffix(".lock"), order.time_limit) as lock:
            if lock is None:
                return Failure(Fault("busy", f"another process is still building {directory}", "try again later"))
            whole = _whole(directory, base.python)
            if whole is not None:
                return Success(evolve(whole, why=base.why))
            environ = environment(order.surroundings.environ)
            shop = Workshop(environ, tuple(map(_absolute, order.wheels)), monotonic() + order.time_limit, lock)
            return _new(evolve(order, recipe=recipe), base, directory, shop, report)
    except OSError as error:
        return Failure(fault_of(error, f"no environment could be built in {order.place}"))


def _new(order: Order, base: Found, directory: Path, shop: Workshop, report: Report) -> Result[Environment, Fault]:
    by = order.installer or installer(order.surroundings)
    _cleared(directory)
    report("building an environment", packages=len(order.recipe.pins), python=base.python.version, installer=by.name)
    made = by.make(directory, base.program, shop)
    if not isinstance(made, Success) and not isinstance(by, Pip):  # uv knows no Python that is too old
        return _new(evolve(order, installer=Pip(order.surroundings.executable)), base, directory, shop, report)
    finished = made.bind(lambda _: _filled(order, by, directory, shop)).bind(
        lambda _: _finished(order, base, directory)
    )
    if not isinstance(finished, Success):
        _cleared(directory)
    return finished


def _finished(order: Order, base: Found, directory: Path) -> Result[Environment, Fault]:
    for link in order.recipe.links:
        linked(directory, link)
    shutil.rmtree(directory / OWN_PIP, ignore_errors=True)
    return _looked_at(directory, order).bind(lambda facts: _marked(order, base, directory, facts))


def _filled(order: Order, by: Installer, directory: Path, shop: Workshop) -> Result[None, Fault]:
    """Install all pins; what cannot be had from where it came is taken from elsewhere, and looked at like all."""
    lacking, why = _lacking_at_last(order, by, directory, order.recipe.pins, shop)
    anonymous = [evolve(pin, origin="") for pin in lacking if pin.origin]  # perhaps an index has the same
    if anonymous:
        found_not, _ = _lacking_at_last(order, by, directory, anonymous, shop)
        nowhere = {pin.name for pin in found_not}
        lacking = [pin for pin in lacking if not pin.origin or pin.name in nowhere]
    if not lacking or why is None:
        return Success(None)
    if why.kind == "timeout":
        return Failure(why)
    names = ", ".join(pin.requirement for pin in lacking)
    which = "this package cannot" if len(lacking) == 1 else f"these {len(lacking)} packages cannot"
    remedy = "allow to fetch them" if order.offline else "put wheels of them into a directory, and name that"
    return Failure(Fault("unavailable", f"{which} be had: {names} ({why.message})", remedy))


def _lacking_at_last(
    order: Order, by: Installer, directory: Path, pins: Sequence[Pin], shop: Workshop
) -> tuple[Sequence[Pin], Fault | None]:
    """Install pins; all at once where that can be done without fetching, or else without building."""
    first: tuple[Stage, ...] = () if order.offline else ("cached", "built")
    words = [pin.requirement for pin in pins]
    if any(isinstance(by.install(directory, words, stage, shop), Success) for stage in first if words):
        return (), None
    return _lacking(by, directory, pins, "cached" if order.offline else "any", shop)


def _lacking(
    by: Installer, directory: Path, pins: Sequence[Pin], stage: Stage, shop: Workshop
) -> tuple[Sequence[Pin], Fault | None]:
    """Install what can be had; return what cannot, and why: halves are tried until single ones are left."""
    if not pins:
        return (), None
    tried = by.install(directory, [pin.requirement for pin in pins], stage, shop)
    if isinstance(tried, Success):
        return (), None
    if len(pins) == 1:
        return pins, tried.failure()
    middle = len(pins) // 2
    first, one = _lacking(by, directory, pins[:middle], stage, shop)
    second, other = _lacking(by, directory, pins[middle:], stage, shop)
    return (*first, *second), one or other


def _looked_at(directory: Path, order: Order) -> Result[Json, Fault]:
    """Look at an environment with the facet that looked at the one that was recorded."""
    program = str(directory / "bin" / "python")
    surroundings = Surroundings(directory, {"PATH": os.defpath}, (program, "-I", "-"), order.surroundings.executable)
    config = Config(directory, Settings(), surroundings)
    with started(python_packages.asks(config), surroundings.environ, directory) as answers:
        return python_packages.collect(evolve(config, answers=answers)).map(lambda fragment: fragment.facts)


def _marked(order: Order, base: Found, directory: Path, facts: Json) -> Result[Environment, Fault]:
    distributions = facts.get("distributions") if isinstance(facts, dict) else None
    differing = differences(order.recipe, distributions)
    missing = [difference for difference in differing if difference.kind == "missing"]
    if missing:
        return Failure(Fault("failed", f"the installer left out {', '.join(each.name for each in missing)}"))
    told = {"state": _state(directory), "differences": [asdict(difference) for difference in differing]}
    replaced(directory / MARK, json.dumps(told).encode("ascii"), directory, durable=False)
    return Success(Environment(directory, base.python, base.why, differing, is_new=True))


def _whole(directory: Path, python: Python) -> Environment | None:
    """Return an environment that was built before, if it is whole, and still as it was built."""
    try:
        told = json.loads((directory / MARK).read_bytes())
        differing = tuple(Difference(**each) for each in told["differences"])
        is_same = told["state"] == _state(directory)
    except (OSError, ValueError, TypeError, LookupError):
        return None
    if not is_same or not os.access(directory / "bin" / "python", os.X_OK):
        return None
    return Environment(directory, python, (), differing, is_new=False)


def _state(directory: Path) -> list[list[Json]]:
    """Return what tells that a distribution was installed, changed or removed."""
    records = sorted(site_directory(directory).glob("*.dist-info/RECORD"))
    states = [(record.parent.name, record.stat()) for record in records]
    return [[name, state.st_size, state.st_mtime_ns] for name, state in states]


@contextmanager
def _locked(file: Path, time_limit: float) -> Iterator[int | None]:
    """Hold a lock while the body runs, and give its descriptor; none if another holds it for so many seconds."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        late = monotonic() + time_limit
        while not (is_ours := _is_locked(descriptor)) and monotonic() < late:
            sleep(0.1)
        yield descriptor if is_ours else None
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _cleared(directory: Path) -> None:
    if os.path.lexists(directory):
        with suppress(OSError):
            (directory / MARK).unlink()  # first: what is half removed is no environment
        shutil.rmtree(directory)


def _absolute(path: Path) -> Path:
    return path.absolute()
