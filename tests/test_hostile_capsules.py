"""Capsules of strangers: a command that reads one ends, keeps within bounds, and runs nothing of theirs."""

import ast
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from returns.result import Success

import capsula
from capsula.effects.packs import unpacked
from capsula.restorers.variables import restored, unrecorded
from tests import running
from tests.repositories import repository, write
from tests.running import PATIENCE, PLAIN, environment
from tests.sources import captured, config, put_back

DOCUMENTS = ("context.json", "pre-run-info.json", "post-run-info.json")
TOML = PLAIN.replace("include-source = false", "include-source = true") + (
    '[capture.files]\n"in.csv" = { hash = "sha256", copy = true }\n'
    '[monitor.item.it.files]\n"out.csv" = { hash = "md5", copy = true }\n'
)
PROGRAM = "open('out.csv', 'w').write('1'); open('more.csv', 'w').write('2'); print('out')"

COMMANDS = (
    *(("list",), ("show", "received"), ("verify", "received"), ("diff", "whole", "received")),
    *(("check", "--secrets", "received"), ("checkout", "received", "../again")),
    ("reproduce", "--plan", "--no-rebuild", "received"),
    ("reproduce", "--trust", "--no-rebuild", "--into", "../anew", "received"),
)

ALL = """
import contextlib, io, json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from capsula.cli.main import run
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = run(tuple(words))
    print(json.dumps([words, status, out.getvalue(), err.getvalue()]))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a capsule of its own, ``whole``."""
    root = repository(
        tmp_path_factory.mktemp("made") / "root",
        {"capsula.toml": TOML.encode(), "in.csv": b"1\n", ".gitignore": b"vault/\n"},
    )
    write(root, {"in.csv": b"2\n", "new": b"x"})
    assert running.capsula("monitor", "-i", "it", sys.executable, "-c", PROGRAM, cwd=root).returncode == 0
    running.only_capsule(root).rename(root / "vault/whole")
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """The same, with a copy of the capsule that a stranger may change."""
    shutil.copytree(made, tmp_path / "root", symlinks=True)
    shutil.copytree(made / "vault/whole", tmp_path / "root/vault/received")
    return tmp_path / "root"


