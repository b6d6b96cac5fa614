"""Environments: built once for what they consist of, looked at before they are used, and found again at once."""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from time import monotonic, sleep, time
from typing import NamedTuple

from attrs import evolve, field, frozen
from returns.result import Failure, Result, Success

from capsula.collectors import python_packages
from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.once import once
from capsula.core.remote import without_secrets
from capsula.core.report import Report, silent
from capsula.core.settings import Settings
from capsula.effects.asks import started
from capsula.effects.files import folders, replaced
from capsula.effects.indexes import Indexes, indexes
from capsula.effects.installers import Workshop, cache_of_uv, carried_out, environment, installer
from capsula.effects.interpreters import found, without_python
from capsula.effects.links import linked, site_directory
from capsula.effects.stamps import edited, stamp
from capsula.effects.vault import planted
from capsula.restorers.building import OWN_PIP, WANTED, Found, Installer, Prospect, Stage, Uv, requirements
from capsula.restorers.python_packages import Difference, Pin, Python, Recipe, differences, normalised

MARK = ".complete"
TIME_LIMIT = 1800.0
"""Seconds that building may take, and that another builder of the same is waited for."""

MOST_KEPT = 20
"""Environments that are kept, those used last."""
LONGEST_KEPT = 30 * 24 * 3600.0
"""Seconds for which one that nobody uses is kept."""

_MOST_ASKED = 24
"""Times that uv is asked what it has, to name what it lacks."""
_PATIENCE = 20.0
"""Seconds that it has for all of them."""


