"""Signals and jobs: the command, and we with it, hear them as if it were run bare."""

import fcntl
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from capsula.effects.signals import undisturbed
from tests.effects.wrapping import (
    ELSEWHERE,
    PATIENCE,
    Terminal,
    Wrapper,
    awaited,
    children,
    output_of,
    pending,
    powerless,
    read_until,
    waiting,
)

SOME = 128 * 1024

LISTENER = """
import select, signal, sys
for number in map(int, sys.argv[1].split(",")):
    signal.signal(number, lambda number, _: print("got", number, flush=True))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
print("ready", flush=True)
while not select.select([0], [], [], 0.05)[0]:
    pass  # a signal that comes just before a wait is heard after it
sys.stdin.readline()
sys.exit(7)
"""

APART = """
import os, signal, time
os.setpgid(0, 0)
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"got 2"))
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
os.write(1, b"ready")
while True:
    time.sleep(0.05)  # a signal that comes just before a wait is heard after it
"""
SHELL = ("bash", "--norc", "--noediting", "-i")
LATE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]


@pytest.mark.parametrize(
    ("number", "platform"),
    [
        *((number, "") for number in [*SIGNALS, signal.SIGINT, signal.SIGQUIT, signal.SIGALRM, signal.SIGXCPU, 50]),
        *((number, ELSEWHERE) for number in SIGNALS),
    ],
)
def test_a_signal_to_us_alone_is_passed_on_once_and_waited_for(wrapper: Wrapper, number: int, platform: str) -> None:
    wrapped = Wrapper(wrapper.directory, before=platform)
    process = wrapped.start(sys.executable, "-c", LISTENER, str(int(number)))
    said = output_of(process)
    read_until(said, b"ready\n")

    process.send_signal(number)
    read_until(said, f"got {int(number)}\n".encode())

    assert (_finished(process), wrapped.logs[0]) == (7, f"ready\ngot {int(number)}\n".encode())


def test_an_alarm_that_the_caller_set_is_the_commands(wrapper: Wrapper) -> None:
    alarmed = Wrapper(wrapper.directory, before="import signal; signal.setitimer(signal.ITIMER_REAL, 1)")

    ended = alarmed.run("sleep", "20")

    assert (ended.returncode, alarmed.ending) == (-signal.SIGALRM, (128 + signal.SIGALRM, signal.SIGALRM))


def test_a_signal_that_the_kernel_sent_to_us_is_ours(wrapper: Wrapper) -> None:
    ours = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGVTALRM})\n"
    ours += "signal.setitimer(signal.ITIMER_VIRTUAL, 0.001)\nwhile not signal.sigpending(): pass"
    process = Wrapper(wrapper.directory, before=ours).start(sys.executable, "-c", LISTENER, "26,12")
    read_until(output_of(process), b"ready\n")

    process.send_signal(signal.SIGUSR2)  # read after the other
    read_until(output_of(process), b"got 12\n")

    assert (_finished(process), wrapper.logs[0]) == (7, b"ready\ngot 12\n")


def test_nor_is_it_the_groups_that_the_command_has_made(wrapper: Wrapper) -> None:
    outlet, entrance = os.pipe()
    ours = f"from fcntl import *; fcntl({outlet}, F_SETOWN, os.getpid()); fcntl({outlet}, F_SETFL, os.O_ASYNC)"
    apart = f"import os; os.setpgid(0, 0){LISTENER}"
    process = Wrapper(wrapper.directory, before=ours).start(
        sys.executable, "-c", apart, f"{signal.SIGIO},12", pass_fds=[outlet]
    )
    read_until(output_of(process), b"ready\n")

    os.write(entrance, b"of which the kernel tells us")
    awaited(lambda: not pending(process.pid))
    process.send_signal(signal.SIGUSR2)  # read after the other
    read_until(output_of(process), b"got 12\n")

    assert (_finished(process), wrapper.logs[0]) == (7, b"ready\ngot 12\n")
    os.close(entrance)
    os.close(outlet)


def test_a_signal_to_the_group_is_not_repeated(wrapper: Wrapper) -> None:
    process = wrapper.start(sys.executable, "-c", LISTENER, "1,12", process_group=0)
    said = output_of(process)
    read_until(said, b"ready\n")

    for _ in range(2):
        os.killpg(process.pid, signal.SIGHUP)
        read_until(said, b"got 1\n")
        process.send_signal(signal.SIGUSR2)  # read after the other, so that a repeated one would come before
        read_until(said, b"got 12\n")
    process.send_signal(signal.SIGHUP)
    read_until(said, b"got 1\n")

    assert _finished(process) == 7
    assert wrapper.logs[0] == b"ready\n" + b"got 1\ngot 12\n" * 2 + b"got 1\n"


def test_a_signal_that_the_command_sends_is_not_sent_back(wrapper: Wrapper) -> None:
    script = LISTENER.replace("while", "import os; os.kill(os.getppid(), 1)\nwhile")
    process = wrapper.start(sys.executable, "-c", script, "1,12", process_group=0)
    read_until(output_of(process), b"ready\n")

    process.send_signal(signal.SIGUSR2)
    read_until(output_of(process), b"got 12\n")

    assert (_finished(process), wrapper.logs[0]) == (7, b"ready\ngot 12\n")


