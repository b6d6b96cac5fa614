"""What a command writes reaches its reader and the log byte for byte, as it comes."""

import fcntl
import os
import resource
import signal
import stat
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from time import sleep

import pytest

from capsula.effects.streams import GRACE, Stream, pumping
from tests.effects.wrapping import (
    ELSEWHERE,
    PATIENCE,
    Terminal,
    Wrapper,
    awaited,
    children,
    pending,
    powerless,
    read_until,
    waiting,
)

MIB = 1024 * 1024
PIPE = 64 * 1024
"""Bytes that a pipe holds, unless it is told to hold more."""
ALL_BYTES = bytes(range(256)) + b"\r\nprogress 1\rprogress 2\r\n" + bytes(reversed(range(256)))


def test_every_byte_of_each_stream_arrives_and_is_kept(wrapper: Wrapper, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(ALL_BYTES)

    ended = wrapper.run("sh", "-c", "cat bytes; cat bytes bytes >&2", cwd=tmp_path)

    assert (ended.stdout, ended.stderr) == wrapper.logs == (ALL_BYTES, ALL_BYTES * 2)
    assert wrapper.outcome["sizes"] == [len(ALL_BYTES), 2 * len(ALL_BYTES)]
    assert (wrapper.outcome["merged"], wrapper.faults) == (False, [])


def test_of_each_log_we_know_what_is_in_it(wrapper: Wrapper) -> None:
    script = "import os; os.write(1, bytes(range(250)) * 20_000); os.write(2, b'password=canary-hunter2\\n')"

    ended = wrapper.run(sys.executable, "-I", "-S", "-c", script)

    assert ended.stderr == b"password=canary-hunter2\n"
    assert wrapper.outcome["sums"] == [[len(log), sha256(log).hexdigest()] for log in wrapper.logs]


def test_a_secret_in_two_parts_reaches_the_reader_and_not_the_log(wrapper: Wrapper) -> None:
    script = "printf 'pass'; sleep 0.1; printf 'word=canary-hun'; sleep 0.1; echo 'ter2; done'"

    ended = wrapper.run("sh", "-c", script)

    assert ended.stdout == b"password=canary-hunter2; done\n"
    assert wrapper.logs == (b"password=[redacted named]; done\n", b"")
    assert wrapper.outcome["sizes"] == [len(ended.stdout), 0]


def test_the_first_line_is_there_while_the_command_waits(wrapper: Wrapper) -> None:
    process = wrapper.start("sh", "-c", "echo first; read go; echo $go")
    assert process.stdout is not None

    first = read_until(process.stdout.fileno(), b"\n")
    kept = (wrapper.directory / "stdout.log").read_bytes()
    rest, _ = process.communicate(b"second\n", PATIENCE)

    assert (first, kept, rest) == (b"first\n", b"first\n", b"second\n")


@pytest.mark.parametrize("is_file", [True, False])
def test_streams_that_are_one_keep_their_order(wrapper: Wrapper, tmp_path: Path, is_file: bool) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done"
    expected = b"".join(b"out %d\nerr %d\n" % (i, i) for i in range(1, 10))
    both = tmp_path / "both"

    with both.open("wb") as file:
        ended = wrapper.run("sh", "-c", script, stdout=file if is_file else subprocess.PIPE, stderr=subprocess.STDOUT)

    assert (both.read_bytes() if is_file else ended.stdout) == expected
    assert (wrapper.logs, wrapper.outcome["merged"]) == ((expected, b""), True)
    assert wrapper.outcome["sizes"] == [len(expected), 0]


def test_what_the_command_leaves_behind_does_not_hold_us(wrapper: Wrapper) -> None:
    outlet, entrance = os.pipe()
    script = f"bash -c 'read <&{outlet}' & echo done"

    process = wrapper.start("bash", "-c", script, pass_fds=[outlet], stderr=subprocess.DEVNULL)
    status = process.wait(PATIENCE)

    assert (status, wrapper.logs[0]) == (0, b"done\n")
    assert wrapper.faults == [["stdout", "held open"], ["stderr", "held open"]]
    os.close(entrance)
    os.close(outlet)
    process.communicate()


def test_what_is_left_behind_and_never_silent_does_not_hold_us_either(wrapper: Wrapper) -> None:
    process = wrapper.start("sh", "-c", "yes 2>&- & exit 3")
    assert process.stdout is not None

    passed_on = 0
    while passed_on < 64 * MIB and (chunk := os.read(process.stdout.fileno(), 4096)):  # slower than it writes
        passed_on += len(chunk)
    process.stdout.close()

    assert (process.wait(PATIENCE), wrapper.faults) == (3, [["stdout", "held open"]])
    assert passed_on < 64 * MIB
    process.communicate()


def test_what_comes_a_moment_after_the_end_is_kept(wrapper: Wrapper) -> None:
    ended = wrapper.run("bash", "-c", "exec > >(cat; echo late); echo early")

    assert (ended.stdout, wrapper.faults) == (b"early\nlate\n", [])


def test_a_full_pipe_is_emptied_after_the_end(wrapper: Wrapper) -> None:
    process = wrapper.start("head", "-c", str(MIB), "/dev/zero")
    process.stdin.close() if process.stdin else None
    assert process.stdout is not None

    passed_on = process.stdout.read()
    status = process.wait(PATIENCE)

    assert (status, len(passed_on), len(wrapper.logs[0]), wrapper.faults) == (0, MIB, MIB, [])
    process.stdout.close()


def test_a_pipe_that_does_not_wait_for_its_reader_loses_nothing(wrapper: Wrapper) -> None:
    outlet, entrance = os.pipe()
    os.set_blocking(entrance, False)

    process = wrapper.start("head", "-c", str(MIB), "/dev/zero", stdout=entrance)
    os.close(entrance)
    awaited(lambda: waiting(outlet) == PIPE)
    passed_on = read_until(outlet, None)

    assert (process.wait(PATIENCE), passed_on, wrapper.logs[0], wrapper.faults) == (0, bytes(MIB), bytes(MIB), [])
    os.close(outlet)
    process.communicate()


def test_who_may_have_no_larger_pipes_has_small_ones(wrapper: Wrapper) -> None:
    filling = """
import fcntl
held = []
try:
    while len(held) < 256:
        held.append(os.pipe())
        fcntl.fcntl(held[-1][1], fcntl.F_SETPIPE_SZ, 1024 * 1024)
except PermissionError:
    pass
"""
    full = Wrapper(wrapper.directory, before=filling, after="assert len(held) < 256")

    ended = subprocess.run(
        [*powerless(), *full.argv("head", "-c", str(MIB), "/dev/zero")], stdout=subprocess.PIPE, check=False
    )

    assert (ended.returncode, ended.stdout, full.logs[0], full.faults) == (0, bytes(MIB), bytes(MIB), [])


def test_a_writer_without_end_ends_with_its_reader(wrapper: Wrapper) -> None:
    process = wrapper.start("yes")
    assert process.stdout is not None

    first = os.read(process.stdout.fileno(), 2)
    process.stdout.close()

    assert (first, process.wait(PATIENCE)) == (b"y\n", -signal.SIGPIPE)
    assert (wrapper.ending, wrapper.faults) == ((128 + signal.SIGPIPE, signal.SIGPIPE), [])
    process.communicate()


def test_much_output_needs_little_memory(wrapper: Wrapper) -> None:
    ended = wrapper.run("head", "-c", str(64 * MIB), "/dev/zero", stdout=subprocess.DEVNULL)

    assert (ended.returncode, wrapper.outcome["sizes"]) == (0, [64 * MIB, 0])
    assert (wrapper.directory / "stdout.log").stat().st_size == 64 * MIB
    assert wrapper.outcome["peak"] < 64 * MIB


def test_a_full_disk_of_the_caller_costs_the_caller_and_not_the_run(wrapper: Wrapper) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = wrapper.run("sh", "-c", "echo one; echo two; seq 100000; exit 3", stdout=full)

    assert (ended.returncode, ended.stderr, wrapper.faults) == (3, b"", [["stdout", "full"]])
    assert wrapper.logs[0].startswith(b"one\ntwo\n1\n")
    assert wrapper.logs[0].endswith(b"\n100000\n")


def test_a_full_disk_of_the_log_costs_the_log_and_not_the_run(wrapper: Wrapper) -> None:
    limit = (MIB, resource.RLIM_INFINITY)

    ended = wrapper.run(
        "sh",
        "-c",
        f"head -c {3 * MIB} /dev/zero; exit 3",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )

    assert (ended.returncode, len(ended.stdout)) == (3, 3 * MIB)
    assert (len(wrapper.logs[0]), wrapper.faults) == (MIB, [["stdout", "failed"]])
    assert wrapper.outcome["sums"] == [None, [0, sha256(b"").hexdigest()]]  # of the first nobody knows how it ends


def test_a_writer_that_nobody_takes_bytes_from_is_told(wrapper: Wrapper) -> None:
    unrecorded = Wrapper(wrapper.directory, stdout_log="logs / 'nowhere' / 'stdout.log'")

    with Path("/dev/full").open("wb") as full:
        ended = unrecorded.run("yes", stdout=full)

    assert ended.returncode == -signal.SIGPIPE
    assert unrecorded.faults == [["stdout", "missing"], ["stdout", "full"]]


def test_without_logs_the_run_is_the_same(wrapper: Wrapper) -> None:
    nowhere = {f"{name}_log": f"logs / 'nowhere' / '{name}.log'" for name in ("stdout", "stderr")}
    unrecorded = Wrapper(wrapper.directory, **nowhere)

    ended = unrecorded.run("sh", "-c", "echo out; echo err >&2; exit 3")

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, b"out\n", b"err\n")
    assert unrecorded.faults == [["stdout", "missing"], ["stderr", "missing"]]


