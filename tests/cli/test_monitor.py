"""``capsula monitor``, run as a person does."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from capsula.core.naming import memorable
from capsula.reading.control_groups import groups
from tests.effects.wrapping import Terminal, read_until
from tests.running import (
    PATIENCE,
    PLAIN,
    behind,
    capsula,
    capsules,
    configure,
    document,
    environment,
    faults,
    files,
    only_capsule,
)


def test_both_streams_are_shown_and_kept_and_the_status_is_the_commands(project: Path) -> None:
    done = capsula("monitor", "sh", "-c", "echo out; echo err >&2; exit 3", cwd=project)

    capsule = only_capsule(project)
    after = document(capsule, "post-run-info.json")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)
    assert ((capsule / "stdout.log").read_bytes(), (capsule / "stderr.log").read_bytes()) == (b"out\n", b"err\n")
    assert (after["stdout"], after["stderr"], after["exit_code"]) == ("out\n", "err\n", 3)
    assert (after["signal"], after["capsula"]["status"]) == (None, "failed")


def test_a_run_leaves_its_three_documents_and_its_output(project: Path) -> None:
    done = capsula("monitor", "true", cwd=project)

    capsule = only_capsule(project)
    documents = [document(capsule, f"{name}.json") for name in ("context", "pre-run-info", "post-run-info")]
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert files(capsule) == {
        "context.json",
        "pre-run-info.json",
        "post-run-info.json",
        "stdout.log",
        "stderr.log",
    }
    assert [document["capsula"]["status"] for document in documents] == ["complete", "running", "finished"]
    assert len({document["capsula"]["id"] for document in documents}) == 1


def test_a_person_is_told_what_was_kept_and_of_a_name_that_is_none_elsewhere(project: Path) -> None:
    (project / "capsula.toml").write_text(f'capsule-template = "at: %H%M"\n{PLAIN}')
    argv = [sys.executable, "-m", "capsula", "monitor", "true"]

    terminal = Terminal.of(argv, cwd=project, env=environment(NO_COLOR="1"))
    shown = read_until(terminal.keyboard, None)
    status = terminal.process.wait(PATIENCE)

    capsule = only_capsule(project)
    name = memorable(document(capsule, "context.json")["capsula"]["id"])
    first, last = shown.decode().splitlines()
    flaw = "holds ':', which other systems do not allow in names, or tools take for something else"
    assert (status, first) == (0, f"capsula: the name {capsule.name!r} {flaw} (see `capsule-template`)")
    assert re.sub(r"\d+\.\d\d s", "n s", last) == f"capsula: kept {name} in {capsule} (n s); next: capsula show {name}"


@pytest.mark.parametrize("way", ["the option", "the setting"])
def test_streams_that_are_left_alone_are_the_callers_and_said_not_to_be_kept(project: Path, way: str) -> None:
    if way == "the setting":
        (project / "capsula.toml").write_text(PLAIN + "[monitor]\nkeep-output = false\n")
    words = ("--no-output",) if way == "the option" else ()
    looking = "import os; print(os.fstat(1).st_size, os.lseek(1, 0, 1)); open('made', 'w'); raise SystemExit(3)"

    with (project.parent / "out").open("w+") as out:
        command = [sys.executable, "-P", "-m", "capsula", "monitor", *words, sys.executable, "-c", looking]
        done = subprocess.run(command, cwd=project, env=environment(), stdout=out, stderr=subprocess.PIPE, check=False)
        printed = (out.seek(0), out.read())[1]

    capsule = only_capsule(project)
    after = document(capsule, "post-run-info.json")
    assert (done.returncode, printed, done.stderr) == (3, "0 0\n", b"")
    assert document(capsule, "pre-run-info.json")["keep_output"] is False
    assert {key: after[key] for key in ("exit_code", "stdout", "stderr", "merged", "logs")} == {
        "exit_code": 3,
        "stdout": None,
        "stderr": None,
        "merged": None,
        "logs": {"stdout": {"kept": False}, "stderr": {"kept": False}},
    }
    assert (list(after["outputs"]), faults(after), after["resources"]["max_memory"] > 0) == (["made"], [], True)
    assert not any((capsule / log).exists() for log in ("stdout.log", "stderr.log"))
    assert capsula("verify", "@", "--integrity", cwd=project).returncode == 0
    assert "  stdout       not kept\n  stderr       not kept\n" in capsula("show", cwd=project).stdout


def test_the_capsule_stands_with_status_running_before_the_command_starts(project: Path) -> None:
    script = "import json, os, sys; print(json.load(open(os.environ['CAPSULA_CAPSULE_DIR'] + '/pre-run-info.json')))"

    done = capsula("monitor", sys.executable, "-c", script, cwd=project)

    assert "'status': 'running'" in done.stdout
    assert done.returncode == 0


def test_all_from_the_first_word_that_is_no_option_is_the_commands(project: Path) -> None:
    script = "import sys; print(sys.argv[1:])"

    done = capsula("monitor", sys.executable, "-c", script, "-i", "x", "--", "--help", "-C", cwd=project)

    assert (done.stdout, done.returncode) == ("['-i', 'x', '--', '--help', '-C']\n", 0)
    before = document(only_capsule(project), "pre-run-info.json")
    assert before["args"] == [sys.executable, "-c", script, "-i", "x", "--", "--help", "-C"]


def test_a_first_word_with_a_dash_is_the_commands_after_two_dashes_alone(project: Path) -> None:
    program = project / "-odd"
    program.write_text("#!/bin/sh\necho odd\n")
    program.chmod(0o755)
    path = f"{project}{os.pathsep}{os.environ['PATH']}"

    refused = capsula("monitor", "-odd", cwd=project, PATH=path)
    done = capsula("monitor", "--", "-odd", cwd=project, PATH=path)

    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (125, "", 1)
    assert (done.returncode, done.stdout) == (0, "odd\n")


def test_no_command_is_a_mistake(project: Path) -> None:
    done = capsula("monitor", cwd=project)

    assert (done.returncode, done.stderr.count("\n"), capsules(project)) == (125, 1, [])


def test_an_unknown_item_is_told_before_anything_runs_with_the_known_ones(project: Path) -> None:
    configure(project, '[monitor.item.training.files]\n"a" = {}\n[monitor.item.testing.files]\n"a" = {}\n')

    done = capsula("monitor", "-i", "trainin", "touch", "ran", cwd=project)

    assert (done.returncode, done.stderr.count("\n")) == (125, 1)
    assert all(word in done.stderr for word in ("trainin", "training", "testing"))
    assert not (project / "ran").exists()
    assert capsules(project) == []


def test_items_that_want_different_things_of_one_file_are_refused(project: Path) -> None:
    configure(project, "[monitor.item.a.files]\nx = { copy = true }\n[monitor.item.b.files]\nx = { move = true }\n")

    done = capsula("monitor", "-i", "a", "-i", "b", "touch", "ran", cwd=project)

    assert (done.returncode, "ran" in files(project)) == (125, False)


def test_a_mistake_in_the_configuration_is_told_before_anything_runs(project: Path) -> None:
    configure(project, "[monitor]\ncaptur = true\n")

    done = capsula("monitor", "touch", "ran", cwd=project)

    assert (done.returncode, "ran" in files(project)) == (125, False)
    assert "capture" in done.stderr


def test_the_files_of_all_items_are_kept_after_the_run(project: Path) -> None:
    configure(
        project,
        """