def _absolute(places: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(place.absolute() for place in places)


class Hold:
    """As long as this lives, nobody removes the environment of a mark."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __del__(self) -> None:
        os.close(self._descriptor)


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
    hold: Hold = field(eq=False, repr=False)

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
    wheels: tuple[Path, ...] = field(default=(), converter=_absolute)
    """Directories of wheels to take from, beside what the user's configuration says."""
    interpreters: tuple[Path, ...] = ()
    """Directories in which to look for interpreters first; those found are run."""
    time_limit: float = TIME_LIMIT
    installer: Installer | None = None
    """Left out: uv if it is there, else pip."""

    @property
    def by(self) -> Installer:
        """What builds it."""
        return self.installer or installer(self.surroundings)


def foreseen(order: Order) -> Prospect:
    """Return what ``built`` will do; nothing is written, or fetched, to know it."""
    by, wheels = order.by, order.wheels
    base = found(order.recipe.python, order.surroundings, order.interpreters).value_or(None)
    if base is None:
        return Prospect(by, order.place, None)
    key = _recipe(order, base).key
    whole = _whole_one(order.place, key, base)
    if whole is not None:
        return Prospect(by, whole.directory, base, is_built=True, differences=whole.differences)
    told = indexes(by.name, environment(order.surroundings.environ))
    lacking = _not_here(order, base, told)
    asked = () if order.offline else tuple(map(without_secrets, (*told.addresses, *told.links)))
    directory = _free(order.place, key)
    return Prospect(by, directory, base, addresses=asked, lacking=lacking, wheels=wheels, offline=order.offline)


def built(order: Order, report: Report = silent) -> Result[Environment, Fault]:
    """Return the environment of a recipe: one that was built before and is unchanged, or else a new one.

    It stands where it was built, for its scripts name that place; its mark, written last, says that it is whole. A
    lock lets one builder work, and is held until whatever that has started is over. One that was changed is left to
    those who use it, and removed when nobody does.

    Faults: ``unavailable`` (no such Python, or packages that cannot be had: all are told), ``failed``, ``timeout``,
    ``busy``, ``unsafe`` (the place is another user's, who could have put there what is run), and those of the disk.
    """
    return found(order.recipe.python, order.surroundings, order.interpreters).bind(
        lambda base: _private(order.place).bind(
            lambda _: _of_base(evolve(order, recipe=_recipe(order, base)), base, report)
        )
    )


def _private(place: Path) -> Result[None, Fault]:
    """Make the directory of the environments, if need be, unless it is another user's."""
    try:
        folders(place)
        flaw = planted(place.parent, (place,))
    except OSError as error:
        return Failure(fault_of(error, f"no environment could be built in {place}"))
    remedy = "set XDG_CACHE_HOME to a place that is yours alone"
    return Failure(Fault("unsafe", f"nothing is built in {place}: {flaw}", remedy)) if flaw else Success(None)


def _recipe(order: Order, base: Found) -> Recipe:
    return evolve(order.recipe, python=base.python)


def _of_base(order: Order, base: Found, report: Report) -> Result[Environment, Fault]:
    place, key = order.place, order.recipe.key
    whole = _whole_one(place, key, base)
    if whole is not None:
        return Success(whole)
    try:
        with _locked(place / f"{key}.lock", order.time_limit) as lock:
            if lock is None:
                return Failure(Fault("busy", f"another process is still building {place / key}", "try again later"))
            whole = _whole_one(place, key, base)
            if whole is not None:
                return Success(whole)
            directory = _free(place, key)
            for old in _directories(place, key):
                with suppress(OSError):  # it is in nobody's way
                    _removed(old)
            shop = Workshop(environment(order.surroundings.environ), monotonic() + order.time_limit, lock)
            made = _new(order, base, directory, shop, report)
        _swept(place)
    except OSError as error:
        return Failure(fault_of(error, f"no environment could be built in {place}"))
    return made


def _new(order: Order, base: Found, directory: Path, shop: Workshop, report: Report) -> Result[Environment, Fault]:
    by = order.by
    report("building an environment", packages=len(order.recipe.pins), python=base.python.version, installer=by.name)
    site = _Site(order, base, by, directory, shop)
    finished = _made(site).bind(lambda _: _filled(site)).bind(lambda _: _finished(site))
    if not isinstance(finished, Success):
        _cleared(directory)
    return finished


class _Site(NamedTuple):
    """Where an environment is being built, of what, by whom."""

    order: Order
    base: Found
    by: Installer
    directory: Path
    shop: Workshop

    def install(self, pins: Sequence[Pin], stage: Stage) -> Result[str, Fault]:
        """Install all of these."""
        (self.directory / WANTED).write_text(requirements(pins), encoding="utf-8")
        words = self.by.installing(self.directory, self.base, stage, self.order.wheels)
        return carried_out(words, self.directory, self.shop)


def _made(site: _Site) -> Result[None, Fault]:
    for words in site.by.making(site.directory, site.base):
        answer = carried_out(words, site.directory.parent, site.shop)
        if not isinstance(answer, Success):
            return Failure(answer.failure())
    return Success(None)


def _finished(site: _Site) -> Result[Environment, Fault]:
    for link in site.order.recipe.links:
        linked(site.directory, link)
    shutil.rmtree(site.directory / OWN_PIP, ignore_errors=True)
    (site.directory / WANTED).unlink(missing_ok=True)
    return _looked_at(site.directory, site.order).bind(lambda facts: _marked(site, facts))


def _filled(site: _Site) -> Result[None, Fault]:
    """Install all pins; what cannot be had from where it came is taken from elsewhere, and looked at like all."""
    lacking, why = _lacking_at_last(site, site.order.recipe.pins)
    anonymous = [evolve(pin, origin="") for pin in lacking if pin.origin]  # perhaps an index has the same
    if anonymous:
        found_not, _ = _lacking_at_last(site, anonymous)
        nowhere = {pin.name for pin in found_not}
        lacking = [pin for pin in lacking if not pin.origin or pin.name in nowhere]
    if not lacking or why is None:
        return Success(None)
    if why.kind == "timeout":
        return Failure(why)
    names = ", ".join(pin.requirement for pin in lacking)
    which = "this package cannot" if len(lacking) == 1 else f"these {len(lacking)} packages cannot"
    wheels = "put wheels of them into a directory, and name that in UV_FIND_LINKS or PIP_FIND_LINKS"
    remedy = "allow to fetch them" if site.order.offline else f"{wheels}; or use what is here by --no-rebuild"
    return Failure(Fault("unavailable", f"{which} be had: {names} ({why.message})", remedy))


def _lacking_at_last(site: _Site, pins: Sequence[Pin]) -> tuple[Sequence[Pin], Fault | None]:
    """Install pins; all at once where that can be done without fetching, or else without building."""
    first: tuple[Stage, ...] = () if site.order.offline else ("cached", "built")
    if any(isinstance(site.install(pins, stage), Success) for stage in first if pins):
        return (), None
    return _lacking(pins, lambda some: site.install(some, "cached" if site.order.offline else "any"))


def _lacking(
    pins: Sequence[Pin], attempt: Callable[[Sequence[Pin]], Result[str, Fault]]
) -> tuple[Sequence[Pin], Fault | None]:
    """Attempt it with all; return those with which it fails, and why: halves are tried until single ones are left."""
    if not pins:
        return (), None
    tried = attempt(pins)
    if isinstance(tried, Success):
        return (), None
    if len(pins) == 1:
        return pins, tried.failure()
    middle = len(pins) // 2
    first, one = _lacking(pins[:middle], attempt)
    second, other = _lacking(pins[middle:], attempt)
    return (*first, *second), one or other


def _not_here(order: Order, base: Found, told: Indexes) -> tuple[str, ...]:
    """Return the packages that would have to be fetched; a directory of the source is there when it is built."""
    folders = (*told.folders, *order.wheels)
    names = {_wheel_of(file.name) for folder in folders for file in folder.glob("*.whl")}
    pins = [pin for pin in order.recipe.pins if not pin.origin.startswith("file:")]
    elsewhere = [pin for pin in pins if pin.origin or (normalised(pin.name), pin.version) not in names]
    by = order.by
    if isinstance(by, Uv) and os.path.isdir(cache_of_uv(order.surroundings.environ)):  # or uv would make one
        elsewhere = [*_not_in_cache(order, base, by, elsewhere)]
    return tuple(pin.requirement for pin in elsewhere)


def _wheel_of(name: str) -> tuple[str, str]:
    stem, _, rest = name.partition("-")
    return normalised(stem), rest.partition("-")[0]


def _not_in_cache(order: Order, base: Found, by: Uv, pins: Sequence[Pin]) -> Sequence[Pin]:
    shop = Workshop(environment(order.surroundings.environ), monotonic() + _PATIENCE)
    left = iter(range(_MOST_ASKED))

    def probed(some: Sequence[Pin]) -> Result[str, Fault]:
        if next(left, None) is None:  # too many are lacking to be told apart
            return Failure(Fault("missing", "perhaps"))
        words = by.probing(base, [pin.requirement for pin in some], order.wheels)
        return carried_out(words, Path("/"), shop).bind(
            lambda said: Failure(Fault("missing", said)) if "Would download" in said else Success(said)
        )

    return _lacking(pins, probed)[0]


def is_as_it_was(recorded: Json, surroundings: Surroundings) -> bool:
    """Tell whether a Python of the operating system ran, and stands here with the same packages: no index has those."""
    told = recorded.get("interpreter") if isinstance(recorded, Mapping) else None
    program = told.get("executable") if isinstance(told, Mapping) else None
    if not (isinstance(recorded, Mapping) and isinstance(program, str) and _OF_THE_SYSTEM.fullmatch(program)):
        return False
    here = Surroundings(Path("/"), without_python(surroundings.environ), (program, "-"), surroundings.executable)
    return _seen(here).map(lambda facts: _substance(facts) == _substance(recorded)).value_or(False)


_OF_THE_SYSTEM = re.compile(r"/usr/bin/python[\d.]*")
"""Whatever else a capsule names is not run to see what it is."""


def _substance(facts: Json) -> Json:
    whole = facts if isinstance(facts, Mapping) else {}
    told = whole.get("interpreter")
    return [told.get("build") if isinstance(told, Mapping) else None, whole.get("distributions")]


def _looked_at(directory: Path, order: Order) -> Result[Json, Fault]:
    program = str(directory / "bin" / "python")
    return _seen(Surroundings(directory, {"PATH": os.defpath}, (program, "-I", "-"), order.surroundings.executable))


def _seen(surroundings: Surroundings) -> Result[Json, Fault]:
    """Look at an environment with the facet that looked at the one that was recorded."""
    config = Config(surroundings.cwd, Settings(), surroundings, reader=once())
    with started(python_packages.asks(config), surroundings.environ, surroundings.cwd) as answers:
        return python_packages.collect(config._replace(answers=answers)).map(lambda fragment: fragment.facts)


def _marked(site: _Site, facts: Json) -> Result[Environment, Fault]:
    directory, recipe = site.directory, site.order.recipe
    distributions = facts.get("distributions") if isinstance(facts, dict) else None
    differing = differences(recipe, distributions, edited(site_directory(directory)))
    missing = [difference for difference in differing if difference.kind == "missing"]
    if missing:
        return Failure(Fault("failed", f"the installer left out {', '.join(each.name for each in missing)}"))
    told = {"stamp": stamp(directory, MARK), "differences": [difference._asdict() for difference in differing]}
    replaced(directory / MARK, json.dumps(told).encode("ascii"), directory, durable=False)
    whole = _whole(directory, site.base)
    if whole is None:
        return Failure(Fault("changed", f"{directory} was changed as it was built", "try again"))
    return Success(evolve(whole, is_new=True))


def _whole_one(place: Path, key: str, base: Found) -> Environment | None:
    """Return the environment of this key that is whole, and still as it was built."""
    return next(filter(None, (_whole(directory, base) for directory in _directories(place, key))), None)


def _directories(place: Path, key: str) -> list[Path]:
    return sorted(place.glob(f"{key}-*"))


def _free(place: Path, key: str) -> Path:
    return next(path for path in (place / f"{key}-{number}" for number in count(1)) if not os.path.lexists(path))


def _whole(directory: Path, base: Found) -> Environment | None:
    try:
        descriptor = os.open(directory / MARK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    hold = Hold(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        told = json.loads((directory / MARK).read_bytes())
        differing = tuple(Difference(**each) for each in told["differences"])
        is_same = told["stamp"] == stamp(directory, MARK)
        os.utime(descriptor)  # used just now
    except (OSError, ValueError, TypeError, LookupError, RecursionError):  # being removed, or none of ours
        return None
    if not is_same or not os.access(directory / "bin" / "python", os.X_OK):
        return None
    return Environment(directory, base.python, base.why, differing, is_new=False, hold=hold)


def _swept(place: Path) -> None:
    """Remove the environments that nobody has used for long, and those beyond the number that is kept."""
    marks = sorted(place.glob(f"*/{MARK}"), key=_last_used, reverse=True)
    for number, mark in enumerate(marks):
        if number >= MOST_KEPT or time() - _last_used(mark) > LONGEST_KEPT:
            with suppress(OSError):
                _removed(mark.parent)


def _last_used(mark: Path) -> float:
    with suppress(FileNotFoundError):
        return mark.stat().st_mtime
    return 0.0


def _removed(directory: Path) -> None:
    """Remove an environment, unless somebody uses it; what has no mark was left by a builder that is no more."""
    try:
        descriptor = os.open(
            directory / MARK, os.O_RDWR | os.O_CLOEXEC
        )  # or some file systems lock it for nobody alone
    except FileNotFoundError:
        _cleared(directory)
        return
    try:
        if _is_locked(descriptor):
            _cleared(directory)
    finally:
        os.close(descriptor)


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
