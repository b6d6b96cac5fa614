"""A command that is run by us starts and ends as if it were run bare."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from returns.result import Failure, Success

from capsula.core.fault import Fault
from capsula.effects.process import resolved
from tests.effects.wrapping import (
    ELSEWHERE,
    PATIENCE,
    Terminal,
    Wrapper,
    awaited,
    children,
    output_of,
    powerless,
    read_until,
)


@pytest.mark.parametrize("status", [0, 3, 255])
def test_the_exit_status_is_that_of_the_command(wrapper: Wrapper, status: int) -> None:
    ended = wrapper.run("sh", "-c", f"exit {status}")

    assert (ended.returncode, wrapper.ending, wrapper.faults) == (status, (status, None), [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV, signal.SIGKILL, signal.SIGINT])
def test_we_die_by_the_signal_that_the_command_died_by(wrapper: Wrapper, number: int) -> None:
    ended = wrapper.run("sh", "-c", f"kill -{number} $$")

    assert (ended.returncode, wrapper.ending) == (-number, (128 + number, number))


def test_a_signal_that_is_blocked_for_us_ends_us_as_it_ended_the_command(wrapper: Wrapper) -> None:
    script = "import os, signal; signal.pthread_sigmask(signal.SIG_UNBLOCK, {15}); os.kill(os.getpid(), 15)"
    blocked = Wrapper(wrapper.directory, before="import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {15})")

    ended = blocked.run(sys.executable, "-I", "-S", "-c", script)

    assert (ended.returncode, blocked.ending) == (-signal.SIGTERM, (128 + signal.SIGTERM, signal.SIGTERM))


def test_of_a_command_that_crashes_there_is_one_core(wrapper: Wrapper, tmp_path: Path) -> None:
    crash = ("sh", "-c", "kill -SEGV $$")

    is_dumped = [_dumps_core(argv, tmp_path) for argv in (crash, wrapper.argv(*crash))]

    if not is_dumped[0] or Path("/proc/sys/kernel/core_pattern").read_text().startswith("|"):
        pytest.skip("needs: files of cores")
    assert is_dumped == [True, False]


def test_what_cannot_be_started_ends_as_in_a_shell(wrapper: Wrapper, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    _program(tmp_path / "plain", "echo never", mode=0o644)
    _program(tmp_path / "binary", "\0\n")
    _program(tmp_path / "orphan", "#!/nonexistent/interpreter\n")
    _program(tmp_path / "strange", "#!/etc/passwd/interpreter\n")
    there = ["./directory", "./plain", "./binary", "./strange"]
    commands = ["./nothing", "nothing-of-that-name", "./orphan", *there]

    bare = [
        subprocess.run(["bash", "-c", name], cwd=tmp_path, capture_output=True, check=False).returncode
        for name in commands
    ]
    ended = [_started_in(tmp_path, Wrapper(_made(tmp_path / f"logs {name[2:]}")), name) for name in commands]

    assert [status for status, _ in ended] == bare == [127] * 3 + [126] * 4
    assert [kinds for _, kinds in ended] == [[["not found"]]] * 3 + [[["not executable"]]] * 4


def test_a_script_without_a_first_line_is_run_by_the_shell(wrapper: Wrapper, tmp_path: Path) -> None:
    _program(tmp_path / "script", 'echo "$0 $1"')

    ended = wrapper.run("./script", "argument", cwd=tmp_path)

    assert (ended.returncode, ended.stdout) == (0, b"./script argument\n")


def test_the_command_starts_in_its_own_directory_and_we_stay_in_ours(wrapper: Wrapper, tmp_path: Path) -> None:
    there, here = _made(tmp_path / "there"), _made(tmp_path / "here")
    _program(there / "where", "#!/bin/sh\npwd -P")
    moved = Wrapper(wrapper.directory, cwd=f"Path({str(there)!r})", after="print(os.getcwd(), flush=True)")

    ended = moved.run("./where", cwd=here)

    assert ended.stdout.decode().splitlines() == [str(there.resolve()), str(here.resolve())]


def test_a_directory_that_is_not_there_is_a_fault(wrapper: Wrapper, tmp_path: Path) -> None:
    nowhere = Wrapper(wrapper.directory, cwd=f"Path({str(tmp_path / 'nowhere')!r})")

    ended = nowhere.run("true")

    assert (ended.returncode, nowhere.faults) == (125, [["missing"]])


def test_a_name_is_looked_up_on_the_path_of_the_command(tmp_path: Path) -> None:
    _program(_made(tmp_path / "one") / "program", "", mode=0o644)
    _program(_made(tmp_path / "two") / "program", "")
    _program(tmp_path / "program", "")

    found = [
        resolved("program", {"PATH": f"{tmp_path}/one:{tmp_path}/two"}, tmp_path),
        resolved("program", {"PATH": "one:two"}, tmp_path),
        resolved("program", {"PATH": ""}, tmp_path),
        resolved("./program", {"PATH": "two"}, tmp_path),
        resolved("sh", {}, tmp_path),
    ]

    assert found == [
        Success(f"{tmp_path}/two/program"),
        Success("two/program"),
        Success("program"),
        Success("./program"),
        Success("/bin/sh"),
    ]


def test_a_name_that_is_nowhere_is_told_from_one_that_is_no_program(tmp_path: Path) -> None:
    _program(tmp_path / "plain", "", mode=0o644)

    missing, plain, empty = (resolved(name, {"PATH": "."}, tmp_path) for name in ("missing", "plain", ""))

    assert missing == Failure(Fault("not found", "missing: not found", "check its spelling and PATH"))
    assert plain.failure().kind == "not executable"
    assert empty.failure().kind == "not found"


def test_a_program_that_is_hidden_from_us_ends_as_in_a_shell(wrapper: Wrapper, tmp_path: Path) -> None:
    _program(_made(tmp_path / "hidden") / "program", "")
    (tmp_path / "hidden").chmod(0)

    bare = subprocess.run(
        [*powerless(), "bash", "-c", "hidden/program"], cwd=tmp_path, stderr=subprocess.DEVNULL, check=False
    )
    ended = subprocess.run([*powerless(), *wrapper.argv("hidden/program")], cwd=tmp_path, check=False)

    assert (ended.returncode, wrapper.faults) == (bare.returncode, [["not executable"]]) == (126, [["not executable"]])


def test_standard_input_is_the_callers(wrapper: Wrapper) -> None:
    ended = wrapper.run("sh", "-c", "read first; echo $first; cat", input=b"one\ntwo\n\xff\0three")

    assert ended.stdout == b"one\ntwo\n\xff\0three"


def test_process_substitution_works(wrapper: Wrapper) -> None:
    ended = subprocess.run(
        ["bash", "-c", '"$@" cat <(echo hi) <(echo there)', "bash", *wrapper.argv()], capture_output=True, check=False
    )

    assert (ended.returncode, ended.stdout) == (0, b"hi\nthere\n")


def test_an_inherited_descriptor_reaches_the_command_and_none_of_ours_does(wrapper: Wrapper) -> None:
    outlet, entrance = os.pipe()

    ended = wrapper.run("bash", "-c", f"ls /proc/self/fd; echo hi >&{entrance}", pass_fds=[entrance])

    os.close(entrance)
    assert sorted(map(int, ended.stdout.split())) == sorted([0, 1, 2, 3, entrance])
    assert read_until(outlet, None) == b"hi\n"
    os.close(outlet)


@pytest.mark.parametrize(
    ("closed", "left"),
    [("<&-", b"1\n2\n"), (">&-", b"0\n2\n"), ("<&- >&-", b"2\n"), ("2>&-", b"0\n1\n"), ("<&- >&- 2>&-", b"")],
)
def test_what_was_closed_stays_closed(wrapper: Wrapper, closed: str, left: bytes) -> None:
    probe = "for number in 0 1 2; do test -e /proc/$$/fd/$number && echo $number >&9; done; exit 3"
    command = wrapper.argv("sh", "-c", probe)

    ended = subprocess.run(["sh", "-c", f'exec 9>&1; "$@" {closed}', "sh", *command], capture_output=True, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, left, b"")
    assert (wrapper.outcome["sizes"], wrapper.logs, wrapper.faults) == ([0, 0], (b"", b""), [])


def test_arguments_and_environment_pass_unchanged(wrapper: Wrapper) -> None:
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "EMPTY": "", "LINES": "one\ntwo", "BYTES": "\udcff"}
    command = ["sh", "-c", 'printf "%s\\0" "$@"; env -0', "sh", "", "a b", "\udcff", "*"]

    bare = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=False)
    ended = wrapper.run(*command, env=environ)

    assert sorted(ended.stdout.split(b"\0")) == sorted(bare.stdout.split(b"\0"))


def test_the_command_has_the_signal_mask_and_dispositions_of_its_caller(wrapper: Wrapper) -> None:
    def prepare() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})

    command = ["grep", "-E", "Sig(Blk|Ign|Cgt)", "/proc/self/status"]

    bare = subprocess.run(command, preexec_fn=prepare, stdout=subprocess.PIPE, check=False)
    ended = wrapper.run(*command, preexec_fn=prepare)

    assert _masks(ended.stdout) == _masks(bare.stdout)


def test_a_caller_that_ignores_its_children_still_learns_the_end_and_ignores_them_again(wrapper: Wrapper) -> None:
    ignoring = Wrapper(
        wrapper.directory, after="import signal; assert signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN"
    )

    ended = ignoring.run(
        "sh", "-c", "exit 3", preexec_fn=lambda: _set(signal.SIGCHLD, signal.SIG_IGN), restore_signals=False
    )

    assert (ended.returncode, ignoring.ending) == (3, (3, None))


def test_what_cannot_be_started_by_a_caller_that_ignores_its_children_ends_as_ever(
    wrapper: Wrapper, tmp_path: Path
) -> None:
    (tmp_path / "lost").write_text("#!/not/there\n")
    (tmp_path / "plain").write_text("exit 4\n")
    for script in ("lost", "plain"):
        (tmp_path / script).chmod(0o755)

    ends = [
        wrapper.run(str(tmp_path / script), preexec_fn=lambda: _set(signal.SIGCHLD, signal.SIG_IGN)).returncode
        for script in ("lost", "plain")
    ]

    assert ends == [127, 4]


def test_the_command_is_in_our_group_and_session(wrapper: Wrapper) -> None:
    script = "import os; print(os.getpgrp() == os.getpgid(os.getppid()), os.getsid(0) == os.getsid(os.getppid()))"

    ended = wrapper.run(sys.executable, "-c", script)

    assert ended.stdout == b"True True\n"


@pytest.mark.parametrize("platform", ["", ELSEWHERE])
def test_we_are_left_as_we_were(tmp_path: Path, platform: str) -> None:
    one, two, three = (Wrapper(_made(tmp_path / name), before=platform).observed for name in ("one", "two", "three"))

    apart = one.run("true")
    together = two.run("head", "-c", "1000000", "/dev/zero", stderr=subprocess.STDOUT)
    terminal = Terminal.of(three.argv("echo", "out"))

    assert (apart.returncode, apart.stderr) == (0, b"")
    assert (together.returncode, together.stdout) == (0, bytes(1_000_000))
    assert (terminal.shown_until(b"out\r\n"), terminal.ended()) == (b"out\r\n", 0)


@pytest.mark.parametrize("most", [5, 7, 11, 13])
def test_few_descriptors_cost_the_record_and_none_of_them_is_kept(wrapper: Wrapper, most: int) -> None:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({most}, {most}))"
    limited = Wrapper(wrapper.directory, before=limit).observed

    ended = limited.run("sh", "-c", "echo out; exit 3")

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, b"out\n", b"")
    assert limited.faults[-1] == ["stderr", "failed"]


def test_where_no_thread_can_be_started_the_streams_are_left_alone(wrapper: Wrapper) -> None:
    narrow = Wrapper(wrapper.directory, before=_room_for_threads(0)).observed

    ended = narrow.run("sh", "-c", "echo out; exit 3")

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, b"out\n", b"")
    assert narrow.faults == [["stdout", "failed"], ["stderr", "failed"]]


def test_a_log_is_hashed_where_no_third_thread_can_be_started(wrapper: Wrapper) -> None:
    narrow = Wrapper(wrapper.directory, before=_room_for_threads(2))

    script = "import os; os.write(1, bytes(1_000_000)); os.read(0, 1)"
    process = narrow.start(sys.executable, "-I", "-S", "-c", script)
    shown = read_until(output_of(process), b"\0")  # the thread of the other stream is there as long as the command is
    rest, _ = process.communicate(b"go", PATIENCE)

    assert (process.returncode, narrow.faults, shown + rest) == (0, [], bytes(1_000_000))
    assert narrow.outcome["sums"][0] == [1_000_000, sha256(bytes(1_000_000)).hexdigest()]


IGNORING = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
@pytest.mark.parametrize("before", ["", IGNORING])
@pytest.mark.parametrize("error", ["EAGAIN", "ENOMEM"])
@pytest.mark.parametrize(
    ("when", "ending"), [("1+", (125, b"", [["failed"]])), ("2", (3, b"ran\n", []))], ids=["none", "one"]
)
def test_a_command_is_run_as_long_as_there_can_be_one_process(
    wrapper: Wrapper, before: str, error: str, when: str, ending: tuple[int, bytes, list[list[str]]]
) -> None:
    alone = Wrapper(wrapper.directory, before, stdout_log="None", stderr_log="None")
    calls = "/^(clone3?|v?fork)$"
    failing = ("-e", f"trace={calls}", "-e", f"inject={calls}:error={error}:when={when}")

    ended = subprocess.run(
        ["strace", "-qq", "-o", os.devnull, *failing, *alone.argv("sh", "-c", "echo ran; exit 3")],
        capture_output=True,
        check=False,
    )

    if b"ptrace" in ended.stderr.lower():
        pytest.skip("needs: strace")
    assert (ended.returncode, ended.stdout, alone.faults) == ending
    assert (alone.ending, ended.stderr) == ((ended.returncode, None), b"")


def test_a_run_outside_the_main_thread_is_a_run(wrapper: Wrapper) -> None:
    aside = "from concurrent.futures import ThreadPoolExecutor\ninner = run\n"
    aside += "run = lambda *given: ThreadPoolExecutor(1).submit(inner, *given).result()"
    threaded = Wrapper(wrapper.directory, before=aside)

    ended = threaded.run("sh", "-c", "echo out; echo err >&2; exit 3")

    assert (ended.returncode, ended.stdout, ended.stderr, threaded.logs) == (
        3,
        b"out\n",
        b"err\n",
        (b"out\n", b"err\n"),
    )


def test_our_sudden_death_leaves_no_helper_behind(wrapper: Wrapper) -> None:
    process = wrapper.start("sh", "-c", "echo ready; read go")
    read_until(output_of(process), b"ready\n")
    family = children(process.pid)

    process.kill()
    process.wait(PATIENCE)
    assert process.stdin is not None
    process.stdin.close()

    awaited(lambda: not any(Path(f"/proc/{pid}/fd/0").exists() for pid in family))
    assert len(family) == 2
    _stdout_closed(process)


def _room_for_threads(number: int) -> str:
    """Return what lets so many threads be started and no more: each reserves much for its stack."""
    return f"""