[monitor.item.one.files]
"out/*.csv" = { hash = "sha256", move = true }
[monitor.item.two.files]
"log.txt" = { copy = true }
"never.txt" = { copy = true }
""",
    )
    command = "mkdir out; echo 1 > out/a.csv; echo 2 > out/b.csv; echo 3 > log.txt"

    done = capsula("monitor", "-i", "one", "--item=two", "sh", "-c", command, cwd=project)

    capsule = only_capsule(project)
    after = document(capsule, "post-run-info.json")
    assert done.returncode == 0
    assert {name: entry["kept_as"] for name, entry in after["files"].items()} == {
        "out/a.csv": "out/a.csv",
        "out/b.csv": "out/b.csv",
        "log.txt": "log.txt",
    }
    assert ((capsule / "out/a.csv").read_text(), (capsule / "log.txt").read_text()) == ("1\n", "3\n")
    assert files(project / "out") == set()
    assert (project / "log.txt").exists()
    assert faults(after) == [(("files", "never.txt"), "missing")]
    assert done.stderr.count("\n") == 1


def test_a_file_that_was_kept_before_the_run_is_kept_after_it_too(project: Path) -> None:
    (project / "state.txt").write_text("before")
    configure(
        project,
        '[capture.files]\n"state.txt" = { copy = true }\n[monitor.item.run.files]\n"state.txt" = { copy = true }\n',
    )

    capsula("monitor", "-i", "run", "sh", "-c", "printf after > state.txt", cwd=project)

    capsule = only_capsule(project)
    assert (capsule / "state.txt").read_text() == "before"
    assert (capsule / "after/state.txt").read_text() == "after"
    assert document(capsule, "post-run-info.json")["files"]["state.txt"]["kept_as"] == "after/state.txt"


def test_without_capture_there_is_no_context(project: Path) -> None:
    configure(project, '[capture.files]\n"capsula.toml" = { copy = true }\n[monitor]\ncapture = false\n')

    done = capsula("monitor", "true", cwd=project)

    assert done.returncode == 0
    assert files(only_capsule(project)) == {"pre-run-info.json", "post-run-info.json", "stdout.log", "stderr.log"}


def test_the_command_knows_its_capsule(project: Path) -> None:
    script = "import os; print(os.environ['CAPSULA_CAPSULE_DIR'], os.environ['CAPSULA_CAPSULE_NAME'])"

    done = capsula("monitor", sys.executable, "-c", script, cwd=project)

    capsule = only_capsule(project)
    assert done.stdout == f"{capsule} {capsule.name}\n"


def test_the_environment_changes_only_as_the_record_says(project: Path) -> None:
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    bare = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project,
        env=environment(PYTHONHASHSEED=None),
        stdout=subprocess.PIPE,
        check=True,
    )

    done = capsula("monitor", sys.executable, "-c", script, cwd=project, PYTHONHASHSEED=None)

    changes = document(only_capsule(project), "pre-run-info.json")["environment_changes"]
    under, without = json.loads(done.stdout), json.loads(bare.stdout)
    assert {name: under[name] for name in under if under[name] != without.get(name)}.keys() == changes.keys()
    assert set(changes) == {"CAPSULA_CAPSULE_DIR", "CAPSULA_CAPSULE_NAME", "CAPSULA_CAPSULE_ID", "PYTHONHASHSEED"}
    assert under["PYTHONHASHSEED"] == changes["PYTHONHASHSEED"]
    assert without.keys() <= under.keys()


def test_a_variable_without_a_name_stops_nothing(project: Path) -> None:
    ended = behind(("env", "=x", "A=b"), "monitor", "sh", "-c", "echo $A", cwd=project)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "b\n", "")


def test_a_hash_seed_that_is_set_stays(project: Path) -> None:
    done = capsula("monitor", "printenv", "PYTHONHASHSEED", cwd=project, PYTHONHASHSEED="7")

    assert done.stdout == "7\n"


def test_the_hash_seed_can_be_left_alone(project: Path) -> None:
    configure(project, "[monitor]\nknown-hash-seed = false\n")

    done = capsula("monitor", "printenv", "PYTHONHASHSEED", cwd=project, PYTHONHASHSEED=None)

    assert (done.stdout, done.returncode) == ("", 1)


def test_hashing_stays_random_from_run_to_run_and_is_known(project: Path) -> None:
    script = "print(hash('capsula'))"

    told = [capsula("monitor", sys.executable, "-c", script, cwd=project, PYTHONHASHSEED=None).stdout for _ in range(2)]

    seeds = [document(each, "pre-run-info.json")["environment_changes"]["PYTHONHASHSEED"] for each in capsules(project)]
    again = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=environment(PYTHONHASHSEED=seed),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        for seed in seeds
    ]
    assert sorted(again) == sorted(told)
    assert told[0] != told[1]


def test_output_beyond_the_limit_stands_in_the_record_by_its_last_part(project: Path) -> None:
    configure(project, "[monitor]\noutput-in-record = 10\n")

    capsula("monitor", "printf", "0123456789abcdefghij", cwd=project)

    capsule = only_capsule(project)
    after = document(capsule, "post-run-info.json")
    assert after["stdout"] == "[the first 10 bytes are only in stdout.log]\nabcdefghij"
    assert after["logs"]["stdout"] == {"file": "stdout.log", "size": 20}
    assert (capsule / "stdout.log").read_bytes() == b"0123456789abcdefghij"


def test_output_that_is_no_text_stops_nothing(project: Path) -> None:
    script = "import sys; sys.stdout.buffer.write(bytes(range(256)))"

    done = subprocess.run(
        [sys.executable, "-P", "-m", "capsula", "monitor", sys.executable, "-c", script],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=PATIENCE,
    )

    capsule = only_capsule(project)
    assert done.stdout == (capsule / "stdout.log").read_bytes() == bytes(range(256))
    shown = document(capsule, "post-run-info.json")["stdout"]
    assert shown == bytes(range(256)).decode("utf-8", "backslashreplace")


def test_arguments_that_are_no_text_are_kept_exactly(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "capsula", "monitor", "printf", "%s", b"caf\xe9"],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=PATIENCE,
    )

    before = document(only_capsule(project), "pre-run-info.json")
    assert done.stdout == b"caf\xe9"
    assert before["args"] == ["printf", "%s", "caf\\xe9"]
    assert before["capsula"]["bytes"] == {"/args/2": "Y2Fm6Q=="}


def test_a_command_that_is_not_there_ends_with_127_and_is_recorded(project: Path) -> None:
    done = capsula("monitor", "no-such-program", cwd=project)

    after = document(only_capsule(project), "post-run-info.json")
    assert (done.returncode, after["exit_code"], after["capsula"]["status"]) == (127, 127, "failed")
    assert done.stderr.startswith("capsula: no-such-program: not found")
    assert faults(after) == [(("started",), "not found")]


def test_a_command_that_cannot_be_executed_ends_with_126(project: Path) -> None:
    done = capsula("monitor", "./capsula.toml", cwd=project)

    assert (done.returncode, document(only_capsule(project), "post-run-info.json")["exit_code"]) == (126, 126)


WITHOUT_NAME = signal.SIGRTMIN + 6


@pytest.mark.parametrize(
    ("number", "name", "status"),
    [
        (signal.SIGTERM, "SIGTERM", "killed"),
        (signal.SIGKILL, "SIGKILL", "killed"),
        (signal.SIGSEGV, "SIGSEGV", "killed"),
        (signal.SIGINT, "SIGINT", "interrupted"),
        (WITHOUT_NAME, str(WITHOUT_NAME), "killed"),
    ],
)
def test_a_death_by_signal_is_capsulas_own(project: Path, number: int, name: str, status: str) -> None:
    done = capsula("monitor", sys.executable, "-c", f"import os; os.kill(os.getpid(), {int(number)})", cwd=project)

    after = document(only_capsule(project), "post-run-info.json")
    assert done.returncode == -number
    assert (after["exit_code"], after["signal"], after["capsula"]["status"]) == (128 + number, name, status)


def test_a_shell_sees_143_for_a_command_that_was_terminated(project: Path) -> None:
    line = f"{sys.executable} -P -m capsula monitor sh -c 'kill -TERM $$'; echo $?"

    done = subprocess.run(
        ["sh", "-c", line], cwd=project, env=environment(), stdout=subprocess.PIPE, text=True, check=True
    )

    assert done.stdout == "143\n"


def test_a_program_records_values_across_the_process_boundary(project: Path) -> None:
    script = """
