"""Readers: what reads one file of a project, and answers with a result or a fault, whatever stands in the file."""

import gzip
import io
import json
import os
import shutil
import struct
import sys
import zlib
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout, suppress
from hashlib import sha1
from itertools import pairwise
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from returns.result import Failure, Success

from capsula.cli.console import safe
from capsula.cli.main import run
from capsula.cli.tables import columns, lasting, line, shortened
from capsula.collectors import python_packages, source
from capsula.collectors.git import collect
from capsula.core.config import Surroundings
from capsula.core.document import dumps, loads, parsed
from capsula.core.names import capsule_flaw, relative_flaw, repository_flaw, template_flaw, variable_flaw, vault_flaw
from capsula.core.redaction import Redaction
from capsula.core.remote import is_fetchable, without_secrets
from capsula.core.secrets import Scan, findings
from capsula.core.settings import DiscretionSettings
from capsula.core.tree import path_flaw, understood
from capsula.core.upgrade import upgraded
from capsula.effects.indexes import indexes
from capsula.effects.key import known_key
from capsula.effects.manifest import NAME as MANIFEST
from capsula.effects.manifest import integrity, is_own
from capsula.effects.patch import pieces
from capsula.effects.records import records
from capsula.effects.restore import restored
from capsula.effects.stamps import edited
from capsula.flows import session
from capsula.flows.check import checked
from capsula.flows.load import load
from capsula.flows.session import GLANCE
from capsula.flows.source_changes import Side, source_changes
from capsula.reading.interpreter import interpreter
from capsula.reading.pack import MalformedError, pack_index
from capsula.reproduction.compare import compared
from capsula.reproduction.comparison import Grade
from property_tests.fuzz.projects import KINDS, PACKAGE
from tests.repositories import config

_path = sys.path[:]
from capsula.probes import interpreter as probe  # noqa: E402  # a program, which leaves itself a path of its own

sys.path[:] = _path

GRADES = {Grade.IDENTICAL, Grade.EQUIVALENT, Grade.CLOSE, Grade.DIFFERENT}
WHOLE = "vault/whole"
OLD = "vault/old"
SOURCE = f"{WHOLE}/.capsula/source/project"


def _same(content: bytes) -> bytes:
    return content


@frozen
class Reader:
    """What reads one file of a project; it raises if the answer is neither a result nor a fault."""

    file: str
    """Relative to the root of the project."""
    read: Callable[[Path], object]
    """Is given the root."""
    examples: tuple[str, ...] = ()
    """Further files of this kind."""
    bare: Callable[[bytes], bytes] = _same
    """Takes off what hides the content from a change: checksums, compression."""
    sealed: Callable[[bytes], bytes] = _same
    """Puts it on again."""

    def seeds(self, root: Path) -> list[bytes]:
        """Return the contents that stand in a project."""
        return [self.bare((root / file).read_bytes()) for file in (self.file, *self.examples)]

    def tried(self, root: Path, content: bytes) -> None:
        """Read the file with another content, of which it is known that it is safe to read."""
        file = root / self.file
        file.write_bytes(self.sealed(content))
        self.read(root)


def _configured(root: Path) -> None:
    answer = load(root, Surroundings(root, {}, (), "python"))
    if isinstance(answer, Failure):
        assert answer.failure()
        assert all("capsula.toml" in str(fault) or "pyproject.toml" in str(fault) for fault in answer.failure())


def _shared_configuration(root: Path) -> None:
    (root / "capsula.toml").unlink(missing_ok=True)
    _configured(root)


def _document(name: str) -> Callable[[Path], None]:
    def read(root: Path) -> None:
        document = loads((root / WHOLE / name).read_bytes())
        if isinstance(document, Success):
            assert isinstance(loads(dumps(document.unwrap())), Success)
            Redaction().json(document.unwrap())
            for answer in upgraded({name: document.unwrap()}, ("in.csv",)).values():
                assert isinstance(answer, Success) or answer.failure().kind in {"newer", "malformed"}

    return read


def _commands(*commands: tuple[str, ...]) -> Callable[[Path], None]:
    """Return what gives each of the commands; none prints what moves a cursor, or writes beside its directory."""

    def read(root: Path) -> None:
        for words in commands:
            shutil.rmtree(root.parent / "again", ignore_errors=True)
            with chdir(root), redirect_stdout(io.StringIO()) as printed, redirect_stderr(io.StringIO()) as said:
                status = run(words)
            assert status in {0, 1, 2, 4, 5}
            told = printed.getvalue() + said.getvalue()
            assert told == safe(told)
        assert {path.name for path in root.parent.iterdir()} <= {root.name, "again"}

    return read


def _of_the_source(root: Path) -> tuple[dict[str, object], Path]:
    capsule = root / WHOLE
    facts = json.loads((root / "context").read_bytes())["source"]
    for tree in facts.values():
        for key in ("archive", "objects"):
            tree[key]["size"] = (capsule / tree[key]["file"]).stat().st_size
    return facts, capsule