@pytest.mark.parametrize("platform", ["", ELSEWHERE])
def test_control_c_reaches_the_command_once_and_it_is_waited_for(wrapper: Wrapper, platform: str) -> None:
    terminal = Terminal.of(Wrapper(wrapper.directory, before=platform).argv(sys.executable, "-c", LISTENER, "2,12"))
    terminal.shown_until(b"ready\r\n")

    terminal.type(b"\x03")
    terminal.shown_until(b"got 2\r\n")
    terminal.process.send_signal(signal.SIGUSR2)
    terminal.shown_until(b"got 12\r\n")
    terminal.type(b"go\n")

    assert (terminal.ended(), wrapper.logs[0]) == (7, b"ready\ngot 2\ngot 12\n")


def test_control_z_stops_both_and_fg_continues_both(wrapper: Wrapper) -> None:
    session = '"$@"; echo stopped $?; fg; echo ended $?'
    command = wrapper.argv(sys.executable, "-c", LISTENER, "12")
    terminal = Terminal.of(["bash", "--norc", "-m", "-c", session, "bash", *command])
    terminal.shown_until(b"ready\r\n")

    terminal.type(b"\x1a")
    terminal.shown_until(b"stopped 148")
    terminal.type(b"go\n")

    terminal.shown_until(b"ended 7")
    assert (terminal.ended(), wrapper.logs[0]) == (0, b"ready\n")


def test_a_command_that_is_stopped_alone_is_waited_for(wrapper: Wrapper) -> None:
    process = wrapper.start("sh", "-c", "echo $$; read go; exit 7")
    pid = int(read_until(output_of(process), b"\n"))

    os.kill(pid, signal.SIGSTOP)
    awaited(lambda: ") T " in Path(f"/proc/{pid}/stat").read_text())
    os.kill(pid, signal.SIGCONT)

    assert (_finished(process), wrapper.ending) == (7, (7, None))


def test_a_command_that_stops_itself_when_it_is_asked_to_stops_us_though_we_hear_of_both_at_once(
    wrapper: Wrapper,
) -> None:
    script = "trap '' USR1; (kill -USR1 $PPID; kill -TSTP $PPID; kill -STOP $$); exit 7"  # the first keeps us busy
    session = '"$@"; echo stopped; fg; echo ended $?'
    terminal = Terminal.of(["bash", "--norc", "-m", "-c", session, "bash", *wrapper.argv("sh", "-c", script)])

    shown = terminal.shown_until(b"ended 7")

    assert b"\r\nstopped\r\n" in shown
    assert (terminal.ended(), wrapper.ending) == (0, (7, None))


def test_what_was_written_is_shown_before_we_stop(wrapper: Wrapper) -> None:
    outlet, entrance = os.pipe()
    fcntl.fcntl(entrance, fcntl.F_SETPIPE_SZ, 2 * SOME)
    script = f"head -c {SOME} /dev/zero; kill -TSTP $$; exit 7"
    process = wrapper.start("sh", "-c", script, stdout=entrance, process_group=0)
    os.close(entrance)

    awaited(lambda: ") T " in Path(f"/proc/{process.pid}/stat").read_text())
    shown = waiting(outlet)
    process.send_signal(signal.SIGCONT)

    assert (_finished(process), shown) == (7, SOME)
    os.close(outlet)


