"""Building an environment: every command is known before any is run, and the step of a plan tells them."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeAlias

from attrs import field, frozen

from capsula.core.step import FIDELITIES, Fidelity, Phase, Step
from capsula.restorers.python_packages import Difference, Pin, Python, Recipe

WANTED = ".requirements.txt"
"""The file in an environment that says what is to be installed; it is no part of what was built."""

OWN_PIP = ".pip"
"""Where in an environment the pip stands that fills it; it is no part of what was built."""

Words: TypeAlias = tuple[str, ...]
Stage: TypeAlias = Literal["cached", "built", "any"]
"""What may be installed: what is on this machine, what is built already, whatever there is."""


@frozen
class Found:
    """An interpreter to build with, outside of any virtual environment."""

    program: str
    python: Python
    why: tuple[str, ...] = ()
    """In what it is not the one that was asked for."""
    brings_pip: bool = field(default=True, eq=False)


class Installer(Protocol):
    """Words of the commands that make virtual environments and install into them."""

    @property
    def name(self) -> str:
        """What a plan calls it."""
        ...

    def making(self, directory: Path, base: Found) -> tuple[Words, ...]:
        """Return the commands that make an environment without any distribution."""
        ...

    def installing(self, directory: Path, base: Found, stage: Stage, wheels: Iterable[Path]) -> Words:
        """Return the command that installs all that ``WANTED`` asks for, and nothing that it in turn requires."""
        ...


class Uv(NamedTuple):
    """uv; its cache makes a second environment a matter of seconds.

    Files are copied from the cache, never linked: who changes one changes it in this environment alone.
    """

    program: str
    name: str = "uv"

    def making(self, directory: Path, base: Found) -> tuple[Words, ...]:
        """Return the command that makes an environment."""
        options = ("--quiet", "--no-project", "--offline", "--python", base.program)
        return ((self.program, "venv", *options, str(directory)),)

    def installing(self, directory: Path, base: Found, stage: Stage, wheels: Iterable[Path]) -> Words:  # noqa: ARG002
        """Return the command that installs into an environment."""
        options = ("--quiet", "--no-progress", "--link-mode=copy", "--python", str(directory / "bin" / "python"))
        return (self.program, *_UV_INSTALLS, *options, *_UV_STAGES[stage], *_links(wheels), *_wanted(directory))

    def probing(self, base: Found, requirements: Iterable[str], wheels: Iterable[Path]) -> Words:
        """Return the command that says whether all of these are on this machine, and installs nothing."""
        options = ("--dry-run", "--target", "/nonexistent", "--python", base.program)
        return (self.program, *_UV_INSTALLS, *options, *_UV_STAGES["cached"], *_links(wheels), *requirements)


class Pip(NamedTuple):
    """pip, that which the interpreter brings; it is not left in the environment."""

    executable: str
    """An interpreter whose pip is used where the other brings none."""
    name: str = "pip"

    def making(self, directory: Path, base: Found) -> tuple[Words, ...]:
        """Return the commands that make an environment, and put a pip aside for it."""
        program, aside = str(directory / "bin" / "python"), str(directory / OWN_PIP)
        made = (base.program, "-I", "-m", "venv", "--without-pip", str(directory))
        return (made, (program, "-I", "-m", "ensurepip", "--root", aside)) if base.brings_pip else (made,)

    def installing(self, directory: Path, base: Found, stage: Stage, wheels: Iterable[Path]) -> Words:
        """Return the command that installs into an environment."""
        program, aside = str(directory / "bin" / "python"), str(directory / OWN_PIP)
        foreign = (self.executable, "-I", "-m", "pip", "--python", program)
        pip = (program, "-I", "-c", _RUNS_PIP, aside) if base.brings_pip else foreign
        return (*pip, "install", *_PIP_OPTIONS, *_PIP_STAGES[stage], *_links(wheels), *_wanted(directory))


class Prospect(NamedTuple):
    """What building an environment will come to, as far as looking tells; nothing is built, or fetched, yet."""

    installer: Installer
    directory: Path
    base: Found | None
    """The interpreter to build with; none if there is not even a near one."""
    is_built: bool = False
    """Whether it was built before, and is unchanged."""
    differences: tuple[Difference, ...] = ()
    """If it was built: in what it is not what was asked for."""
    addresses: tuple[str, ...] = ()
    """Where packages are looked for, without secrets; none if nothing may be fetched."""
    lacking: tuple[str, ...] = ()
    """Packages that are not on this machine, as far as one can tell without asking for each."""
    wheels: tuple[Path, ...] = ()
    offline: bool = False

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What is tried, one after the other."""
        return ("cached",) if self.offline else ("cached", "built", "any")


