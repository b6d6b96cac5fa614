"""The variables of the environment: the recorded values, and of each other one whether it is here as it was there."""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from capsula.core.fault import Json
from capsula.core.redaction import is_redacted
from capsula.core.step import Phase, Step
from capsula.core.variables import is_passing

_INJECTING = re.compile(
    r"(LD|DYLD|GIT|BASH|PERL|RUBY|NODE|JAVA|JDK|PIP|UV|XDG|SSL|OPENSSL|GCONV|CURL|REQUESTS)\w*.*"
    r"|_JAVA_OPTIONS|ENV|ZDOTDIR|PROMPT_COMMAND|SHELLOPTS|IFS|PS4|\w*_proxy|\w*_PROXY"
    r"|(LESS|LUA|GUILE|TCL|OMPI_MCA_)\w*|MAKEFLAGS|\w*(PAGER|EDITOR)|VISUAL|BROWSER"
    r"|R_(PROFILE|ENVIRON|LIBS)\w*|R_HOME|JULIA_(LOAD_PATH|DEPOT_PATH|PROJECT|BINDIR)"
    r"|PYTHON(STARTUP|PATH|HOME|INSPECT|BREAKPOINT|EXECUTABLE|USERBASE|PLATLIBDIR|PYCACHEPREFIX|WARNINGS)",
    re.DOTALL,
)
"""Variables by which somebody else's programs, or addresses, get into a process."""

_OURS = frozenset({"HOME", "USER", "LOGNAME", "TMPDIR", "TERM", "SHELL", "PATH", "VIRTUAL_ENV"})
"""Variables that are the host's, whatever they were when the run was recorded."""


class Variables(NamedTuple):
    """The environment of the replay, and how it differs from what was recorded."""

    environ: Mapping[str, str]
    differing: tuple[str, ...]
    """Names of variables that were set, to a value that was not recorded and is another one here."""
    missing: tuple[str, ...]
    """Names of variables that were set, to a value that was not recorded, and are not set here."""
    dropped: tuple[str, ...]
    """Names of variables that a capsule of somebody else must not set."""
    reason: str = ""
    """Why it may be another environment in further ways."""
    hosts: frozenset[str] = frozenset()
    """Names of the variables whose values are those of here, and no more than that is told of them."""

    def within(self, environment: Path | None) -> "Variables":
        """Return them as they are inside of a virtual environment."""
        if environment is None:
            return self
        path = self.environ.get("PATH", os.defpath)
        inside = {"PATH": f"{environment / 'bin'}{os.pathsep}{path}", "VIRTUAL_ENV": str(environment)}
        return self._replace(environ={**self.environ, **inside}, hosts=self.hosts - {*inside})

    @property
    def step(self) -> Step:
        """The step of the plan."""
        values = (f"{name}={value}" for name, value in sorted(self.environ.items()) if name not in self.hosts)
        details = tuple(filter(None, (*values, _told("as they are here", sorted(self.hosts)))))
        reasons = (
            _told("set when it was recorded, to a value that was not, and unset here", self.missing),
            _told("another value here than when it was recorded", self.differing),
            _told("not taken over from a capsule that is not yours, unless you --allow-env it", self.dropped),
            self.reason,
        )
        why = "; ".join(filter(None, reasons))
        return Step(Phase.VARIABLES, "set the environment", "approximate" if why else "exact", why, details)


def restored(
    recorded: Mapping[str, Json],
    changes: Mapping[str, Json],
    here: Mapping[str, str],
    digests: Mapping[str, Json],
    *,
    allowed: Collection[str] | None,
) -> Variables:
    """Return the environment of a replay.

    Args:
        recorded: The facet ``environment``: ``values`` and ``digests``.
        changes: ``environment_changes`` of the run: the hash seed that Capsula drew stands there.
        here: The environment of this process.
        digests: The digests of its values, by the key of the vault that the capsule is in.
        allowed: Names of the variables that are taken over although they inject code; none if all of them are, for the
            capsule was made by this user.
    """
    told = _texts(recorded.get("values"))
    there = {name: value for name, value in told.items() if not is_redacted(value)}
    drawn = {name: value for name, value in _texts(changes).items() if name == "PYTHONHASHSEED"}
    dropped = _injecting(there, allowed)
    values = {name: value for name, value in {**there, **drawn}.items() if name not in dropped and name not in _OURS}
    untold = {**dict.fromkeys(told.keys() - there.keys(), ""), **_texts(recorded.get("digests"))}
    others = {name: value for name, value in untold.items() if not _is_the_hosts(name)}
    # A value that was not recorded can only be that of here: a token may be another one by now, and do as well.
    hosts = {name: here[name] for name in (_OURS | others.keys()) & here.keys()}
    return Variables(
        {**hosts, **values},
        differing=tuple(sorted(name for name in others if name in here and _differs(others[name], digests.get(name)))),
        missing=tuple(sorted(name for name in others if name not in here)),
        dropped=dropped,
        hosts=frozenset(hosts) - values.keys(),
    )


def unrecorded(
    configured: Mapping[str, Json], here: Mapping[str, str], *, allowed: Collection[str] | None
) -> Variables:
    """Return the environment of a replay, of which only the configured variables were recorded; the others are of here.

    The arguments are those of ``restored``.
    """
    there = {name: value for name, value in _texts(configured).items() if not is_redacted(value)}
    dropped = _injecting(there, allowed)
    values = {name: value for name, value in there.items() if name not in dropped and name not in _OURS}
    hosts = {name: value for name, value in here.items() if name not in values and not name.startswith("CAPSULA_")}
    reason = "only the configured variables were recorded"
    return Variables({**hosts, **values}, (), (), dropped, hosts=frozenset(hosts), reason=reason)


def _injecting(names: Iterable[str], allowed: Collection[str] | None) -> tuple[str, ...]:
    if allowed is None:
        return ()
    return tuple(sorted(name for name in names if _INJECTING.fullmatch(name) and name not in allowed))


def _differs(there: str, here: Json) -> bool:
    """Tell whether two digests are of different values; without the key of the vault nobody knows."""
    return here is not None and here != there


def _is_the_hosts(name: str) -> bool:
    return name in _OURS or is_passing(name)


def _texts(facts: Json) -> dict[str, str]:
    table = facts if isinstance(facts, Mapping) else {}
    return {name: value for name, value in table.items() if isinstance(value, str)}


def _told(what: str, names: Sequence[str]) -> str:
    return f"{what}: {', '.join(names)}" if names else ""