def _restored(root: Path) -> None:
    facts, capsule = _of_the_source(root)
    into = root.parent / "again"
    shutil.rmtree(into, ignore_errors=True)
    answer = restored(capsule, facts, os.fspath(root), into)  # type: ignore[arg-type]  # it is JSON
    assert isinstance(answer, Success) or not any(into.iterdir())
    assert {path.name for path in root.parent.iterdir()} <= {root.name, "again"}


def _changed_source(root: Path) -> None:
    """Compare the source with one that lacks a file, so that it is looked into."""
    facts, capsule = _of_the_source(root)
    other = json.loads(json.dumps(facts))
    other["project"] |= {"digest": "other", "overlay": []}
    changes = source_changes(Side(capsule, {"source": facts}), Side(capsule, {"source": other}), root)  # type: ignore[dict-item]
    assert all(change.patch or change.why for change in changes)


def _patch(root: Path) -> None:
    with suppress(MalformedError):
        for piece in pieces((root / WHOLE / "project.diff").read_bytes()):
            assert path_flaw(os.fsdecode(piece.path)) is None


def _indexed(root: Path) -> None:
    with suppress(MalformedError):
        index, checksum = pack_index((root / f"{SOURCE}.pack").read_bytes())
        assert index[-40:-20] == checksum


def _captured(root: Path) -> None:
    chosen = config(root, {"project": "."})
    for answer in (collect(chosen), source.collect(chosen)):
        assert isinstance(answer, Success) or answer.failure().message
    assert not any((root / name).exists() for name in ("executed", "again"))


def _compared(kind: str) -> Callable[[Path], None]:
    def read(root: Path) -> None:
        one, other = root / f"outputs/there.{kind}", root / f"outputs/here.{kind}"
        there, back = compared(one, other, other.name), compared(other, one, one.name)
        assert there.grade is back.grade
        assert there.grade in GRADES
        assert (there.grade is Grade.IDENTICAL) == (one.read_bytes() == other.read_bytes())
        json.dumps(there.as_facts(), allow_nan=False)

    return read


def _searched(root: Path) -> None:
    """Find the secrets of a text at once and in parts, and leave none of them in it."""
    text = (root / "text").read_bytes()
    scan = Scan(DiscretionSettings())
    parts = [scan.fed(text[start : start + 64]) for start in range(0, len(text), 64)]
    assert b"".join(part for part, _ in (*parts, scan.rest())) == text
    found = findings(text)
    assert all(one.start < one.end <= other.start for one, other in pairwise(found))
    redaction = Redaction(key=bytes(32))
    marked = redaction.marked(text, found)
    assert not found or marked != text
    redaction.text(text.decode("utf-8", "surrogateescape"))


def _told(root: Path) -> None:
    text = os.fsdecode((root / "text").read_bytes())
    shown = safe(text)
    assert safe(shown) == shown
    shown.encode()
    assert line(text).isprintable()
    assert lasting(text).isprintable()
    assert columns(shortened(line(text), 20)) <= 20
    for judge in (capsule_flaw, relative_flaw, repository_flaw, template_flaw, variable_flaw, path_flaw):
        flaw = judge(text)
        assert flaw is None or flaw
    vault_flaw(text, root)
    without_secrets(text)
    is_fetchable(text)


def _manifest(root: Path) -> None:
    assert all(fault.path for fault in integrity(root / WHOLE))
    is_own(root / WHOLE)


def _records(root: Path) -> None:
    fragment = records(root / WHOLE).unwrap()
    json.dumps(fragment.facts, allow_nan=False)


def _glance(root: Path) -> None:
    answer = session._glance(root / WHOLE)
    assert isinstance(answer, Success) or answer.failure().path == (GLANCE,)


def _key(root: Path) -> None:
    known_key(root / "vault")
    is_own(root / WHOLE)


def _package(root: Path) -> None:
    place = root / PACKAGE
    told = probe.described(os.fspath(place))
    facts = probe.contents(os.fspath(place), str(told["direct_url"]), {})
    json.dumps([told, facts])
    package: Any = {**told, **facts, "linked": False}
    report: Any = {"interpreter": {"prefix": "/usr", "base_prefix": "/usr"}}
    python_packages._distribution(package, report, config(root))
    edited(root / "site")


def _indexes(root: Path) -> None:
    environ = {"HOME": os.fspath(root), "XDG_CONFIG_HOME": os.fspath(root / "config"), "XDG_CONFIG_DIRS": "/nowhere"}
    for installer in ("pip", "uv"):
        assert all(isinstance(it, Path) for it in indexes(installer, environ).folders)


def _script(root: Path) -> None:
    (root / "script").chmod(0o755)
    interpreter(Surroundings(root, {"PATH": "bin"}, ("./script",), "python"))


def _facts_of_a_tree(root: Path) -> None:
    facts = parsed((root / "tree").read_bytes())
    answer = facts.bind(understood)
    assert isinstance(answer, Success) or answer.failure().kind in {"integrity", "malformed"}


def _checked(root: Path) -> None:
    for fault in checked(root / WHOLE, DiscretionSettings(), None).faults:
        assert fault.path