def step(recipe: Recipe, prospect: Prospect, *, anyway: bool = False) -> Step:
    """Return the step of a plan that builds the environment; ``anyway``: a near version of Python will do."""
    reasons = (
        *_of_interpreter(recipe, prospect.base, anyway=anyway),
        *((shortfall.fidelity, str(shortfall)) for shortfall in recipe.shortfalls),
        *(("approximate", str(difference)) for difference in prospect.differences),
        *_of_packages(prospect),
    )
    worst = max((fidelity for fidelity, _ in reasons), key=FIDELITIES.index, default=FIDELITIES[0])
    version = prospect.base.python.version if prospect.base else recipe.python.version
    count = len(recipe.pins) + len(recipe.links)
    what = f"environment of Python {version} and {count} package{'' if count == 1 else 's'}"
    title = f"use the {what} that was built before" if prospect.is_built else f"build an {what}"
    by = "" if prospect.is_built else f" with {prospect.installer.name}"
    return Step(
        Phase.ENVIRONMENT, f"{title}{by}", worst, "; ".join(why for _, why in reasons), tuple(_told(recipe, prospect))
    )


def requirements(pins: Iterable[Pin]) -> str:
    """Return the text of ``WANTED``."""
    return "".join(f"{pin.requirement}\n" for pin in pins)


def _of_interpreter(recipe: Recipe, base: Found | None, *, anyway: bool) -> Iterator[tuple[Fidelity, str]]:
    wanted = recipe.python.version
    remedy = f"install it, as by: uv python install {wanted}"
    if base is None:
        instead = "use the environment that is here by --no-rebuild"
        yield "needs", f"no Python {wanted}, nor one that is near it, is on this machine; {remedy}; or {instead}"
    elif base.python.version != wanted and not anyway:
        why = "; ".join(base.why)
        yield "needs", f"{why}; {remedy}; or take {base.program} in its place by --anyway"
    else:
        yield from (("approximate", why) for why in base.why)


def _of_packages(prospect: Prospect) -> Iterator[tuple[Fidelity, str]]:
    if prospect.lacking and prospect.offline:
        names = ", ".join(prospect.lacking)
        remedy = "install uv, which keeps what it fetched, or leave" if prospect.installer.name == "pip" else "leave"
        yield "needs", f"not on this machine: {names}; {remedy} out --offline"


def _told(recipe: Recipe, prospect: Prospect) -> Iterator[str]:
    base, directory = prospect.base, prospect.directory
    if base is None:
        return
    yield f"interpreter {base.program}: {base.python.build or base.python.version}"
    if prospect.is_built:
        yield f"in {directory}"
        return
    yield from (f"run {shlex.join(words)}" for words in prospect.installer.making(directory, base))
    if recipe.pins:
        yield f"write {directory / WANTED}"
        yield from _installations(recipe.pins)
        yield from _commands(
            [prospect.installer.installing(directory, base, stage, prospect.wheels) for stage in prospect.stages]
        )
    if prospect.lacking and not prospect.offline:
        yield f"fetch {', '.join(prospect.lacking)}; what has no wheel is built from its source, which runs code of it"
        yield from (f"ask {address}" for address in prospect.addresses)
    yield from (f"link {link.name} {link.version} to its source" for link in recipe.links)


def _installations(pins: Sequence[Pin]) -> Iterator[str]:
    for kind, told in _KINDS.items():
        words = [pin.requirement for pin in pins if pin.kind == kind]
        if words:
            yield f"install {', '.join(words)}{told}"


_KINDS = {
    "index": "",
    "repository": " (built of a repository, which runs code of it)",
    "archive": " (from an address of its own)",
    "directory": " (built of a directory, which runs code of it)",
}


def _commands(attempts: Sequence[Words]) -> Iterator[str]:
    """Yield the first command, and in what each that is tried after it is another one."""
    first, *others = attempts
    yield f"run {shlex.join(first)}"
    for words in others:
        yield f"or else run it without {shlex.join(word for word in first if word not in words)}"


_UV_INSTALLS = ("pip", "install", "--no-deps")
_UV_STAGES: dict[Stage, Words] = {"cached": ("--offline", "--no-build"), "built": ("--no-build",), "any": ()}

_PIP_OPTIONS = (
    "--quiet",
    "--no-input",
    "--disable-pip-version-check",
    "--no-deps",
    "--ignore-installed",
    "--no-compile",
    "--no-warn-script-location",
    "--retries=2",
    "--timeout=15",
)
_WHEELS_ONLY = ("--only-binary", ":all:")
_PIP_STAGES: dict[Stage, Words] = {"cached": ("--no-index", *_WHEELS_ONLY), "built": _WHEELS_ONLY, "any": ()}
_RUNS_PIP = (
    "import pathlib, runpy, sys; "
    "sys.path.insert(0, str(next(pathlib.Path(sys.argv.pop(1)).glob('**/pip/__main__.py')).parents[1])); "
    "sys.argv[0] = 'pip'; runpy.run_module('pip', run_name='__main__')"
)


def _links(wheels: Iterable[Path]) -> Words:
    return tuple(f"--find-links={folder}" for folder in wheels)


def _wanted(directory: Path) -> Words:
    return ("--requirement", str(directory / WANTED))
