"""``capsula reproduce``: a run is brought back in a fresh place, and judged."""

import hashlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.effects.wrapping import Terminal
from tests.repositories import commit, git, repository
from tests.running import PATIENCE, capsula, capsules, document, environment, files
from tests.wheels import environment as build
from tests.wheels import wheel

PROGRAM = b"""
import os, sys
from pathlib import Path
import helper

Path("out").mkdir(exist_ok=True)
Path("out/result.csv").write_text(f"{helper.VALUE},{os.environ.get('MY_VARIABLE')}\\n")
print(helper.VALUE, {"a", "b", "c", "d"}, *sys.argv[1:])
"""

SETTINGS = """
[capture]
include-cpu = false
environment-variables = ["LISTED"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose program reads a module that git does not track, and a variable."""
    root = repository(tmp_path / "project", {"capsula.toml": SETTINGS.encode(), "main.py": PROGRAM})
    (root / "helper.py").write_text("VALUE = 1\n")
    return root


def record(project: Path, *words: str, **changes: str | None) -> Path:
    """Run the project's program, or other words, and return its capsule."""
    done = capsula(
        "monitor", *(words or (sys.executable, "main.py", "argument")), cwd=project, **{"LISTED": "value", **changes}
    )
    assert done.stderr == ""
    return capsules(project)[-1]


def reproduced(project: Path, *words: str, **changes: str | None) -> tuple[int, dict[str, Any]]:
    """Return the exit status of a reproduction in the environment that is here, and its account."""
    done = capsula("reproduce", "--no-rebuild", "--json", *words, cwd=project, **caching(project, **changes))
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


def caching(project: Path, **changes: str | None) -> dict[str, str | None]:
    return {"XDG_CACHE_HOME": str(project.parent / "cache"), "LISTED": "value", **changes}


def state(root: Path) -> dict[str, str]:
    """Return all that a repository consists of: its refs, its index, its objects and its work tree."""
    whole = (path for path in sorted(root.rglob("*")) if path.is_file() and "vault" not in path.parts)
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in whole}


def test_a_secret_among_the_words_is_put_back_where_a_variable_holds_it_still(project: Path) -> None:
    capsule = record(project, sys.executable, "main.py", "canary-1", "--of=canary-1", MY_TOKEN="canary-1")

    status, same = reproduced(project, capsule.name, MY_TOKEN="canary-1")
    blocked, other = reproduced(project, capsule.name, MY_TOKEN="canary-2")

    assert (status, same["verdict"], blocked, other["verdict"]) == (0, "identical", 4, "blocked")
    logs = [(place / "stdout.log").read_bytes() for place in (capsule, Path(same["replays"][0]))]
    assert logs[0] == logs[1]
    kept = b"".join(path.read_bytes() for path in (project / "vault").rglob("*") if path.is_file())
    assert b"canary-" not in kept + json.dumps([same, other]).encode()


def test_a_run_is_brought_back_though_its_source_has_changed(project: Path) -> None:
    capsule = record(project)
    (project / "helper.py").write_text("VALUE = 2\n")
    (project / "main.py").write_text("raise SystemExit(9)\n")
    commit(project)
    shutil.rmtree(project / "out")
    before = state(project)

    status, account = reproduced(project, capsule.name)

    assert (status, account["verdict"]) == (0, "identical")
    assert account["judged"] == ["exit status", "stdout", "1 output file"]
    assert account["context"]["suspects"] == []
    assert state(project) == before


def test_a_replay_is_a_capsule_of_its_own_that_names_its_origin(project: Path) -> None:
    capsule = record(project)
    identity = document(capsule, "context.json")["capsula"]["id"]

    _, account = reproduced(project)

    (replay,) = map(Path, account["replays"])
    (workspace,) = map(Path, account["workspaces"])
    assert replay.parent == project / "vault"
    assert document(replay, "post-run-info.json")["capsula"]["reproduces"] == identity
    assert not workspace.is_relative_to(project)
    assert (workspace / "tree" / "out" / "result.csv").exists()