def said(root: Path, *commands: tuple[str, ...]) -> list[tuple[tuple[str, ...], int, str, str]]:
    """Return what each command says, and its status; all are run by one process that may not grow without bounds."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", ALL, json.dumps(commands or COMMANDS)],
        cwd=root,
        env=environment(HOME=str(root.parent), XDG_CACHE_HOME=str(root.parent / "cache")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [(tuple(words), status, out, err) for words, status, out, err in map(json.loads, done.stdout.splitlines())]


def is_a_pipe(file: Path) -> None:
    os.mkfifo(file)


def has_no_end(file: Path) -> None:
    file.symlink_to("/dev/zero")


def leads_to_itself(file: Path) -> None:
    file.symlink_to(file.name)


def is_a_folder(file: Path) -> None:
    file.mkdir()


def is_a_hole_of_a_terabyte(file: Path) -> None:
    file.touch()
    os.truncate(file, 1 << 40)


@pytest.mark.slow
@pytest.mark.parametrize("odd", [is_a_pipe, has_no_end, leads_to_itself, is_a_folder, is_a_hole_of_a_terabyte])
@pytest.mark.parametrize("which", ["context", "info", "all others"])
def test_a_file_of_a_capsule_that_is_none_costs_no_more_than_the_capsule(
    which: str, odd: Callable[[Path], None], root: Path
) -> None:
    received = root / "vault/received"
    files = [path for path in received.rglob("*") if path.is_file()]
    for file in files:
        if which in file.name or (which == "all others" and file.name not in DOCUMENTS):
            file.unlink()
            odd(file)

    # To search all of a terabyte for secrets takes as long as that takes.
    commands = [words for words in COMMANDS if words[0] != "check" or odd is not is_a_hole_of_a_terabyte]
    printed = said(root, *commands)

    assert [(words, status) for words, status, _, _ in printed if status not in range(6)] == []
    assert [words for words, _, out, err in printed if "Traceback" in out + err] == []
    assert "whole" in printed[0][2]


@pytest.mark.parametrize("odd", [is_a_pipe, has_no_end, leads_to_itself, is_a_folder, is_a_hole_of_a_terabyte])
def test_a_pack_that_is_none_is_left_out(odd: Callable[[Path], None], tmp_path: Path) -> None:
    odd(tmp_path / "odd.pack")

    with unpacked((tmp_path / "odd.pack",), None) as repository:
        assert repository is not None
        assert list(repository) == []


def test_a_pack_as_large_as_it_says_is_not_held_in_memory(root: Path) -> None:
    received = root / "vault/received"
    context = json.loads((received / "context.json").read_text())
    (tree,) = context["source"].values()
    tree["objects"]["size"] = 1 << 40
    pack = received / tree["objects"]["file"]
    pack.unlink()
    is_a_hole_of_a_terabyte(pack)
    (received / "context.json").write_text(json.dumps(context))

    ((_, status, _, told),) = said(root, ("checkout", "received", "../again"))

    assert (status, "the pack is larger than any that is made" in told) == (5, True)


def test_a_pack_elsewhere_is_not_read_because_a_link_leads_to_it(tmp_path: Path) -> None:
    captured(config(repository(tmp_path / "top", {"a": b"a\n"})), tmp_path / "capsule")
    pack = tmp_path / "capsule/.capsula/source/top.pack"
    (tmp_path / "link.pack").symlink_to(pack)

    with unpacked((pack,), None) as own, unpacked((tmp_path / "link.pack",), None) as linked:
        assert own is not None
        assert linked is not None
        assert (len([*own]), [*linked]) == (3, [])


def as_of_a_future_version(text: bytes) -> bytes:
    whole = json.loads(text)
    whole["capsula"] |= {"format": 999, "further": {}}
    return json.dumps(whole).encode()


TEXTS: Mapping[str, Callable[[bytes], bytes]] = {
    "of a future version": as_of_a_future_version,
    "a key that stands twice": lambda text: text.replace(b"{", b'{"capsula": 1, ', 1),
    "a number that is none": lambda text: text.replace(b"{", b'{"a": NaN, ', 1),
    "a number without end": lambda text: text.replace(b"{", b'{"a": 1e999, "b": ' + b"9" * 5000 + b", ", 1),
    "a hundred thousand levels": lambda _: b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no text": lambda text: b"\xff\xfe" + text,
    "cut off": lambda text: text[: len(text) // 2],
    "a list": lambda text: b"[" + text + b"]",
    "nothing": lambda _: b"",
}


@pytest.mark.slow
@pytest.mark.parametrize("change", TEXTS.values(), ids=TEXTS)
def test_a_document_that_is_none_is_said_to_be_so(change: Callable[[bytes], bytes], root: Path) -> None:
    for name in DOCUMENTS:
        file = root / "vault/received" / name
        file.write_bytes(change(file.read_bytes()))

    printed = said(root)

    assert [(words, status) for words, status, _, _ in printed if status not in range(6)] == []
    assert [words for words, _, out, err in printed if "Traceback" in out + err] == []
    assert not (root.parent / "anew").exists()


EVIL = "\x1b]0;pwned\x07\x1b[2J\x9b\r\u202e\u2066\u200b\u2028\udce9\ud800"


def with_evil(value: object) -> object:
    """Return a value with what moves cursors in all its texts, and in one more key of each of its tables."""
    match value:
        case str():
            return value + EVIL
        case list():
            return [*map(with_evil, value), EVIL]
        case dict():
            return {**{key: with_evil(part) for key, part in value.items()}, EVIL: EVIL}
    return value


PLACES = (
    *(("args",), ("command",), ("items",), ("cwd",), ("environment_changes",), ("stdout",), ("files",), ("outputs",)),
    *(("git",), ("source",), ("source", "root", "overlay"), ("source", "root", "deleted"), ("capsula", "faults")),
    *(("environment_variables",), ("environment",), ("python_packages",), ("cpu",), ("records",), ("signal",)),
    *(("capsula", "id"), ("capsula", "status"), ("capsula", "parent"), ("capsula", "version"), ("root_directory",)),
)


def put_evil(whole: dict[str, Any], place: tuple[str, ...]) -> None:
    table = whole
    for key in place[:-1]:
        table = table.get(key, {})
    table[place[-1]] = with_evil(table.get(place[-1], {"a": ["text"]}))


def test_nothing_that_a_document_holds_moves_a_cursor(root: Path) -> None:
    received = root / "vault/received"
    texts = {name: (received / name).read_text() for name in DOCUMENTS}
    shutil.rmtree(received)
    named = [f"received{number}" for number in range(8)]
    for number, capsule in enumerate(named):
        shutil.copytree(root / "vault/whole", root / "vault" / capsule)
        for name, text in texts.items():
            whole = json.loads(text)
            for place in PLACES[number :: len(named)]:
                put_evil(whole, place)
            (root / "vault" / capsule / name).write_text(json.dumps(whole))
    commands = [
        (*words, *((name,) if words[0] != "diff" else (name, "whole")))
        for words in (("show",), ("verify",), ("diff",), ("reproduce", "--plan", "--no-rebuild"))
        for name in named
    ]

    printed = said(root, ("list",), ("list", "--json"), *commands)

    assert [words for words, _, out, err in printed if "Traceback" in out + err] == []
    moving = {character for character in EVIL if not character.isprintable()}
    assert [words for words, _, out, err in printed if not moving.isdisjoint(out + err)] == []
    assert "\\x1b]0;pwned" in "".join(out + err for _, _, out, err in printed)


DECODERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "jsonpickle"}
"""Modules that make anything at all of bytes."""

RUNNERS = {"eval", "exec", "compile", "__import__", "execfile"}


def test_nothing_that_is_read_is_ever_decoded_as_a_program() -> None:
    found = {
        f"{file.name}: {ast.unparse(node)}"
        for file in sorted(Path(capsula.__file__).parent.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if is_decoding(node)
    }

    # For what a child of ours is asked and answers, and nothing that is read.
    assert found == {"beside.py: import pickle"}


def is_decoding(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(name.name.partition(".")[0] in DECODERS for name in names)
        case ast.ImportFrom(module=str(module)):
            return module.partition(".")[0] in DECODERS
        case ast.Call(func=ast.Name(id=name)):
            return name in RUNNERS
        case ast.keyword(arg="allow_pickle"):
            return True
    return False


RESULTS = """
import io, os, pickle, struct, sys, zipfile
class Evil:
    def __reduce__(self):
        return os.mkdir, (sys.argv[2],)