import resource, threading
taken = int(Path("/proc/self/status").read_text().partition("VmSize:")[2].split()[0]) * 1024
most = taken + ({number} * 4 + 2) * 2 ** 28
resource.setrlimit(resource.RLIMIT_AS, (most, most))
threading.stack_size(2 ** 30)
"""


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _program(path: Path, text: str, mode: int = 0o755) -> None:
    path.write_text(text)
    path.chmod(mode)


def _started_in(directory: Path, wrapper: Wrapper, name: str) -> tuple[int, list[list[str]]]:
    return wrapper.run(name, cwd=directory).returncode, wrapper.faults


def _dumps_core(argv: Sequence[str], directory: Path) -> bool:
    """Return whether a program that ends leaves its memory in the directory, if nothing forbids that."""
    front = ("sh", "-c", 'cd "$0" && ulimit -c unlimited && exec "$@"', str(directory))
    pid = os.posix_spawnp("sh", (*front, *argv), os.environ)
    return os.WCOREDUMP(os.waitpid(pid, 0)[1])


def _masks(status: bytes) -> list[int]:
    """Return the masks but for signals 32 and 33, which are the C library's own: its ``posix_spawn`` ignores them."""
    return [int(line.split()[1], 16) & ~(0b11 << 31) for line in status.splitlines()]


def _set(number: signal.Signals, handler: signal.Handlers) -> None:
    signal.signal(number, handler)


def _stdout_closed(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    process.stdout.close()