import subprocess, sys, capsula
capsula.record("loss", 0.5)
capsula.record("loss", 0.25)
subprocess.run([sys.executable, "-c", "import capsula; capsula.record('child', [1, None])"], check=True)
"""

    done = capsula("monitor", sys.executable, "-c", script, cwd=project)

    assert (done.returncode, done.stderr) == (0, "")
    assert document(only_capsule(project), "post-run-info.json")["records"] == {"loss": 0.25, "child": [1, None]}


def test_a_run_inside_a_run_knows_its_parent(project: Path) -> None:
    done = capsula("monitor", sys.executable, "-P", "-m", "capsula", "monitor", "true", cwd=project)

    outer, inner = sorted(
        (document(capsule, "post-run-info.json")["capsula"] for capsule in capsules(project)),
        key=lambda each: "parent" in each,
    )
    assert done.returncode == 0
    assert inner["parent"] == outer["id"]


def test_the_account_of_a_run_is_written_where_it_is_wanted(project: Path) -> None:
    done = capsula("monitor", "--json-file", "account.json", "sh", "-c", "exit 3", cwd=project)

    capsule = only_capsule(project)
    account = json.loads((project / "account.json").read_text())
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    assert (account["exit_code"], account["capsule"]["directory"], account["faults"]) == (3, str(capsule), [])
    assert stat.S_IMODE((project / "account.json").stat().st_mode) == 0o600


def test_without_any_configuration_the_first_run_works(tmp_path: Path) -> None:
    done = capsula("monitor", sys.executable, "-c", "print(7)", cwd=tmp_path)

    context = document(only_capsule(tmp_path), "context.json")
    assert (done.stdout, done.stderr, done.returncode) == ("7\n", "", 0)
    assert context["root_directory"] == str(tmp_path)
    assert (context["git"], context["files"]) == ({}, {})
    assert context["cpu"]["count"] == os.cpu_count()
    assert context["python_packages"]["interpreter"]["executable"] == sys.executable


def test_modules_that_are_the_commands_are_not_taken_for_ours(project: Path) -> None:
    theirs = project / "theirs"
    theirs.mkdir()
    for name in ("json", "attrs", "returns"):
        (theirs / f"{name}.py").write_text(f"print('not {name}')\n")

    command = (sys.executable, "-c", "import json, returns")
    done = capsula("monitor", *command, cwd=project, PYTHONPATH=f"{theirs}{os.pathsep}")

    assert (done.stdout, done.stderr, done.returncode) == ("not json\nnot returns\n", "", 0)


def test_nothing_is_said_of_how_we_read_files(project: Path) -> None:
    done = capsula("monitor", "true", cwd=project, PYTHONWARNDEFAULTENCODING="1", PYTHONWARNINGS="error")

    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_the_input_of_the_command_is_the_callers(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "capsula", "monitor", "cat"],
        cwd=project,
        env=environment(),
        input=b"\x00in\xff",
        stdout=subprocess.PIPE,
        check=True,
        timeout=PATIENCE,
    )

    assert done.stdout == b"\x00in\xff"


def test_streams_that_are_one_file_stay_in_order_and_are_kept_as_one(project: Path) -> None:
    with (project / "both.txt").open("wb") as both:
        subprocess.run(
            [sys.executable, "-P", "-m", "capsula", "monitor", "sh", "-c", "echo 1; echo 2 >&2; echo 3"],
            cwd=project,
            env=environment(),
            stdout=both,
            stderr=both,
            check=True,
            timeout=PATIENCE,
        )

    after = document(only_capsule(project), "post-run-info.json")
    assert (project / "both.txt").read_text() == "1\n2\n3\n"
    assert (after["stdout"], after["stderr"], after["merged"]) == ("1\n2\n3\n", "", True)


def test_an_account_is_never_written_over_a_file(project: Path) -> None:
    (project / "precious").write_text("precious")

    taken = capsula("monitor", "--json-file", "precious", "touch", "ran", cwd=project)
    nowhere = capsula("monitor", "--json-file", "no/such/folder", "touch", "ran", cwd=project)

    assert (taken.returncode, nowhere.returncode, "ran" in files(project)) == (125, 125, False)
    assert (project / "precious").read_text() == "precious"


def test_an_account_that_is_gone_when_the_run_ends_costs_itself(project: Path) -> None:
    done = capsula("monitor", "--json-file", "account.json", "sh", "-c", "rm account.json; exit 3", cwd=project)

    assert (done.returncode, done.stderr) == (
        3,
        "capsula: account.json could not be written: No such file or directory\n",
    )
    assert document(only_capsule(project), "post-run-info.json")["exit_code"] == 3


def test_an_account_tells_of_a_command_that_was_refused(project: Path) -> None:
    configure(project, 'environment-variables = ["UNSET_VARIABLE"]\n')

    done = capsula("monitor", "--strict", "--json-file", "account.json", "true", cwd=project)

    account = json.loads((project / "account.json").read_text())
    assert (done.returncode, account["exit_code"], account["run_time"], account["capsule"]) == (125, 125, None, None)
    assert [fault["path"] for fault in account["faults"]] == [["environment_variables", "UNSET_VARIABLE"]]


def test_without_a_command_there_is_nothing_to_run(project: Path) -> None:
    done = capsula("monitor", "--strict", "--", cwd=project)

    told = "capsula: which command is to be run? see `capsula monitor --help`\n"
    assert (done.returncode, done.stdout, done.stderr, capsules(project)) == (125, "", told, [])


def test_of_many_faults_the_first_are_told_and_the_others_counted(project: Path) -> None:
    names = [f"UNSET_{number}" for number in range(5)]
    configure(project, f"environment-variables = {names}\n")

    done = capsula("monitor", "true", cwd=project)

    assert [name in done.stderr for name in names] == [True, True, True, False, False]
    assert "; and 2 more; `capsula show " in done.stderr


def test_what_a_tool_runner_puts_before_the_path_is_not_the_commands(project: Path, tmp_path: Path) -> None:
    tool, own = tmp_path / ".cache" / "tool", tmp_path / "own"
    for place in (tool, own):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    (project / "capsula.toml").write_text("[capture]\ninclude-cpu = false\n")
    packages = [str(Path(__file__).parents[2]), *(path for path in sys.path if path.endswith("site-packages"))]
    paths = [str(tool / "bin"), str(own / "bin"), os.environ["PATH"]]

    done = subprocess.run(
        [tool / "bin" / "python", "-m", "capsula", "monitor", "python", "-c", "import sys; print(sys.prefix)"],
        cwd=project,
        env=environment(PATH=os.pathsep.join(paths), VIRTUAL_ENV=str(own), PYTHONPATH=os.pathsep.join(packages)),
        capture_output=True,
        text=True,
        check=False,
    )

    capsule = only_capsule(project)
    interpreter = document(capsule, "context.json")["python_packages"]["interpreter"]
    assert (done.returncode, done.stdout, interpreter["prefix"]) == (0, f"{own}\n", str(own))
    assert document(capsule, "pre-run-info.json")["environment_changes"]["PATH"] == os.pathsep.join(paths[1:])


USING = """
import json, os, resource, subprocess, sys
held = bytearray(64 * 1024 * 1024)
with open("big", "wb") as file:
    file.write(held[: 1024 * 1024])
    os.fsync(file.fileno())