def test_the_environment_is_rebuilt_and_used(project: Path, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    python = str(place / "bin" / "python")
    capsule = record(project, python, "-c", "import sys; open('where', 'w').write('same'); print(sys.version)")
    shutil.rmtree(place)

    done = capsula("reproduce", "--json", capsule.name, cwd=project, **caching(project))

    account = json.loads(done.stdout)
    assert (done.returncode, account["verdict"], account["context"]["state"]) == (0, "identical", "exact")
    args = document(Path(account["replays"][0]), "pre-run-info.json")["args"]
    assert Path(args[0]).is_relative_to(tmp_path / "cache")


def test_packages_that_changed_are_suspected_when_the_environment_that_is_here_is_used(
    project: Path, tmp_path: Path
) -> None:
    old, new = (wheel(tmp_path / "wheels", "thing", version, {"thing.py": "\n"}) for version in ("1.0", "2.0"))
    program = build(tmp_path / "env", old)
    capsule = record(project, str(program), "main.py")
    shutil.rmtree(tmp_path / "env")
    build(tmp_path / "env", new)

    _, account = reproduced(project, capsule.name)

    assert account["context"]["suspects"] == [{"facet": "packages", "reason": "thing 1.0 → 2.0"}]


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="needs: a Python of the system")
def test_a_python_of_the_system_that_is_as_it_was_is_not_built_anew(project: Path, tmp_path: Path) -> None:
    capsule = record(project, "/usr/bin/python3", "main.py")

    done = capsula("reproduce", "--offline", "--json", capsule.name, cwd=project, **caching(project))

    assert (json.loads(done.stdout)["verdict"], json.loads(done.stdout)["context"]["state"]) == ("identical", "exact")
    assert not (tmp_path / "cache" / "capsula" / "environments").exists()


def test_a_variable_that_was_listed_is_put_back(project: Path) -> None:
    script = "import os; print(os.environ['LISTED'])"
    capsule = record(project, sys.executable, "-c", script, LISTED="then")

    status, account = reproduced(project, capsule.name, LISTED="now")

    assert (status, account["verdict"]) == (0, "identical")


@pytest.mark.parametrize("now", [None, "other"])
def test_a_variable_that_was_not_listed_is_named_when_it_differs(project: Path, now: str | None) -> None:
    capsule = record(project, MY_VARIABLE="then")

    status, account = reproduced(project, capsule.name, MY_VARIABLE=now)

    assert (status, account["verdict"]) == (1, "different")
    assert account["outputs"]["out/result.csv"]["grade"] == "different"
    (suspect,) = account["context"]["suspects"]
    assert (suspect["facet"], "MY_VARIABLE" in suspect["reason"]) == ("environment", True)


def test_a_variable_that_was_not_listed_is_taken_over_when_it_is_the_same(project: Path) -> None:
    capsule = record(project, MY_VARIABLE="then")

    status, account = reproduced(project, capsule.name, MY_VARIABLE="then")

    assert (status, account["verdict"], account["context"]["state"]) == (0, "identical", "exact")


def test_a_changed_output_never_reads_like_success(project: Path) -> None:
    capsule = record(project, sys.executable, "-c", "import time; open('t.txt', 'w').write(str(time.time_ns()))")

    done = capsula("reproduce", "--no-rebuild", capsule.name, cwd=project, **caching(project))

    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "different: t.txt"
    assert not {"identical", "equivalent", "close", "success"} & set(done.stdout.lower().split())


def test_replays_that_differ_among_themselves_are_nondeterministic(project: Path) -> None:
    capsule = record(project, sys.executable, "-c", "import time; open('t.txt', 'w').write(str(time.time_ns()))")

    status, account = reproduced(project, "--repeat", "2", capsule.name)

    assert (status, account["verdict"], len(account["replays"])) == (1, "nondeterministic", 2)


def test_a_status_that_is_not_0_is_brought_back_too(project: Path) -> None:
    capsule = record(project, sys.executable, "-c", "raise SystemExit(3)")

    status, account = reproduced(project, capsule.name)

    assert (status, account["verdict"], account["exit_status"]["replayed"]) == (0, "identical", [3])


def test_another_status_than_then_is_failed(project: Path) -> None:
    script = "import os; raise SystemExit(int(os.environ['MY_VARIABLE']))"
    capsule = record(project, sys.executable, "-c", script, MY_VARIABLE="3")

    status, account = reproduced(project, capsule.name, MY_VARIABLE="0")

    assert (status, account["verdict"]) == (3, "failed")


