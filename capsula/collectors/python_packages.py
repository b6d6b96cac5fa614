"""The Python packages of the interpreter that the command will use; that interpreter itself is asked for them.

What it answered is remembered in the user's cache, and holds while all that it read is as it was.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import NotRequired, TypeAlias, TypedDict, cast

from returns.result import Failure, Result, Success

from capsula import probes
from capsula.core.ask import Ask
from capsula.core.config import CHECKOUT, Config
from capsula.core.effect import Remember
from capsula.core.fault import Fault, Json
from capsula.core.foreign import safe
from capsula.core.fragment import Answer, Fragment, gather
from capsula.core.remote import path_of
from capsula.reading.cache import cache, own
from capsula.reading.interpreter import How, Interpreter, interpreter


class Package(TypedDict):
    """A distribution as the probe tells it."""

    name: str
    version: str
    place: str
    direct_url: str
    linked: bool
    digest: str
    """Over the files that it consists of, whoever installed them; empty if they are not listed."""
    stamp: str
    """While it is the same the digest is; empty if the digest is not to be relied on for long."""
    files: NotRequired[dict[str, str]]
    """Where it is installed as a link: the files that make the link."""


class Report(TypedDict):
    """What the probe tells."""

    interpreter: dict[str, Json]
    packages: list[Package]
    news: dict[str, list[str]] | None
    """Place to stamp and digest, to be told to the next probe; none if that knows them already."""
    began: float
    """When it began to read, in seconds since the epoch."""
    read: list[str]
    """The files and directories that it read, or would have, had they been there."""


def asks(config: Config) -> tuple[Ask, ...]:
    """Return the question to the interpreter that the command will use, unless its answer is remembered."""
    asked = interpreter(config.surroundings)
    return () if _remembered(asked, config) else (_ask(asked, config),)


def collect(config: Config) -> Answer:
    """Return ``interpreter``, and ``distributions``: name to version, digest and, where it came from no index, origin.

    The digests are remembered in the user's cache.
    """
    asked = interpreter(config.surroundings)
    known = _remembered(asked, config)
    if known:
        return Success(_fragment(known, asked.how, config))
    answer = config.answers[_ask(asked, config)].bind(_report).alt(_advised)
    return answer.map(
        lambda report: _fragment(report, asked.how, config)._replace(effects=_remembering(report, asked, config))
    )


_MARK = "--capsula-probe--"


def _ask(asked: Interpreter, config: Config) -> Ask:
    probe = Path(probes.__file__).with_name("interpreter.py").read_text("utf-8")
    return Ask((asked.program, *asked.flags, "-B", "-c", probe, _MARK, os.fspath(_memory(asked, config) or "")))


def _memory(asked: Interpreter, config: Config) -> Path | None:
    """Return the file of digests that are known: one of 4096, so that they cannot grow without end."""
    place = cache(config.surroundings.environ)
    name = sha256(os.fsencode(asked.program)).hexdigest()[:3]
    return place / "digests" / f"{name}.json" if place else None


def _report(answer: bytes) -> Result[Report, Fault]:
    match answer.split(_MARK.encode()):
        case [_, told, _]:
            return _parsed(told).alt(
                lambda error: Fault("unexpected", f"the interpreter answered with no JSON: {error}")
            )
    return Failure(Fault("unexpected", "what was asked did not answer as a Python interpreter does"))


@safe(exceptions=(ValueError, RecursionError))
def _parsed(told: bytes) -> Report:
    report: Report = json.loads(told)
    return report


def _advised(fault: Fault) -> Fault:
    known = "only Python 3.6 or later can tell its packages" if fault.kind in ("failed", "unexpected") else ""
    return Fault(fault.kind, fault.message, fault.remedy or known)


def _fragment(report: Report, how: How, config: Config) -> Fragment:
    packages = report["packages"]
    whole = {package["name"]: _distribution(package, report, config) for package in packages if _is_whole(package)}
    torn = {_stem(package): package for package in packages if not _is_whole(package)}
    broken = {name: Failure(_broken(package)) for name, package in torn.items() if name not in whole}
    answers: Mapping[str, Answer] = {
        "interpreter": Success(Fragment(report["interpreter"] | {"how": how})),
        "distributions": Success(gather(whole | broken)),
    }
    return gather(answers)


def _remembering(report: Report, asked: Interpreter, config: Config) -> tuple[Remember, ...]:
    memory, news, key = _memory(asked, config), report["news"], _key(asked, config)
    file = _answer_file(asked, key, config)
    digests = (Remember(memory, json.dumps(news).encode("ascii")),) if memory and news is not None else ()
    if not file:
        return digests
    stamps = _stamps(report["read"])
    if not _is_settled(stamps, report["began"]):
        return digests
    told: Report = {**report, "news": None, "read": []}
    known = {"key": key, "stamps": stamps, "report": told}
    return (*digests, Remember(file, json.dumps(known).encode("ascii")))


_Stamp: TypeAlias = list[int] | None
"""What tells a file or directory from itself when it was changed, the times in ns last; none where nothing is."""


_SETTLING = 10**9
"""Nanoseconds in which a file may change without showing it."""

_WITHOUT_EFFECT = frozenset({"PWD", "OLDPWD", "SHLVL", "_", "COLUMNS", "LINES", "WINDOWID"})


def _remembered(asked: Interpreter, config: Config) -> Report | None:
    """Return what the interpreter answered before, if all that it read then is as it was.

    Looked at once: what was not asked because it was remembered must be remembered still when it is told.
    """
    return config.reader(("answer", asked), lambda: _recalled(asked, config))


def _recalled(asked: Interpreter, config: Config) -> Report | None:
    key = _key(asked, config)
    file = _answer_file(asked, key, config)
    told = own(file) if file else b"null"
    read: Result[object, Exception] = safe(exceptions=(ValueError, RecursionError))(json.loads)(told)
    match read.value_or(None):
        case {"key": known, "stamps": dict(stamps), "report": dict(report)}:
            if known == key and stamps == _stamps(stamps):
                return cast("Report", report)
    return None


def _answer_file(asked: Interpreter, key: str, config: Config) -> Path | None:
    """Return where the answer is remembered, one of 256 places; none for what may ask others who is to answer."""
    place = cache(config.surroundings.environ)
    if not place or not Path(asked.program).is_absolute() or not _is_binary(asked.program):
        return None
    return place / "interpreters" / f"{key[:2]}.json"


def _is_binary(program: str) -> bool:
    try:
        with open(program, "rb", buffering=0) as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def _key(asked: Interpreter, config: Config) -> str:
    """Return what an answer depends on beside files: who is asked, what, and under which variables."""
    surroundings = config.surroundings
    environ = sorted((name, value) for name, value in surroundings.environ.items() if name not in _WITHOUT_EFFECT)
    cwd = surroundings.cwd if "PYTHONPATH" in surroundings.environ else None
    whole = (_ask(asked, config).argv, os.path.realpath(asked.program), environ, cwd)
    return sha256(repr(whole).encode("ascii", "backslashreplace")).hexdigest()


def _stamps(paths: Iterable[str]) -> dict[str, _Stamp]:
    return {path: _stamp(path) for path in paths}


def _stamp(path: str) -> _Stamp:
    try:
        it = os.stat(path)  # noqa: PTH116  # of hundreds
    except OSError:
        return None
    return [it.st_dev, it.st_ino, it.st_size, it.st_mtime_ns, it.st_ctime_ns]


def _is_settled(stamps: Mapping[str, _Stamp], began: float) -> bool:
    """Tell whether nothing can have changed since the probe began to read, and whether it would show from now on."""
    return max((max(stamp[-2:]) for stamp in stamps.values() if stamp), default=0) < began * 1e9 - _SETTLING


def _is_whole(package: Package) -> bool:
    return bool(package["name"] and package["version"])


def _stem(package: Package) -> str:
    return Path(package["place"]).stem.partition("-")[0]


def _broken(package: Package) -> Fault:
    return Fault("broken", f"{package['place']} tells no name and version", "install the package again, or remove this")


def _distribution(package: Package, report: Report, config: Config) -> Answer:
    """Return the version, where from if not from an index, and where to if not to a directory of the interpreter."""
    facts: dict[str, Json] = {"version": package["version"]}
    faults: list[Fault] = []
    if package["digest"]:
        facts["digest"] = package["digest"]
    location = package["place"].rpartition("/")[0]
    prefixes = (f"{report['interpreter'][prefix]}/" for prefix in ("prefix", "base_prefix"))
    if not any(location.startswith(prefix) for prefix in prefixes):  # without paths: of hundreds of packages
        facts["location"] = location
    if package["linked"]:
        facts |= {"url": Path(location).as_uri(), "editable": True}
    if package.get("files"):
        facts["files"] = package["files"]
    if package["direct_url"]:
        origin = _origin(package["direct_url"])
        faults += (origin.failure().under("url"),) if isinstance(origin, Failure) else ()
        facts |= origin.value_or({})
    if "editable" in facts:
        checkout = _checkout(path_of(str(facts["url"])), config)
        faults += (checkout.failure().under("repository"),) if isinstance(checkout, Failure) else ()
        facts |= checkout.value_or({})
    return Success(Fragment(facts, faults=tuple(faults)))


def _checkout(directory: str, config: Config) -> Result[dict[str, Json], Fault]:
    def read() -> Result[dict[str, Json], Fault]:
        from capsula.reading.checkout import checkout  # libgit2 is needed for this alone

        return checkout(Path(directory), config)

    return config.reader((CHECKOUT, directory), read)


def _origin(direct_url: str) -> Result[dict[str, Json], Fault]:
    return _structured(direct_url).alt(lambda error: Fault("unexpected", f"direct_url.json is none: {error!r}"))


@safe(exceptions=(ValueError, LookupError, TypeError, AttributeError, RecursionError))
def _structured(direct_url: str) -> dict[str, Json]:
    """Return what a ``direct_url.json`` says, flat; secrets in the URL are left out."""
    origin = json.loads(direct_url)
    directory, repository, archive = (origin.get(kind, {}) for kind in ("dir_info", "vcs_info", "archive_info"))
    hashes = [f"{algorithm}={digest}" for algorithm, digest in archive.get("hashes", {}).items()]
    facts = {
        "url": _without_user(origin["url"]),
        "subdirectory": origin.get("subdirectory"),
        "editable": directory.get("editable", False) if "dir_info" in origin else None,
        "vcs": repository.get("vcs"),
        "commit_id": repository.get("commit_id"),
        "requested_revision": repository.get("requested_revision"),
        "hash": next(iter(hashes), archive.get("hash")),
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _without_user(url: str) -> str:
    """Return the URL without user and password; the user ``git`` is no secret, and ssh needs it."""
    return re.sub(r"^([\w.+-]+://)(?!git@)[^/?#]*@", r"\1", url)
