"""Real repositories to look at, and a fresh checkout to apply patches to."""

import os
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from capsula.collectors.git import collect
from capsula.core.config import Config, Surroundings
from capsula.core.effect import Write
from capsula.core.fault import Json
from capsula.core.fragment import Fragment
from capsula.core.settings import CaptureSettings, GitSettings, Settings

Tree: TypeAlias = dict[str, tuple[str, bytes]]
"""Path to kind (file, program, link) and content or target."""

_ISOLATED = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "LC_ALL": "C",
}


def git(directory: Path, *arguments: str | bytes, stdin: bytes = b"", check: bool = True) -> bytes:
    """Run git in ``directory``, without any configuration but the repository's own, and return what it prints."""
    command = ["git", "--literal-pathspecs", "-c", "protocol.file.allow=always", *arguments]
    done = subprocess.run(command, cwd=directory, env=_ISOLATED, input=stdin, capture_output=True, check=False)
    assert not check or done.returncode == 0, (arguments, done.stderr.decode(errors="replace"))
    return done.stdout


def repository(directory: Path, files: dict[str, bytes]) -> Path:
    """Make a repository with one commit of ``files`` on its branch ``main``."""
    directory.mkdir(parents=True)
    git(directory, "init", "--quiet", "--initial-branch=main")
    write(directory, files)
    commit(directory)
    return directory


def write(directory: Path, files: dict[str, bytes]) -> None:
    """Write files, and the directories they need."""
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)


def commit(directory: Path, message: str = ".") -> str:
    """Commit all there is, and return the commit's name."""
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--allow-empty", f"--message={message}")
    return head(directory)


def head(directory: Path) -> str:
    """Return the commit that is checked out."""
    return git(directory, "rev-parse", "HEAD").decode().strip()


def config(root: Path, repositories: dict[str, str] | None = None, environ: dict[str, str] | None = None) -> Config:
    """Return a config that captures these repositories, or the one that holds the root."""
    settings = Settings()._replace(capture=CaptureSettings(git=GitSettings(repositories)))
    return Config(root, settings, Surroundings(root, environ or {"HOME": os.devnull}, (), "python"))


def captured(root: Path, repositories: dict[str, str] | None = None) -> Fragment:
    """Return what the facet says of the repositories."""
    return collect(config(root, repositories)).unwrap()


def fact(fragment: Fragment, *keys: str) -> Json:
    """Return what stands in the facts under these keys; None if nothing does."""
    facts = fragment.facts
    for key in keys:
        facts = facts.get(key) if isinstance(facts, Mapping) else None
    return facts


def patches(fragment: Fragment) -> dict[str, bytes]:
    """Return the patches that a fragment wants kept, in the order to apply."""
    contents = [content for effect in fragment.effects if isinstance(effect, Write) for content in effect.contents]
    return {target: b"".join(source.chunks()) for target, source in contents}


def given_back(origin: Path, into: Path, kept: dict[str, bytes]) -> Tree:
    """Check out the commit of ``origin`` afresh, apply the patches in turn, and return the tree that comes of it."""
    unborn = not git(origin, "rev-parse", "--quiet", "--verify", "HEAD", check=False)
    if unborn:
        into.mkdir()
        git(into, "init", "--quiet")
    else:
        git(into.parent, "clone", "--quiet", "--no-checkout", os.fspath(origin), os.fspath(into))
        git(into, "checkout", "--quiet", "--detach", head(origin))
    for patch in filter(None, kept.values()):
        git(into, "apply", stdin=patch)
    return tree(into)


def tracked(directory: Path) -> Tree:
    """Return the tracked files as they stand in the work tree."""
    paths = {os.fsdecode(path) for path in git(directory, "ls-files", "-z").split(b"\0")}
    return {path: file for path, file in tree(directory).items() if path in paths}


def tree(directory: Path) -> Tree:
    """Return every file and link below ``directory``, but for ``.git``."""
    paths = (path for path in _below(directory) if path.is_symlink() or path.is_file())
    return {os.fspath(path.relative_to(directory)): _file(path) for path in paths}


def _below(directory: Path) -> Iterator[Path]:
    for path in directory.iterdir():
        if path.name != ".git":
            yield path
            if path.is_dir() and not path.is_symlink():
                yield from _below(path)


def _file(path: Path) -> tuple[str, bytes]:
    if path.is_symlink():
        return "link", os.fsencode(path.readlink())
    return ("program" if path.stat().st_mode & stat.S_IXUSR else "file"), path.read_bytes()