@pytest.fixture
def with_input(project: Path) -> Path:
    """A project whose program reads a declared file that git ignores."""
    (project / ".gitignore").write_text("data/\n")
    (project / "capsula.toml").write_text(f'{SETTINGS}[capture.files]\n"data/in.csv" = {{ hash = "sha256" }}\n')
    commit(project)
    (project / "data").mkdir()
    (project / "data" / "in.csv").write_text("1,2\n")
    return project


COPY = (sys.executable, "-c", "print(open('data/in.csv').read())")


def test_a_declared_input_is_provided_from_where_it_was(with_input: Path) -> None:
    capsule = record(with_input, *COPY)

    status, account = reproduced(with_input, capsule.name)

    assert (status, account["verdict"], account["context"]["state"]) == (0, "identical", "exact")


def test_a_changed_input_is_named(with_input: Path) -> None:
    capsule = record(with_input, *COPY)
    (with_input / "data" / "in.csv").write_text("1,3\n")

    status, account = reproduced(with_input, capsule.name)

    assert (status, account["verdict"]) == (1, "different")
    assert account["context"]["suspects"] == [{"facet": "inputs", "reason": "data/in.csv has other content than then"}]


def test_a_missing_input_blocks_until_it_is_given(with_input: Path) -> None:
    capsule = record(with_input, *COPY)
    (with_input / "data" / "in.csv").rename(with_input.parent / "elsewhere.csv")

    blocked = reproduced(with_input, capsule.name)
    given = reproduced(with_input, "--input", f"data/in.csv={with_input.parent / 'elsewhere.csv'}", capsule.name)

    assert (blocked[0], blocked[1]["verdict"]) == (4, "blocked")
    assert "data/in.csv" in blocked[1]["blockers"][0]
    assert (given[0], given[1]["verdict"]) == (0, "identical")


def test_an_input_that_was_kept_is_provided_from_the_capsule(with_input: Path) -> None:
    (with_input / "capsula.toml").write_text(
        f'{SETTINGS}[capture.files]\n"data/in.csv" = {{ hash = "sha256", copy = true }}\n'
    )
    capsule = record(with_input, *COPY)
    (with_input / "data" / "in.csv").write_text("changed")

    status, account = reproduced(with_input, capsule.name)

    assert (status, account["verdict"]) == (0, "identical")


def test_ignored_files_that_are_left_out_are_told(project: Path) -> None:
    (project / ".gitignore").write_text("*.bin\n")
    (project / "data.bin").write_text("ignored")
    capsule = record(project)

    done = capsula("reproduce", "--plan", "--no-rebuild", capsule.name, cwd=project)

    assert done.returncode == 0
    assert "leave out 1 ignored file" in done.stdout
    assert "data.bin" in done.stdout


def test_a_plan_tells_all_and_does_nothing(project: Path, tmp_path: Path) -> None:
    capsule = record(project)
    before = files(tmp_path)

    done = capsula("reproduce", "--plan", capsule.name, cwd=project, **caching(project))

    assert done.returncode == 0
    assert all(
        word in done.stdout
        for word in ("write helper.py", "LISTED=value", "main.py argument", "out/result.csv", "Python")
    )
    assert files(tmp_path) == before


def test_a_capture_without_a_run_is_blocked(project: Path) -> None:
    capsula("capture", cwd=project)

    status, account = reproduced(project)

    assert (status, account["verdict"]) == (4, "blocked")
    assert "nothing was run" in account["blockers"][0]


def test_a_capsule_of_somebody_else_runs_only_when_it_is_trusted(project: Path, tmp_path: Path) -> None:
    capsule = record(project)
    shutil.copytree(capsule, tmp_path / "received")

    refused = capsula("reproduce", "--no-rebuild", str(tmp_path / "received"), cwd=tmp_path, **caching(project))
    trusted = capsula(
        "reproduce", "--no-rebuild", "--trust", str(tmp_path / "received"), cwd=tmp_path, **caching(project)
    )

    assert (refused.returncode, "--trust" in refused.stderr) == (5, True)
    assert "main.py argument" in refused.stdout
    assert trusted.returncode == 0, trusted.stderr


