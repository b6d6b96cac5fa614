"""Fetching a commit from a remote, by a git that runs nothing and speaks only to whom it should."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault
from capsula.core.remote import is_fetchable
from capsula.effects.shell import end

TIME_LIMIT = 600.0
"""Seconds that fetching from one remote may take."""

_QUIET = (
    ("protocol.allow", "never"),
    ("protocol.https.allow", "always"),
    ("protocol.ssh.allow", "always"),
    ("protocol.file.allow", "always"),
    ("maintenance.auto", "false"),
)


def fetched(
    commit: str, urls: Iterable[str], into: Path, environ: Mapping[str, str], time_limit: float = TIME_LIMIT
) -> Result[str, Fault]:
    """Bring a commit into a repository from the first remote that has it, and return that one's URL.

    Each remote has ``time_limit`` seconds.
    """
    reasons = []
    for url in urls:
        if not is_fetchable(url):
            reasons.append(f"{url}: is no remote to fetch from")
            continue
        said = _fetch(commit, url, into, environ, time_limit)
        if said is None:
            return Success(url)
        reasons.append(f"{url}: {said}")
    message = "; ".join(reasons) or "no remote is known"
    return Failure(Fault("missing", f"the commit {commit} could not be fetched: {message}"))


def fetching(commit: str, url: str) -> tuple[str, ...]:
    """Return the command that fetches a commit, and nothing else."""
    options = (word for key, value in _QUIET for word in ("-c", f"{key}={value}"))
    fetch = ("fetch", "--quiet", "--depth=1", "--no-write-fetch-head")
    return ("git", *options, *fetch, "--", url, commit)


def _fetch(commit: str, url: str, into: Path, environ: Mapping[str, str], time_limit: float) -> str | None:
    """Fetch, and return what stood in the way."""
    kept = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
    try:
        process = Popen(
            fetching(commit, url),
            cwd=into,
            env={**kept, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            start_new_session=not _is_attended(),  # else what waits for a remote that says nothing outlives git
        )
    except OSError as error:
        return str(error)
    with process:
        try:
            _, errors = process.communicate(timeout=time_limit)
        except TimeoutExpired:
            return f"git was not done within {time_limit:g} s"
        finally:
            if process.returncode is None:
                process.kill()
                end(process)
    lines = errors.decode(errors="replace").strip().splitlines() or [f"git ended with status {process.returncode}"]
    return lines[-1] if process.returncode else None


def _is_attended() -> bool:
    """Tell whether somebody sits at a terminal: ssh may ask there for a passphrase, and who waits can interrupt it."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