evil = pickle.dumps([sys.argv[1], Evil()])
head = str({"descr": "|O", "fortran_order": False, "shape": (1,)}).ljust(117).encode() + b"\\n"
array = b"\\x93NUMPY\\x01\\x00" + struct.pack("<H", len(head)) + head + evil
whole = io.BytesIO()
with zipfile.ZipFile(whole, "w") as archive:
    archive.writestr("a.npy", array)
for name, content in {"a.pkl": evil, "a.npy": array, "a.npz": whole.getvalue(), "a.joblib": evil}.items():
    open(name, "wb").write(content)
"""


def test_results_that_are_pickled_are_compared_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)
    (tmp_path / "results.py").write_text(RESULTS)
    canary = tmp_path / "canary"
    for number in "12":
        running.capsula("monitor", sys.executable, "results.py", number, str(canary), cwd=tmp_path)

    done = running.capsula("diff", "--json", "@1", "@", cwd=tmp_path)

    results = json.loads(done.stdout)["results"]
    assert done.returncode == 1
    assert {"a.pkl", "a.npy", "a.npz", "a.joblib"} <= {name for name in results if results[name] != "identical"}
    assert not canary.exists()


@pytest.mark.parametrize("head", ["-x", "--upload-pack=touch canary", "HEAD", "main", "refs/heads/main", "0" * 39, ""])
def test_a_commit_is_named_by_its_id_alone(head: str, tmp_path: Path) -> None:
    top = repository(tmp_path / "top", {"a": b"a\n"})
    fragment = captured(config(top), tmp_path / "capsule")
    facts: dict[str, Any] = fragment.facts["top"]  # type: ignore[index,call-overload,assignment]  # a table
    facts["head"] = head

    answer = put_back(fragment, tmp_path / "capsule", top, tmp_path / "fresh")

    assert answer.failure().kind == "integrity"
    assert not os.path.lexists(tmp_path / "fresh") or os.listdir(tmp_path / "fresh") == []


def test_no_mark_of_an_archive_makes_a_program_anybodys(tmp_path: Path) -> None:
    top = repository(tmp_path / "top", {"a": b"a\n"})
    write(top, {"new": b"new\n"})
    fragment = captured(config(top), tmp_path / "capsule")
    facts: dict[str, Any] = fragment.facts["top"]  # type: ignore[index,call-overload,assignment]  # a table
    archive = tmp_path / "capsule/.capsula/source/top.tar.gz"
    with tarfile.open(archive) as old:
        held = [(info, old.extractfile(info).read()) for info in old]  # type: ignore[union-attr]  # each is a file
    with tarfile.open(archive, "w:gz", format=tarfile.GNU_FORMAT) as new:
        for info, content in held:
            info.mode, info.uid, info.gid, info.uname = 0o7777, 12345, 12345, "daemon"
            new.addfile(info, io.BytesIO(content))
    facts["archive"]["size"] = archive.stat().st_size

    answer = put_back(fragment, tmp_path / "capsule", top, tmp_path / "fresh")

    assert isinstance(answer, Success)
    status = (tmp_path / "fresh/new").stat()
    assert (status.st_mode & 0o7111, status.st_uid) == (0, os.geteuid())


INJECTING = (
    *("LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "GCONV_PATH", "OMPI_MCA_mca_base_path", "XDG_CONFIG_HOME"),
    *("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "NODE_OPTIONS", "PERL5OPT", "RUBYOPT", "JAVA_TOOL_OPTIONS"),
    *("BASH_ENV", "ENV", "BASH_FUNC_ls%%", "PROMPT_COMMAND", "ZDOTDIR", "LESSOPEN", "MANPAGER", "GIT_EDITOR"),
    *("GIT_SSH_COMMAND", "R_PROFILE_USER", "JULIA_LOAD_PATH", "LUA_INIT"),
    *("https_proxy", "PIP_INDEX_URL", "UV_INDEX_URL", "SSL_CERT_FILE"),
)


@pytest.mark.parametrize("name", INJECTING)
def test_a_strangers_capsule_sets_no_variable_that_injects_programs(name: str) -> None:
    foreign = restored({"values": {name: "/evil", "TZ": "UTC"}}, {}, {}, {}, allowed=())
    listed = unrecorded({name: "/evil", "TZ": "UTC"}, {}, allowed=())

    assert (foreign.environ, foreign.dropped) == ({"TZ": "UTC"}, (name,))
    assert (listed.environ, listed.dropped) == ({"TZ": "UTC"}, (name,))
    assert name in foreign.step.why