def test_what_leads_to_code_of_others_is_set_for_a_capsule_of_somebody_else_only_if_it_is_allowed(
    project: Path, tmp_path: Path
) -> None:
    capsule = record(project, LD_LIBRARY_PATH="/nowhere")
    shutil.copytree(capsule, tmp_path / "received")
    words = ("reproduce", "--plan", "--no-rebuild", str(tmp_path / "received"))

    plan = capsula(*words, cwd=tmp_path, LD_LIBRARY_PATH=None, **caching(project)).stdout
    allowed = capsula(*words, "--allow-env", "LD_LIBRARY_PATH", cwd=tmp_path, LD_LIBRARY_PATH=None, **caching(project))

    assert "LD_LIBRARY_PATH=/nowhere" not in plan
    assert "not taken over from a capsule that is not yours, unless you --allow-env it: LD_LIBRARY_PATH" in plan
    assert "LD_LIBRARY_PATH=/nowhere" in allowed.stdout


def test_a_capsule_that_was_changed_is_not_run(project: Path) -> None:
    capsule = record(project)
    log = capsule / "stdout.log"
    log.write_bytes(log.read_bytes() + b"more")

    done = capsula("reproduce", "--no-rebuild", capsule.name, cwd=project, **caching(project))

    assert (done.returncode, "stdout.log" in done.stderr) == (5, True)


def test_a_directory_that_is_not_empty_is_refused(project: Path) -> None:
    capsule = record(project)

    status, account = reproduced(project, "--into", ".", capsule.name)

    assert (status, account["verdict"]) == (4, "blocked")
    assert git(project, "status", "--porcelain") == b"?? helper.py\n?? out/\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs: root")
def test_nothing_is_run_where_another_user_could_put_what_is_run(project: Path, tmp_path: Path) -> None:
    record(project)
    places = tmp_path / "shared/capsula/reproductions"
    places.mkdir(parents=True)
    os.chown(places, 65_432, -1)

    shared = str(tmp_path / "shared")
    done = capsula("reproduce", "--no-rebuild", capsules(project)[0].name, cwd=project, XDG_CACHE_HOME=shared)

    told = f"capsula: nothing is run in {places}: {places} belongs to another user (say where with --into)\n"
    assert (done.returncode, done.stderr) == (4, told)
    assert [*places.iterdir()] == []


def test_of_a_replay_that_cannot_be_run_nothing_is_left(with_input: Path) -> None:
    capsule = record(with_input, *COPY)
    (with_input / "data" / "in.csv").unlink()

    status, account = reproduced(with_input, capsule.name)

    assert (status, account["workspaces"]) == (4, [])
    assert list((with_input.parent / "cache" / "capsula" / "reproductions").iterdir()) == []


def test_a_directory_of_the_users_stays_where_nothing_can_be_run(with_input: Path, tmp_path: Path) -> None:
    capsule = record(with_input, *COPY)
    (with_input / "data/in.csv").unlink()
    (tmp_path / "mine").mkdir()

    status, _ = reproduced(with_input, "--into", str(tmp_path / "mine"), capsule.name)

    assert (status, [*(tmp_path / "mine").iterdir()]) == (4, [])


def test_a_replay_that_is_interrupted_ends_as_such_with_all_that_it_has_started(project: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    script = f"import os, time; os.path.exists({str(fifo)!r}) and print(open({str(fifo)!r}, 'w'), time.sleep(600))"
    capsule = record(project, sys.executable, "-c", script)
    os.mkfifo(fifo)

    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "capsula", "reproduce", "--no-rebuild", "--repeat", "2", capsule.name],
        cwd=project,
        env=environment(**caching(project)),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with open(fifo, encoding="ascii") as held:  # until the program that is run has it open
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
        held.read()  # until nobody has

    (replay,) = (it for it in capsules(project) if it != capsule)
    (workspace,) = (tmp_path / "cache" / "capsula" / "reproductions").iterdir()
    assert process.returncode == -signal.SIGINT
    assert out.splitlines()[0] == "interrupted: the replay was ended by SIGINT"
    assert out.splitlines()[-1] == f"in: {workspace}"
    assert document(replay, "post-run-info.json")["capsula"]["status"] == "interrupted"


def test_a_workspace_can_be_discarded(project: Path) -> None:
    capsule = record(project)

    status, account = reproduced(project, "--discard", capsule.name)

    assert (status, account["workspaces"]) == (0, [])
    assert list((project.parent / "cache/capsula/reproductions").iterdir()) == []


