"""The Python environment that recorded facts ask for: what is to be built, and what cannot be as it was."""

import json
import re
from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from attrs import asdict, field, frozen
from attrs.validators import deep_iterable, deep_mapping, instance_of, matches_re
from returns.result import Failure, Result, Success

from capsula.core.fault import Fault, Json
from capsula.core.remote import path_of
from capsula.core.step import Fidelity

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(
    r"v?(?:\d+!)?\d+(?:\.\d+)*"
    r"(?:[-_.]?(?:alpha|beta|preview|pre|rc|a|b|c)[-_.]?\d*)?"
    r"(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?"
    r"(?:[-_.]?dev[-_.]?\d*)?"
    r"(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?",
    re.IGNORECASE | re.ASCII,
)
_ADDRESS = "[A-Za-z0-9:/?&=%@+._~#,-]*"
_HOST = "(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9]"  # that begins with a hyphen, ssh takes for an option
_ORIGIN = re.compile(rf"|(?:git\+https|git\+ssh|https)://{_HOST}{_ADDRESS}|file:///{_ADDRESS}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SCRIPTS = re.compile(r"[A-Za-z0-9_.+-]+\.dist-info/entry_points\.txt")
_LINKING = re.compile(rf"[A-Za-z0-9_.+-]+\.(?:pth|py)|{_SCRIPTS.pattern}")
_ARCHIVE = re.compile(r"\.(?:whl|zip|tar|tgz|tbz|txz|tar\.\w+)$")
_PYTHON_VERSION = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?\+?", re.ASCII)


@frozen
class Python:
    """The interpreter that ran; ``build`` is what tells two of one version apart."""

    version: str = field(validator=matches_re(_PYTHON_VERSION))
    implementation: str = field(validator=matches_re(r"[a-z]+"))
    abi_flags: str = field(default="", validator=matches_re(r"[a-z]*"))
    platform: str = ""
    build: str = ""


@frozen
class Pin:
    """A distribution for an installer; no text but that of a name, a version, an address ever reaches it."""

    name: str = field(validator=matches_re(_NAME))
    version: str = field(validator=matches_re(_VERSION))
    digest: str = ""
    """Of the content; empty if it is not known."""
    origin: str = field(default="", validator=matches_re(_ORIGIN))
    """Where it came from, if from no index."""

    @property
    def requirement(self) -> str:
        """The word that asks an installer for it."""
        return f"{self.name} @ {self.origin}" if self.origin else f"{self.name}=={self.version}"

    @property
    def kind(self) -> Literal["index", "repository", "archive", "directory"]:
        """What it is installed from; a repository or a directory has to be built first."""
        if not self.origin:
            return "index"
        if self.origin.startswith("git+"):
            return "repository"
        is_archive = self.origin.startswith("https:") or _ARCHIVE.search(path_of(self.origin))
        return "archive" if is_archive else "directory"


@frozen
class Link:
    """A distribution that is installed as a link to its source: path in the site directory to text."""

    name: str = field(validator=matches_re(_NAME))
    version: str = field(validator=matches_re(_VERSION))
    files: Mapping[str, str] = field(validator=deep_mapping(matches_re(_LINKING), instance_of(str)))
    source: Path
    """The directory that it is installed from."""
    package: Path | None = None
    """A package that is to be found in the site directory, but stands here."""


class Own(NamedTuple):
    """The Capsula that is running; it stands in for one that was installed from a directory that is not held."""

    version: str
    package: Path
    """The directory of its modules."""


class Shortfall(NamedTuple):
    """A distribution that is not brought back as it was, and why."""

    name: str
    fidelity: Fidelity
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


@frozen
class Recipe:
    """What is to be built: which interpreter, with which distributions; sorted by name."""

    python: Python
    pins: tuple[Pin, ...] = field(default=(), validator=deep_iterable(instance_of(Pin)))
    links: tuple[Link, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()

    @property
    def key(self) -> str:
        """The name of what is to be built, by all that it consists of."""
        pins = [[normalised(pin.name), pin.version, pin.digest, pin.origin] for pin in self.pins]
        links = [[normalised(it.name), it.version, dict(it.files), f"{it.source} {it.package}"] for it in self.links]
        whole = json.dumps([asdict(self.python), sorted(pins), links], sort_keys=True)
        return sha256(whole.encode("ascii")).hexdigest()[:_KEY]


class Difference(NamedTuple):
    """A distribution that is not as it was recorded; one that is ``missing`` or ``added`` has one side only."""

    name: str
    kind: Literal["missing", "added", "version", "content"]
    recorded: str = ""
    found: str = ""

    def __str__(self) -> str:
        match self.kind:
            case "missing":
                return f"{self.name} {self.recorded} is missing"
            case "added":
                return f"{self.name} {self.found} was not there"
            case "version":
                return f"{self.name} is {self.found}, and was {self.recorded}"
            case "content":
                return f"{self.name} {self.recorded} has other content"


Places: TypeAlias = Mapping[str, Path]
"""Directory that was recorded to where the same now stands."""


def recipe(facts: Json, places: Places, own: Own | None = None) -> Result[Recipe, Fault]:
    """Return what to build for the recorded facts of the facet; a directory that was installed comes from ``places``.

    Faults: ``unknown`` (no interpreter was recorded), ``malformed`` (its version is none).
    """
    whole = facts if isinstance(facts, Mapping) else {}
    told, distributions = whole.get("interpreter"), whole.get("distributions")
    if not isinstance(told, Mapping):
        return Failure(Fault("unknown", "which Python ran was not recorded"))
    try:
        python = Python(*(_text(told, key) for key in _PYTHON))
    except ValueError:
        return Failure(Fault("malformed", f"{_text(told, 'version')!r} is no version of a Python"))
    found = distributions.items() if isinstance(distributions, Mapping) else ()
    parts = [
        part
        for name, details in found
        if isinstance(details, Mapping)
        for part in _parts(name, _without_conda(details, python, places), places, own)
    ]
    return Success(
        Recipe(
            python,
            tuple(part for part in parts if isinstance(part, Pin)),
            tuple(part for part in parts if isinstance(part, Link)),
            tuple(part for part in parts if isinstance(part, Shortfall)),
        )
    )


def differences(recipe: Recipe, distributions: Json, edited: Collection[str] = ()) -> tuple[Difference, ...]:
    """Return how distributions, as the facet tells them, differ from what was to be built.

    Of those that are ``edited``, the files are not what they themselves say that they are.
    """
    others = frozenset(map(normalised, edited))
    told = distributions.items() if isinstance(distributions, Mapping) else ()
    details = {name: each for name, each in told if isinstance(each, Mapping)}
    found = {normalised(name): each for name, each in details.items()}
    parts: tuple[Pin | Link, ...] = (*recipe.pins, *recipe.links)
    wanted = {normalised(part.name): part for part in parts}
    changed = (_difference(part, found.get(name), is_edited=name in others) for name, part in wanted.items())
    added = (
        Difference(name, "added", found=_text(each, "version"))
        for name, each in details.items()
        if normalised(name) not in wanted
    )
    return (*filter(None, changed), *added)


def normalised(name: str) -> str:
    """Return the name by which distributions are told apart."""
    return re.sub("[-_.]+", "-", name).lower()


_PYTHON = ("version", "implementation", "abi_flags", "platform_tag", "build")
_KEY = 32
"""Digits of a key: enough to tell all apart, and few enough for the first line of a script."""


def _text(facts: Mapping[str, Json], key: str) -> str:
    fact = facts.get(key)
    return fact if isinstance(fact, str) else ""


def _parts(name: str, facts: Mapping[str, Json], places: Places, own: Own | None) -> tuple[Pin | Link | Shortfall, ...]:
    version = _text(facts, "version")
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        return (Shortfall(name, "impossible", f"no installer knows a name or version like {name!r} {version!r}"),)
    if "conda" in facts:
        return _from_conda(Pin(name, version, _text(facts, "digest")))
    if "editable" not in facts:
        return (_from_elsewhere(name, version, facts),)
    if own and normalised(name) == "capsula" and _moved(_directory(facts), places) is None:
        return _lent(name, facts, own)
    return (_from_directory(name, version, facts, places),)


def _without_conda(facts: Mapping[str, Json], python: Python, places: Places) -> Mapping[str, Json]:
    """Return the facts of a distribution; of what conda installed, without the directory that it was built in once."""
    if "conda" not in python.build.lower() or facts.get("editable") is True:
        return facts
    is_of_conda = facts.get("editable") is False and _moved(_directory(facts), places) is None
    if is_of_conda or not ("digest" in facts or "url" in facts):
        return {"version": facts.get("version"), "digest": facts.get("digest"), "conda": True}
    return facts


def _from_conda(pin: Pin) -> tuple[Pin, Shortfall]:
    """Return what an index has of the same version: conda installs builds of its own, from where no other looks."""
    return pin, Shortfall(pin.name, "approximate", f"conda had installed it; {pin.requirement} of an index stands in")


def _lent(name: str, facts: Mapping[str, Json], own: Own) -> tuple[Link, Shortfall]:
    files = facts.get("files")
    texts = files if isinstance(files, Mapping) else {}
    scripts = {path: text for path, text in texts.items() if _SCRIPTS.fullmatch(path) and isinstance(text, str)}
    why = f"it was installed from its source; the Capsula {own.version} that is running, {own.package}, stands in"
    return Link(name, own.version, scripts, own.package.parent, own.package), Shortfall(name, "approximate", why)


def _directory(facts: Mapping[str, Json]) -> str:
    return path_of(_text(facts, "url"))


def _from_directory(name: str, version: str, facts: Mapping[str, Json], places: Places) -> Pin | Link | Shortfall:
    directory = _directory(facts)
    place = _moved(directory, places)
    if place is None:
        return Shortfall(name, "needs", f"it was installed from {directory}, which the capsule does not hold")
    if facts["editable"] is not True:
        return _pinned(Pin(name, version, _text(facts, "digest")), Path(place).as_uri())
    files = facts.get("files")
    texts = files if isinstance(files, Mapping) else {f"{normalised(name)}.pth": f"{directory}\n"}
    linking = {path: _rewritten(text, places) for path, text in texts.items() if isinstance(text, str)}
    if not all(map(_LINKING.fullmatch, linking)):
        return Shortfall(name, "impossible", "the files that link to its source have no such names")
    return Link(name, version, linking, Path(place))


def _from_elsewhere(name: str, version: str, facts: Mapping[str, Json]) -> Pin | Shortfall:
    url, digest, commit = (_text(facts, key) for key in ("url", "digest", "commit_id"))
    pin = Pin(name, version, digest)
    if "vcs" in facts:
        subdirectory = _text(facts, "subdirectory")
        tail = f"#subdirectory={subdirectory}" if subdirectory else ""
        if facts["vcs"] == "git" and _COMMIT.fullmatch(commit):
            return _pinned(pin, f"git+{url}@{commit}{tail}")
        return Shortfall(name, "needs", f"it was installed from a repository, {url}, of a kind that is not fetched")
    hashed = _text(facts, "hash")
    return _pinned(pin, f"{url}#{hashed}" if hashed else url)


def _pinned(pin: Pin, origin: str) -> Pin | Shortfall:
    if not _ORIGIN.fullmatch(origin):
        return Shortfall(pin.name, "needs", f"it was installed from {origin!r}, which is not fetched")
    return Pin(pin.name, pin.version, pin.digest, origin)


def _moved(directory: str, places: Places) -> str | None:
    """Return where a recorded directory now stands."""
    is_held = any(Path(directory).is_relative_to(place) for place in places)
    return _rewritten(directory, places) if is_held else None


def _rewritten(text: str, places: Places) -> str:
    """Return a text in which every recorded directory is the one where the same now stands."""
    old = sorted((place.rstrip("/") for place in places), key=len, reverse=True)
    if not old:
        return text
    pattern = f"(?<![\\w.-])(?:{'|'.join(map(re.escape, old))})(?![\\w.-])"
    moved = {place.rstrip("/"): str(path) for place, path in places.items()}
    return re.sub(pattern, lambda match: moved[match[0]], text)


def _difference(part: Pin | Link, found: Mapping[str, Json] | None, *, is_edited: bool) -> Difference | None:
    if found is None:
        return Difference(part.name, "missing", part.version)
    version, digest = _text(found, "version"), _text(found, "digest")
    if version != part.version:
        return Difference(part.name, "version", part.version, version)
    if isinstance(part, Pin) and (is_edited or (part.digest and digest != part.digest)):
        return Difference(part.name, "content", version, version)
    return None