def test_a_stream_that_is_to_have_no_log_is_left_alone(wrapper: Wrapper, tmp_path: Path) -> None:
    alone = Wrapper(wrapper.directory, stdout_log="None", stderr_log="None")
    file = tmp_path / "file"
    script = (
        "import os; os.write(1, b'long'); os.lseek(1, 0, 0); os.ftruncate(1, 0); os.write(2, os.readlink(b'/dev/fd/1'))"
    )

    with file.open("wb") as stdout:
        ended = alone.run(sys.executable, "-c", script, stdout=stdout)

    assert (ended.stderr, file.read_bytes()) == (bytes(file), b"")
    assert {name: alone.outcome[name] for name in ("merged", "sizes", "faults")} == {
        "merged": None,
        "sizes": [None, None],
        "faults": [],
    }
    assert [path.name for path in wrapper.directory.iterdir()] == ["outcome"]


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_a_log_is_a_new_file_for_our_eyes_only(
    wrapper: Wrapper, tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "precious").write_text("precious")
    plant(tmp_path / "precious", wrapper.directory / "stdout.log")

    ended = wrapper.run("sh", "-c", "echo out; echo err >&2", umask=0)

    assert (ended.stdout, wrapper.faults) == (b"out\n", [["stdout", "failed"]])
    assert (tmp_path / "precious").read_text() == "precious"
    assert stat.S_IMODE((wrapper.directory / "stderr.log").stat().st_mode) == 0o600