@pytest.mark.parametrize(
    "words", [("--repeat", "0"), ("--input", "nothing"), ("--require", "perfect"), ("no-such-capsule",)]
)
def test_a_mistake_is_told(project: Path, words: tuple[str, ...]) -> None:
    record(project)

    done = capsula("reproduce", *words, cwd=project)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_what_the_user_asks_for_is_what_counts(project: Path) -> None:
    script = """
import os, zipfile
member = zipfile.ZipInfo("a", (1980 + int(os.environ["MY_VARIABLE"]), 1, 1, 0, 0, 0))
zipfile.ZipFile("a.zip", "w").writestr(member, "content")
"""
    capsule = record(project, sys.executable, "-c", script, MY_VARIABLE="1")

    usual = reproduced(project, capsule.name, MY_VARIABLE="2")
    strict = reproduced(project, "--require", "identical", capsule.name, MY_VARIABLE="2")

    assert (usual[0], usual[1]["verdict"]) == (0, "equivalent")
    assert (strict[0], strict[1]["verdict"]) == (1, "equivalent")


CALL = """
import capsula

@capsula.monitor(include_return_value=True)
def work(number: int) -> float:
    return FACTOR * number / 3

print(work(1), work(2))
"""


def called(project: Path) -> list[Path]:
    (project / "call.py").write_text(CALL.replace("FACTOR", "1"))
    subprocess.run([sys.executable, "call.py"], cwd=project, env=environment(LISTED="value"), check=True)
    return sorted(capsules(project), key=lambda capsule: document(capsule, "pre-run-info.json")["args"])


def test_a_decorated_call_is_brought_back_by_the_program_that_made_it(project: Path) -> None:
    _, second = called(project)
    (project / "call.py").write_text(CALL.replace("FACTOR", "5"))

    status, account = reproduced(project, second.name)

    assert (status, account["verdict"], account["judged"]) == (0, "identical", ["that it returned", "return value"])
    assert (account["exit_status"], account["call"]["replayed"]) == (None, ["returned"])


def test_a_decorated_call_at_a_prompt_cannot_be_brought_back(project: Path) -> None:
    (project / "call.py").write_text(CALL.replace("FACTOR", "1"))
    prompt = "exec(compile(open('call.py').read(), 'call.py', 'exec'))"
    subprocess.run(
        [sys.executable, "-i"],
        cwd=project,
        env=environment(LISTED="value"),
        input=prompt,
        text=True,
        check=True,
        capture_output=True,
    )

    status, account = reproduced(project)

    assert (status, account["verdict"]) == (4, "blocked")
    assert "prompt" in account["blockers"][0]


def test_a_directory_of_the_users_is_never_discarded(project: Path, tmp_path: Path) -> None:
    capsule = record(project)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("precious")

    status, account = reproduced(project, "--into", "../thesis", "--discard", capsule.name)

    assert (status, account["verdict"]) == (4, "blocked")
    assert (tmp_path / "thesis" / "chapter").read_text() == "precious"


def test_a_place_in_a_work_tree_is_refused(project: Path) -> None:
    capsule = record(project)

    done = capsula("reproduce", "--no-rebuild", "--into", "inner", capsule.name, cwd=project, **caching(project))

    assert (done.returncode, (project / "inner").exists()) == (2, False)


def test_a_link_in_the_source_leads_nothing_out_of_the_workspace(project: Path, tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "in.csv").write_text("old")
    (project / "data").symlink_to(tmp_path / "big")
    (project / "capsula.toml").write_text(
        f'{SETTINGS}[capture.files]\n"data/in.csv" = {{ hash = "sha256", copy = true }}\n'
    )
    commit(project)
    capsule = record(project, *COPY)
    (tmp_path / "big" / "in.csv").write_text("new")

    status, account = reproduced(project, capsule.name)

    assert (status, account["verdict"]) == (4, "blocked")
    assert (tmp_path / "big" / "in.csv").read_text() == "new"


@pytest.mark.parametrize("received", ["received", "theirs/received"])
def test_a_capsule_of_somebody_else_puts_nothing_beside_itself(received: str, project: Path, tmp_path: Path) -> None:
    capsule = record(project)
    reader = repository(tmp_path / "reader", {"a": b"a"})
    shutil.copytree(project / "vault/.capsula", reader / "theirs/.capsula")
    shutil.copytree(capsule, reader / received)
    before = git(reader, "status", "--porcelain", "--untracked-files=all")

    status, account = reproduced(reader, "--trust", received)

    assert (status, account["verdict"]) == (0, "identical")
    assert git(reader, "status", "--porcelain", "--untracked-files=all") == before
    assert [Path(replay).parent for replay in account["replays"]] == [reader / "vault"]