subprocess.run([sys.executable, "-c", "sum(range(2_000_000))"], check=True)
own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps({
    "user_time": own.ru_utime + children.ru_utime,
    "system_time": own.ru_stime + children.ru_stime,
    "max_memory": 1024 * own.ru_maxrss,
    "disk_read": 512 * (own.ru_inblock + children.ru_inblock),
    "disk_written": 512 * (own.ru_oublock + children.ru_oublock),
}))
"""


@pytest.fixture
def little_memory() -> Iterator[Path]:
    """A control group below ours whose processes may have 150 MB."""
    mount, known = Path("/sys/fs/cgroup"), groups(Path("/"))
    ours = mount / "memory" / known["memory"].strip("/") if "memory" in known else mount / known.get("", "").strip("/")
    group = ours / f"capsula-{os.getpid()}"
    limit = group / ("memory.limit_in_bytes" if "memory" in known else "memory.max")
    try:
        group.mkdir()
    except OSError:
        pytest.skip("needs: a control group")
    try:
        if not limit.exists():
            pytest.skip("needs: a control group")
        limit.write_text("150000000")
        yield group
    finally:
        group.rmdir()


def test_a_command_that_was_killed_for_want_of_memory_is_told_from_others(project: Path, little_memory: Path) -> None:
    inside = ("sh", "-c", f'echo $$ > {little_memory}/cgroup.procs; exec "$@"', "sh")
    hungry = (sys.executable, "-c", "print(len(bytearray(600_000_000)))")

    ends = [behind(inside, "monitor", *command, cwd=project).returncode for command in (("sh", "-c", "exit 3"), hungry)]

    told = [document(capsule, "post-run-info.json")["resources"]["killed_for_memory"] for capsule in capsules(project)]
    shown = capsula("show", cwd=project).stdout
    assert (ends, told) == ([3, -signal.SIGKILL], [0, 1])
    assert "for want of memory the system killed 1 process of its control group meanwhile\n" in shown


def test_what_the_command_and_its_children_used_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)

    done = capsula("monitor", sys.executable, "-c", USING, cwd=tmp_path)

    used = document(only_capsule(tmp_path), "post-run-info.json")["resources"]
    told = json.loads(done.stdout)
    assert used.keys() == {*told, "killed_for_memory"}
    assert [key for key in told if used[key] < told[key]] == []
    assert told["max_memory"] > 64 * 1024 * 1024
    assert told["user_time"] > 0