@pytest.mark.parametrize("platform", ["", ELSEWHERE])
def test_a_reader_that_waits_is_waited_for_until_we_are_told_to_end(wrapper: Wrapper, platform: str) -> None:
    process = Wrapper(wrapper.directory, before=platform).start(
        "sh", "-c", f"echo $$ >&2; exec head -c {MIB} /dev/zero", stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    pid = int(read_until(process.stderr.fileno(), b"\n"))
    while Path(f"/proc/{pid}").exists():
        pass

    process.terminate()

    assert process.wait(PATIENCE) == 0
    assert wrapper.faults == [["stdout", "cut off"]]
    process.communicate()


def test_a_command_sees_a_terminal_where_we_have_one(wrapper: Wrapper) -> None:
    script = "import os; os.write(2, b'err'); print([os.isatty(number) for number in range(3)], flush=True)"

    all_three = Terminal.of(wrapper.argv(sys.executable, "-c", script))
    seen = all_three.shown_until(b"\n")

    assert (all_three.ended(), seen.replace(b"err", b"")) == (0, b"[True, True, True]\r\n")
    assert wrapper.logs == (b"[True, True, True]\n", b"err")


def test_only_the_stream_that_is_a_terminal_is_one(wrapper: Wrapper, tmp_path: Path) -> None:
    script = "import os; os.write(2, str([os.isatty(number) for number in range(3)]).encode())"

    with (tmp_path / "out").open("wb") as out:
        terminal = Terminal.of(wrapper.argv(sys.executable, "-c", script), stdout=out)
    terminal.shown_until(b"]")

    assert (terminal.ended(), wrapper.logs) == (0, (b"", b"[True, False, True]"))


def test_bytes_on_a_terminal_are_kept_as_they_were_written(wrapper: Wrapper, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(ALL_BYTES * 100)

    terminal = Terminal.of(wrapper.argv("sh", "-c", f"cat '{tmp_path}/bytes'; echo END"))
    terminal.shown_until(b"END")

    assert (terminal.ended(), wrapper.logs[0]) == (0, ALL_BYTES * 100 + b"END\n")


@pytest.mark.parametrize("platform", ["", ELSEWHERE])
def test_the_size_of_the_window_is_known_and_kept_up_to_date(wrapper: Wrapper, platform: str) -> None:
    script = """
import os, select, signal, sys
known = []
def look(*_):
    if not known or known[-1] != os.get_terminal_size(1):
        known.append(os.get_terminal_size(1))
        print(*known[-1], "seen", flush=True)
signal.signal(signal.SIGWINCH, look)
print("ready", flush=True)
while not select.select([0], [], [], 0.05)[0]:
    pass  # a signal that comes just before a wait is heard after it
"""
    terminal = Terminal.of(Wrapper(wrapper.directory, before=platform).argv(sys.executable, "-c", script))
    terminal.shown_until(b"ready")

    for rows, columns in [(33, 99), (44, 111)]:
        fcntl.ioctl(terminal.keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        terminal.shown_until(f"{columns} {rows} seen".encode())
    terminal.type(b"go\n")

    assert terminal.ended() == 0


def test_who_heard_of_a_new_size_too_early_hears_of_it_again_once_it_waits(wrapper: Wrapper) -> None:
    script = """
import os, select, signal, time
heard = []
signal.signal(signal.SIGWINCH, lambda *_: heard.append(time.monotonic()))
first, early = os.get_terminal_size(1), time.monotonic()
print("ready", flush=True)
while True:
    now = time.monotonic()
    if os.get_terminal_size(1) != first:
        break
    early = now
while len(heard) < 2 and not (heard and heard[-1] - early > 0.01):
    select.select([], [], [], 0.05)
print("again after a while:", heard[-1] - early > 0.01)
"""
    terminal = Terminal.of(wrapper.argv(sys.executable, "-c", script))
    terminal.shown_until(b"ready")

    fcntl.ioctl(terminal.keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))

    terminal.shown_until(b"again after a while: True")
    assert terminal.ended() == 0


def test_one_key_is_read_without_enter(wrapper: Wrapper) -> None:
    script = """
import os, sys, tty
tty.setcbreak(1)  # as curses does, by standard output
print("press", flush=True)
print("pressed", os.read(0, 1), flush=True)
"""
    terminal = Terminal.of(wrapper.argv(sys.executable, "-c", script))
    terminal.shown_until(b"press")

    terminal.type(b"q")
    terminal.shown_until(b"pressed b'q'")

    assert terminal.ended() == 0


@pytest.mark.parametrize("number", [1, 2])
def test_modes_set_in_silence_hold_for_the_real_terminal_and_are_restored(wrapper: Wrapper, number: int) -> None:
    script = f"""
import os, termios, tty
keys = os.open("/dev/tty", os.O_RDONLY)
modes = termios.tcgetattr({number})
tty.setcbreak({number})
key = os.read(keys, 1)
termios.tcsetattr({number}, termios.TCSADRAIN, modes)
print("pressed", key, os.read(keys, 5), flush=True)
"""
    terminal = Terminal.of(wrapper.argv(sys.executable, "-c", script))
    first = termios.tcgetattr(terminal.keyboard)

    awaited(lambda: not _flags(terminal) & (termios.ICANON | termios.ECHO))
    terminal.type(b"q")
    awaited(lambda: termios.tcgetattr(terminal.keyboard) == first)
    terminal.type(b"done\n")
    terminal.shown_until(b"pressed b'q' b'done\\n'")

    assert terminal.ended() == 0


def test_a_key_is_read_where_a_pager_reads_it(wrapper: Wrapper) -> None:
    script = """
import os, sys, tty
tty.setcbreak(2)
by_name = os.open(os.ttyname(2), os.O_RDONLY)
print("pressed", os.read(by_name, 1), os.read(2, 1), sys.stdin.read(), flush=True)
"""
    terminal = Terminal.of(wrapper.argv(sys.executable, "-c", script), stdin=subprocess.DEVNULL)

    awaited(lambda: not _flags(terminal) & termios.ICANON)
    terminal.type(b" ")
    terminal.type(b"q")
    terminal.shown_until(b"pressed b' ' b'q'")

    assert terminal.ended() == 0


def test_a_program_of_the_whole_screen_works(wrapper: Wrapper) -> None:
    pytest.importorskip("curses")
    script = """
import curses
def main(screen):
    screen.addstr(3, 3, "press")
    screen.refresh()
    return screen.getkey(), screen.getkey()
print("pressed", curses.wrapper(main), flush=True)
input()
"""
    terminal = Terminal.of(wrapper.argv(sys.executable, "-c", script), env={**os.environ, "TERM": "xterm"})
    first = termios.tcgetattr(terminal.keyboard)

    terminal.shown_until(b"press")
    terminal.type(b"q")
    terminal.type(b"\x1bOA")
    terminal.shown_until(b"pressed ('q', 'KEY_UP')")
    awaited(lambda: termios.tcgetattr(terminal.keyboard) == first)
    terminal.type(b"\n")

    assert terminal.ended() == 0


def test_modes_set_anew_after_a_stop_hold_again(wrapper: Wrapper) -> None:
    script = """
import os, signal, termios, tty
modes = termios.tcgetattr(2)
def stop(*_):
    termios.tcsetattr(2, termios.TCSANOW, modes)
    os.kill(os.getpid(), signal.SIGSTOP)
    tty.setcbreak(2)
signal.signal(signal.SIGTSTP, stop)
tty.setcbreak(2)
os.read(0, 1)
"""
    session = '"$@"; stty icanon echo; echo stopped; read go; fg; echo ended $?'
    terminal = Terminal.of(["bash", "--norc", "-m", "-c", session, "bash", *wrapper.argv(sys.executable, "-c", script)])
    awaited(lambda: not _flags(terminal) & termios.ICANON)

    terminal.type(b"\x1a")
    terminal.shown_until(b"stopped\r\n")
    terminal.type(b"go\n")
    awaited(lambda: not _flags(terminal) & termios.ICANON)
    terminal.type(b"q")
    terminal.shown_until(b"ended 0")

    assert terminal.ended() == 0


@pytest.mark.parametrize(
    "script",
    [
        "stty -echo -icanon <&2; kill -9 $$",
        "stty -echo; stty -icanon <&2; stty icanon <&2",
        "stty -icanon <&1; stty -echo <&2",
        "stty sane <&2; stty -echo <&2",
        'stty "$(stty -g <&2)"',
        'stty "$(stty -g)" <&1; stty -echo <&1',
    ],
)
def test_the_terminal_is_left_as_the_command_leaves_it(wrapper: Wrapper, script: str) -> None:
    command = ["sh", "-c", script]

    bare, wrapped = _modes_after(command), _modes_after(wrapper.argv(*command))

    assert wrapped == bare


def test_bytes_are_kept_as_they_were_written_whatever_modes_are_set(wrapper: Wrapper) -> None:
    script = f"""
import os, termios
def toggle(word, flag):
    modes = termios.tcgetattr(1)
    modes[word] ^= flag
    termios.tcsetattr(1, termios.TCSANOW, modes)
toggle(1, termios.OPOST)
while termios.tcgetattr(1)[1] & termios.OPOST:
    pass
for _ in range(100):
    os.write(1, {ALL_BYTES!r})
    toggle(3, termios.ECHO)
os.write(1, b"END")
"""
    terminal = Terminal.of(wrapper.argv(sys.executable, "-c", script))
    terminal.shown_until(b"END")

    assert (terminal.ended(), wrapper.logs[0]) == (0, ALL_BYTES * 100 + b"END")


def test_output_is_processed_no_longer_once_the_command_wants_it_so(wrapper: Wrapper) -> None:
    script = "import os, tty; tty.setraw(1); os.write(1, b'one\\ntwo\\n')"
    terminal = Terminal.of(wrapper.argv(sys.executable, "-c", script))

    shown = terminal.shown_until(b"two\n")

    assert (terminal.ended(), shown, wrapper.logs[0]) == (0, b"one\ntwo\n", b"one\ntwo\n")


def test_a_terminal_that_takes_its_time_shows_all(wrapper: Wrapper, tmp_path: Path) -> None:
    over, size = tmp_path / "over", 20_000  # which is more than one terminal holds, and less than two
    terminal = Terminal.of(wrapper.argv("sh", "-c", f"head -c {size} /dev/zero | tr '\\0' x; : > '{over}'; exit 3"))

    awaited(lambda: over.exists() and len(children(terminal.process.pid)) == 1)
    first = b"".join(os.read(terminal.keyboard, 1) for _ in range(6000))
    sleep(2 * GRACE)  # as a person does who has stopped it by Control-S
    rest = read_until(terminal.keyboard, None)

    assert (terminal.process.wait(PATIENCE), first + rest, wrapper.faults) == (3, b"x" * size, [])
    os.close(terminal.keyboard)


def test_a_terminal_that_is_not_ours_to_control_stays_so(wrapper: Wrapper) -> None:
    keyboard, screen = os.openpty()

    process = wrapper.start("sh", "-c", ": < /dev/tty", stderr=screen, start_new_session=True)
    os.close(screen)
    status = process.wait(PATIENCE)

    assert (status, b"/dev/tty" in wrapper.logs[1]) == (2, True)
    os.close(keyboard)
    process.communicate()


def test_a_terminal_that_has_no_name_here_is_one(wrapper: Wrapper) -> None:
    others = "mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts && mount --bind /dev/pts/ptmx /dev/ptmx"
    front = ["unshare", "-m", "sh", "-c", f'{others} || exit 99; exec "$@"', "sh"]

    terminal = Terminal.of([*front, *wrapper.argv("sh", "-c", "test -t 1 && test -t 2 && stty -icanon <&2; exit 3")])
    shown = read_until(terminal.keyboard, None)
    status = terminal.process.wait(PATIENCE)

    os.close(terminal.keyboard)
    if status == 99 or b"unshare:" in shown:
        pytest.skip("needs: root")
    assert (status, wrapper.faults) == (3, [])


def test_what_nobody_takes_yet_is_not_settled() -> None:
    (outlet, entrance), ends = os.pipe(), os.pipe()
    stream = Stream("stdout", (entrance,), ends, os.pipe())

    with pumping([stream], lambda: False):
        os.write(stream.entrance, bytes(100_000))
        awaited(lambda: waiting(outlet) == PIPE and waiting(stream.outlet) == 0)
        was_settled = stream.is_settled()
        taken = 0
        while not stream.is_settled() or waiting(outlet):
            taken += len(os.read(outlet, MIB)) if waiting(outlet) else 0
        os.close(stream.entrance)

    assert (was_settled, stream.is_settled(), taken) == (False, True, 100_000)
    os.close(outlet)
    os.close(entrance)


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_hangup_of_which_the_leader_of_the_session_alone_is_told_is_passed_on(
    wrapper: Wrapper, *, is_stopped: bool
) -> None:
    script = "trap 'exit 3' HUP; echo $$; while :; do sleep 0.05; done"
    terminal = Terminal.of(wrapper.observed.argv("sh", "-c", script))
    pid = int(terminal.shown_until(b"\n"))
    if is_stopped:
        os.kill(pid, signal.SIGSTOP)
        awaited(lambda: ") T " in Path(f"/proc/{pid}/stat").read_text())

    os.close(terminal.keyboard)

    assert (terminal.process.wait(PATIENCE), wrapper.ending) == (3, (3, None))


@pytest.mark.parametrize("setting", ["", "stty -icanon <&2; "])
def test_a_terminal_that_hangs_up_costs_what_was_to_be_shown_and_not_the_run(wrapper: Wrapper, setting: str) -> None:
    hung = wrapper.directory / "hung"
    os.mkfifo(hung)
    after = "stty -echo <&2; echo out; echo err >&2; exit 3"
    script = f"trap '' HUP; {setting}echo ready; read go <'{hung}'; {after}"
    terminal = Terminal.of(wrapper.observed.argv("sh", "-c", script))
    terminal.shown_until(b"ready")

    os.close(terminal.keyboard)
    terminal.process.send_signal(signal.SIGWINCH)
    awaited(lambda: pending(terminal.process.pid) == 0)
    awaited(lambda: not setting or _keyboards(terminal.process.pid) == [])
    hung.write_text("go\n")

    assert (terminal.process.wait(PATIENCE), wrapper.logs) == (3, (b"ready\nout\n", b"err\n"))
    assert wrapper.faults == [["stdout", "failed"], ["stderr", "failed"]]


def _flags(terminal: Terminal) -> int:
    flags: int = termios.tcgetattr(terminal.keyboard)[3]
    return flags


def _keyboards(pid: int) -> list[str]:
    """Return which descriptors of a process it would not wait at."""
    return [file.name for file in Path(f"/proc/{pid}/fdinfo").iterdir() if _flags_of(file) & os.O_NONBLOCK]


def _flags_of(descriptor: Path) -> int:
    try:
        return int(descriptor.read_text().split("flags:")[1].split()[0], 8)
    except FileNotFoundError:  # it was closed meanwhile
        return 0


def _modes_after(command: list[str]) -> list[object]:
    terminal = Terminal.of(["bash", "-c", '"$@"; echo over; read go', "bash", *command])
    terminal.shown_until(b"over")
    modes: list[object] = termios.tcgetattr(terminal.keyboard)
    terminal.type(b"\n")
    terminal.ended()
    return modes