FORGERIES = {
    "a moved file elsewhere": ("context.json", ("files", "../../precious"), {"moved": True, "hash_algorithm": None}),
    "a moved file by its whole path": ("context.json", ("files", "PRECIOUS"), {"moved": True, "hash_algorithm": None}),
    "a kept file elsewhere": ("context.json", ("files", "a"), {"kept_as": "../../../precious", "hash_algorithm": None}),
    "an unknown hash": ("context.json", ("files", "a"), {"hash_algorithm": ["sha256"]}),
    "a NUL in a path": ("context.json", ("files", "a\0b"), {"hash_algorithm": None}),
    "a NUL in an argument": ("pre-run-info.json", ("args",), ["echo", "a\0b"]),
    "a variable with an equals sign": ("context.json", ("environment", "values", "A=B"), "x"),
    "a variable with a NUL": ("context.json", ("environment", "values", "A"), "x\0"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_capsule_is_refused_though_it_is_trusted(project: Path, tmp_path: Path, forgery: str) -> None:
    (tmp_path / "precious").write_text("precious")
    capsule = tmp_path / "received"
    shutil.copytree(record(project), capsule)
    name, place, value = FORGERIES[forgery]
    whole = document(capsule, name)
    table: Any = whole
    for key in place[:-1]:
        table = table[key]
    table[place[-1].replace("PRECIOUS", str(tmp_path / "precious"))] = value
    (capsule / name).write_text(json.dumps(whole))

    done = capsula("reproduce", "--no-rebuild", "--trust", str(capsule), cwd=tmp_path, **caching(project))

    assert (done.returncode, "Traceback" in done.stderr) == (5, False)
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_damaged_source_is_refused_though_its_capsule_is_trusted(project: Path, tmp_path: Path) -> None:
    capsule = shutil.copytree(record(project), tmp_path / "received")
    archive = capsule / ".capsula/source/project.tar.gz"
    archive.write_bytes(bytes(archive.stat().st_size))

    done = capsula("reproduce", "--no-rebuild", "--trust", str(capsule), cwd=tmp_path, **caching(project))

    assert (done.returncode, "the source cannot be restored" in done.stderr) == (5, True)


def test_what_prepared_the_capture_is_not_done_again(project: Path, tmp_path: Path) -> None:
    commands = f"pre-capture-commands = ['echo prepared >> {tmp_path / 'log'}']\n"
    (project / "capsula.toml").write_text(SETTINGS + commands)
    capsule = record(project)

    status, account = reproduced(project, capsule.name)

    assert (status, account["verdict"], (tmp_path / "log").read_text()) == (0, "identical", "prepared\n")


def test_a_run_outside_of_the_root_is_blocked(project: Path, tmp_path: Path) -> None:
    assert capsula("-C", str(project), "monitor", "true", cwd=tmp_path).returncode == 0

    done = capsula("reproduce", capsules(project)[0].name, cwd=project, **caching(project))

    assert (done.returncode, "it ran in a directory outside of the root" in done.stdout) == (4, True)


def test_a_file_that_was_removed_then_and_not_now_is_judged(project: Path) -> None:
    (project / "victim.txt").write_text("x")
    commit(project)
    script = "import os; os.environ.get('MY_VARIABLE') and os.remove('victim.txt')"
    capsule = record(project, sys.executable, "-c", script, MY_VARIABLE="1")

    status, account = reproduced(project, capsule.name)

    assert (status, account["verdict"], account["outputs"]["victim.txt"]["grade"]) == (1, "different", "different")


@pytest.mark.parametrize(("now", "verdict"), [("a", "identical"), ("b", "different")])
def test_a_link_that_was_made_is_judged_by_where_it_leads(project: Path, now: str, verdict: str) -> None:
    script = "import os; os.symlink(os.environ['MY_VARIABLE'], 'latest')"
    capsule = record(project, sys.executable, "-c", script, MY_VARIABLE="a")
    (project / "latest").unlink()

    _, account = reproduced(project, capsule.name, MY_VARIABLE=now)

    assert account["verdict"] == verdict


def test_a_machine_that_is_not_as_it_was_is_suspected(project: Path) -> None:
    script = "import os; print(len(os.sched_getaffinity(0)))"
    capsule = record(project, sys.executable, "-c", script)
    words = [sys.executable, "-P", "-m", "capsula", "reproduce", "--no-rebuild", "--json", capsule.name]
    alone = (
        f"import os, sys; os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}}); os.execv({words[0]!r}, {words!r})"
    )
    one_processor = os.cpu_count() == 1

    done = subprocess.run(
        [sys.executable, "-c", alone],
        cwd=project,
        env=environment(**caching(project)),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )

    account = json.loads(done.stdout)
    suspects = [suspect["facet"] for suspect in account["context"]["suspects"]]
    assert (account["verdict"], suspects) == (("identical", []) if one_processor else ("different", ["determinism"]))


@pytest.fixture
def fed(project: Path) -> Path:
    """The capsule of a run that read its standard input."""
    subprocess.run(
        [sys.executable, "-P", "-m", "capsula", "monitor", "cat"],
        cwd=project,
        env=environment(LISTED="value"),
        input=b"given",
        check=True,
        capture_output=True,
    )
    return capsules(project)[-1]


def test_input_that_was_not_recorded_is_suspected(project: Path, fed: Path) -> None:
    status, account = reproduced(project, fed.name)

    assert (status, account["verdict"]) == (1, "different")
    reason = "standard input is empty, and was a pipe: give it with --stdin FILE"
    assert account["context"]["suspects"] == [{"facet": "inputs", "reason": reason}]


def test_input_that_was_not_recorded_can_be_given(project: Path, fed: Path, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("given")

    status, account = reproduced(project, "--stdin", str(tmp_path / "given"), fed.name)

    assert (status, account["verdict"]) == (0, "identical")
    assert account["context"]["suspects"] == [{"facet": "inputs", "reason": "standard input is as you gave it"}]
    assert document(Path(account["replays"][0]), "pre-run-info.json")["command"]["stdin"] == "file"


def test_what_is_typed_into_a_reproduction_is_no_input_of_the_run(project: Path) -> None:
    capsule = record(project, "cat")

    done = subprocess.run(
        [sys.executable, "-P", "-m", "capsula", "reproduce", "--no-rebuild", capsule.name],
        cwd=project,
        env=environment(**caching(project)),
        input="not for it",
        text=True,
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0,
        "identical: exit status, stdout; no output files known",
    )


def test_streams_that_were_not_kept_are_not_judged_and_those_of_the_replay_are_kept(project: Path) -> None:
    capsule = record(project, "--no-output", sys.executable, "main.py", "argument")

    status, account = reproduced(project, capsule.name)

    (replay,) = map(Path, account["replays"])
    assert (status, account["verdict"], account["complete"]) == (0, "identical", True)
    assert (account["judged"], account["stdout"]) == (["exit status", "1 output file"], None)
    assert (replay / "stdout.log").read_bytes() != b""
    plan = capsula("reproduce", "--plan", capsule.name, cwd=project, **caching(project)).stdout
    assert "compare the exit status and 1 file" in plan


def test_streams_that_were_left_alone_on_a_terminal_are_so_again_on_one(project: Path) -> None:
    monitor = [sys.executable, "-P", "-m", "capsula", "--quiet", "monitor", "--no-output", "tty"]
    recorded = Terminal.of(monitor, cwd=project, env=environment()).ended()
    (capsule,) = capsules(project)

    reproduce = [sys.executable, "-P", "-m", "capsula", "reproduce", "--no-rebuild", capsule.name]
    Terminal.of(reproduce, cwd=project, env=environment(**caching(project))).ended()

    replay = capsules(project)[-1]
    command = document(replay, "pre-run-info.json")
    assert (recorded, command["keep_output"]) == (0, False)
    assert document(replay, "post-run-info.json")["stdout"] is None


def test_of_what_differs_one_learns_how_to_see_more(project: Path) -> None:
    capsule = record(project, sys.executable, "-c", "import time; print('at', time.time_ns())")

    done = capsula("reproduce", "--no-rebuild", "@", cwd=project, **caching(project))

    replay = capsules(project)[-1]
    assert done.stdout.splitlines()[:7] == [
        "different: stdout",
        done.stdout.splitlines()[1],
        "judged: exit status, stdout; no output files known",
        "context: exact",
        f"to see it: diff {capsule}/stdout.log {replay}/stdout.log",
        "nothing is known of files outside of the root that it reads, unless [capture.files] names them",
        f"to see whether it differs from run to run by itself: capsula reproduce --repeat 2 {capsule.name}",
    ]
    assert ": line 1" in done.stdout.splitlines()[1]


def test_the_directory_it_ran_in_makes_no_difference(project: Path) -> None:
    script = "import os; print(os.getcwd()); open('where.xml', 'w').write(f'<source>{os.getcwd()}/a</source>')"
    capsule = record(project, sys.executable, "-c", script)

    status, account = reproduced(project, "--repeat", "2", capsule.name)

    reason = "the same but for the directory it ran in"
    assert (status, account["verdict"]) == (0, "equivalent")
    assert [account["stdout"]["reason"], account["outputs"]["where.xml"]["reason"]] == [reason, reason]


def test_when_it_ran_makes_no_difference_to_a_report(project: Path) -> None:
    script = "import time; open('a.json', 'w').write('{\"made\": %d}' % time.time_ns())"
    capsule = record(project, sys.executable, "-c", script)

    status, account = reproduced(project, "--repeat", "2", capsule.name)

    assert (status, account["verdict"]) == (0, "equivalent")
    assert account["outputs"]["a.json"]["reason"] == "the same but for when it ran"


def test_on_a_terminal_one_sees_what_is_being_done(project: Path) -> None:
    capsule = record(project)
    ours, theirs = pty.openpty()

    done = subprocess.run(
        [sys.executable, "-P", "-m", "capsula", "reproduce", "--no-rebuild", "--json", capsule.name],
        cwd=project,
        env=environment(**caching(project), TERM="xterm"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=False,
    )

    os.close(theirs)
    shown = os.read(ours, 65536).decode().split("\r\x1b[K")
    os.close(ours)
    assert json.loads(done.stdout)["verdict"] == "identical"
    seen = list(dict.fromkeys(text.partition(" (")[0].partition(" /")[0] for text in shown))
    assert seen == ["", "restoring 3 files", "running", "comparing"]
    assert shown[-1] == ""


def test_a_drawn_hash_seed_is_recorded_as_drawn_again_and_a_users_own_as_a_variable(project: Path) -> None:
    drawn = record(project)
    _, replay_of_drawn = reproduced(project, drawn.name)
    chosen = record(project, PYTHONHASHSEED="7")
    _, replay_of_chosen = reproduced(project, chosen.name)

    def seeds(capsule: Path) -> tuple[str | None, str | None]:
        before, context = document(capsule, "pre-run-info.json"), document(capsule, "context.json")
        tables = before["environment_changes"], context["environment"]["values"]
        first, second = (table.get("PYTHONHASHSEED") for table in tables)
        return first, second

    assert seeds(drawn)[0] is not None
    assert seeds(Path(replay_of_drawn["replays"][0])) == seeds(drawn)
    assert seeds(Path(replay_of_chosen["replays"][0])) == seeds(chosen) == (None, "7")


def test_a_file_that_is_withheld_comes_from_the_commit_as_long_as_it_is_as_committed(project: Path) -> None:
    (project / ".env").write_text("KEY=1\n")
    commit(project)
    unchanged = record(project, sys.executable, "-c", "print(open('.env').read())")
    (project / ".env").write_text("KEY=2\n")
    changed = record(project, sys.executable, "-c", "print(open('.env').read())")

    plan = capsula("reproduce", "--plan", "--no-rebuild", unchanged.name, cwd=project)
    status, account = reproduced(project, unchanged.name)
    blocked = reproduced(project, changed.name)

    head = git(project, "rev-parse", "HEAD").decode()[:7]
    assert f"exact       provide .env\n    from the commit {head} in {project}/.git\n" in plan.stdout
    assert (status, account["verdict"]) == (0, "identical")
    assert (blocked[0], blocked[1]["verdict"]) == (4, "blocked")
    assert ".env: looks like a secret" in blocked[1]["blockers"][0]


def test_a_file_that_is_withheld_in_a_repository_inside_is_needed_as_well(project: Path) -> None:
    inner = repository(project / "inner", {"a": b"a\n"})
    (inner / ".env").write_text("KEY=1\n")
    capsule = record(project, sys.executable, "-c", "print(open('inner/.env').read())")

    blocked = reproduced(project, capsule.name)
    given = reproduced(project, "--input", f"inner/.env={inner / '.env'}", capsule.name)

    assert (blocked[0], "inner/.env: looks like a secret" in blocked[1]["blockers"][0]) == (4, True)
    assert (given[0], given[1]["verdict"]) == (0, "identical")