def test_a_command_that_is_another_users_now_is_not_told(wrapper: Wrapper) -> None:
    if os.geteuid():
        pytest.skip("needs: root")
    command = wrapper.argv("setpriv", "--reuid=65534", "sh", "-c", "echo ready; read go; exit 7")
    process = subprocess.Popen([*powerless("setuid"), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    read_until(output_of(process), b"ready\n")

    process.send_signal(signal.SIGUSR2)
    awaited(lambda: not pending(process.pid))

    assert (_finished(process), wrapper.ending) == (7, (7, None))


def test_who_continues_before_we_have_stopped_is_heard(wrapper: Wrapper) -> None:
    """What the command wrote is waited for before we stop, too, and here nobody takes it."""
    script = "import os, signal, sys; os.write(1, bytes(500_000)); os.kill(os.getpid(), signal.SIGTSTP); sys.exit(7)"
    process = wrapper.start(sys.executable, "-I", "-S", "-c", script, process_group=0)

    awaited(lambda: b") T " in _states_of_children(process.pid))
    process.send_signal(signal.SIGCONT)

    assert (_finished(process), wrapper.logs[0]) == (7, bytes(500_000))


def test_an_interactive_shell_controls_its_jobs_where_its_streams_are_left_alone(wrapper: Wrapper) -> None:
    alone = Wrapper(wrapper.directory, stdout_log="None", stderr_log="None")
    terminal = Terminal.of(["bash", "-c", 'stty noflsh; PS1="> " "$@"', "bash", *alone.argv(*SHELL)])

    terminal.shown_until(b"> ")
    terminal.type(b"cat\none\n")
    terminal.shown_until(b"one\r\none\r\n")
    terminal.type(b"\x1a")
    stopped = terminal.shown_until(b"cat\r\n> ")
    terminal.type(b"fg\ntwo\n")
    terminal.shown_until(b"cat\r\ntwo\r\n")
    terminal.type(b"\x03")
    terminal.shown_until(b"> ")
    terminal.type(b"exit $?\n")

    assert b"Stopped" in stopped
    assert (terminal.ended(), alone.ending, alone.faults) == (130, (130, None), [])


def test_a_shell_that_is_suspended_stops_us_and_has_the_terminal_when_it_goes_on(wrapper: Wrapper) -> None:
    alone = Wrapper(wrapper.directory, stdout_log="None", stderr_log="None")
    caller = 'stty -echo noflsh; set -m; PS1="> " "$@"; echo stopped; read go; fg; echo "ended $?"'
    terminal = Terminal.of(["bash", "-c", caller, "bash", *alone.argv(*SHELL)])

    terminal.shown_until(b"> ")
    terminal.type(b"suspend\n")
    terminal.shown_until(b"stopped\r\n")
    terminal.type(b"go\ncat\none\n")
    terminal.shown_until(b"one\r\n")
    terminal.type(b"\x03")
    terminal.shown_until(b"> ")
    terminal.type(b"exit $?\n")
    terminal.shown_until(b"ended 130")

    assert (terminal.ended(), alone.ending, alone.faults) == (0, (130, None), [])


def test_a_shell_that_is_killed_leaves_us_the_terminal(wrapper: Wrapper) -> None:
    alone = Wrapper(wrapper.directory, after="os.write(2, b'closing')", stdout_log="None", stderr_log="None")
    caller = 'stty tostop; set -m; PS1="> " "$@"; echo "ended $?"'
    terminal = Terminal.of(["bash", "-c", caller, "bash", *alone.argv(*SHELL)])

    terminal.shown_until(b"> ")
    terminal.type(b"kill -9 $$\n")
    terminal.shown_until(b"ended 137")

    assert (terminal.ended(), alone.ending, alone.faults) == (0, (137, 9), [])


def test_a_command_in_a_group_of_its_own_gets_what_ours_got(wrapper: Wrapper) -> None:
    terminal = Terminal.of(wrapper.argv(sys.executable, "-c", APART))

    terminal.shown_until(b"ready")
    terminal.type(b"\x03")
    terminal.shown_until(b"got 2")
    os.killpg(terminal.process.pid, signal.SIGTERM)

    assert (terminal.ended(), wrapper.ending) == (7, (7, None))


def test_once_the_command_has_ended_control_z_stops_us(wrapper: Wrapper, tmp_path: Path) -> None:
    writing = ("sh", "-c", f"head -c 500000 /dev/zero; : > '{tmp_path}/over'; exit 7")
    process = wrapper.start(*writing, process_group=0)  # which waits until somebody takes the output
    awaited(lambda: (tmp_path / "over").exists() and len(children(process.pid)) == 1)

    process.send_signal(signal.SIGTSTP)
    awaited(lambda: ") T " in Path(f"/proc/{process.pid}/stat").read_text())
    process.send_signal(signal.SIGCONT)

    assert (_finished(process), wrapper.logs[0]) == (7, bytes(500_000))


def test_control_z_that_is_blocked_for_us_does_not_stop_us_then_either(wrapper: Wrapper, tmp_path: Path) -> None:
    blocked = Wrapper(wrapper.directory, before="import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {20})")
    process = blocked.start("sh", "-c", f"head -c 500000 /dev/zero; : > '{tmp_path}/over'; exit 7", process_group=0)
    awaited(lambda: (tmp_path / "over").exists() and len(children(process.pid)) == 1)

    process.send_signal(signal.SIGTSTP)

    assert (_finished(process), wrapper.logs[0]) == (7, bytes(500_000))


def _states_of_children(pid: int) -> bytes:
    return b"".join(Path(f"/proc/{child}/stat").read_bytes() for child in children(pid))


def _finished(process: subprocess.Popen[bytes]) -> int:
    process.communicate(b"go\n", PATIENCE)
    return process.returncode


def test_after_the_command_a_signal_that_comes_late_is_heard_by_nobody() -> None:
    before = _handlers()

    with undisturbed():
        for number in LATE:
            os.kill(os.getpid(), number)

    assert _handlers() == before


def test_outside_the_main_thread_late_signals_are_left_to_who_hears_them() -> None:
    before = _handlers()

    with ThreadPoolExecutor(1) as aside:
        within = aside.submit(_handlers_undisturbed).result()

    assert (within, _handlers()) == (before, before)


def _handlers() -> list[object]:
    return [signal.getsignal(number) for number in LATE]


def _handlers_undisturbed() -> list[object]:
    with undisturbed():
        return _handlers()