def _signed(content: bytes) -> bytes:
    return content + sha1(content, usedforsecurity=False).digest()


def _unsigned(content: bytes) -> bytes:
    return content[:-20]


def _zipped(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def _summed(content: bytes) -> bytes:
    """Return a picture whose every chunk has the checksum that is due."""
    whole, position = bytearray(content), 8
    while position + 12 <= len(whole):
        end = position + 8 + int.from_bytes(whole[position : position + 4])
        if end + 4 > len(whole):
            break
        struct.pack_into(">I", whole, end, zlib.crc32(whole[position + 4 : end]))
        position = end + 4
    return bytes(whole)


def _outputs() -> dict[str, Reader]:
    plain = {
        f"output-{kind}": Reader(f"outputs/here.{kind}", _compared(kind), (f"outputs/there.{kind}",)) for kind in KINDS
    }
    sealed = {
        "output-png-sound": evolve(plain["output-png"], sealed=_summed),
        "output-csv.gz-sound": evolve(plain["output-csv.gz"], bare=gzip.decompress, sealed=_zipped),
    }
    return plain | sealed


_ARCHIVE = Reader(f"{SOURCE}.tar.gz", _restored)
_PACK = Reader(f"{SOURCE}.pack", _restored)
_INDEX = Reader(".git/index", _captured)
_SHOWN = _commands(("list",), ("show", "whole"), ("show", "--json", "whole"))
_PLANNED = _commands(("reproduce", "--plan", "--no-rebuild", "whole"))

GROUPS: Mapping[str, Mapping[str, Reader]] = {
    "texts": {
        "capsula.toml": Reader("capsula.toml", _configured),
        "pyproject.toml": Reader("pyproject.toml", _shared_configuration),
        "context": Reader(f"{WHOLE}/context.json", _document("context.json"), (f"{OLD}/context.json",)),
        "tree": Reader("tree", _facts_of_a_tree),
        "manifest": Reader(f"{WHOLE}/{MANIFEST}", _manifest),
        "records": Reader(f"{WHOLE}/.capsula/records/1.jsonl", _records),
        "key": Reader("vault/.capsula/key", _key),
        "glance": Reader(f"{WHOLE}/{GLANCE}", _glance),
        "patch": Reader(f"{WHOLE}/project.diff", _patch),
        "pack-indexed": Reader(f"{SOURCE}.pack", _indexed, (), _unsigned, _signed),
        "secrets": Reader("text", _searched),
        "terminal": Reader("text", _told),
        "metadata": Reader(f"{PACKAGE}/METADATA", _package),
        "record": Reader(f"{PACKAGE}/RECORD", _package),
        "direct-url": Reader(f"{PACKAGE}/direct_url.json", _package),
        "pip.conf": Reader("config/pip/pip.conf", _indexes),
        "uv.toml": Reader("config/uv/uv.toml", _indexes),
        "script": Reader("script", _script),
    },
    "outputs": _outputs(),
    "documents": {
        "context-shown": Reader(f"{WHOLE}/context.json", _SHOWN, (f"{OLD}/context.json",)),
        "before-shown": Reader(f"{WHOLE}/pre-run-info.json", _SHOWN, (f"{OLD}/pre-run-info.json",)),
        "after-shown": Reader(f"{WHOLE}/post-run-info.json", _SHOWN, (f"{OLD}/post-run-info.json",)),
        "old-shown": Reader(f"{OLD}/context.json", _commands(("show", "old"), ("diff", "old", "whole"))),
        "context-compared": Reader(f"{WHOLE}/context.json", _commands(("diff", "whole", "old"))),
        "after-compared": Reader(f"{WHOLE}/post-run-info.json", _commands(("diff", "--json", "old", "whole"))),
        "before-planned": Reader(f"{WHOLE}/pre-run-info.json", _PLANNED),
        "context-planned": Reader(f"{WHOLE}/context.json", _PLANNED),
    },
    "repositories": {
        "archive": _ARCHIVE,
        "archive-sound": evolve(_ARCHIVE, bare=gzip.decompress, sealed=_zipped),
        "archive-compared": Reader(f"{SOURCE}.tar.gz", _changed_source, (), gzip.decompress, _zipped),
        "archive-searched": Reader(f"{SOURCE}.tar.gz", _checked),
        "old-patch": Reader(f"{OLD}/project.diff", _commands(("checkout", "old", "../again"))),
        "pack": _PACK,
        "pack-sound": evolve(_PACK, bare=_unsigned, sealed=_signed),
        "index": _INDEX,
        "index-sound": evolve(_INDEX, bare=_unsigned, sealed=_signed),
        "git-config": Reader(".git/config", _captured),
        "git-head": Reader(".git/HEAD", _captured),
        "git-references": Reader(".git/packed-refs", _captured),
        "git-attributes": Reader(".gitattributes", _captured),
        "git-ignore": Reader(".gitignore", _captured),
    },
}
READERS: Mapping[str, Reader] = {name: reader for group in GROUPS.values() for name, reader in group.items()}
