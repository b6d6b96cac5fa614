"""What a command can notice of who runs it: one list of cases, for us and for every other wrapper."""

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from attrs import frozen

from tests.effects.wrapping import PATIENCE, Terminal, read_until
from tests.running import environment

Step: TypeAlias = Callable[[Terminal, float], bytes]
"""What happens at the terminal next, within so many seconds; it answers with what was shown meanwhile."""


@frozen
class Case:
    """A command, and how it is started; all that they print and how that ends must not depend on a wrapper."""

    name: str
    command: tuple[str, ...]
    caller: str = '"$@"'
    """A script for bash, which is given the command, wrapped or not."""
    stdin: bytes = b""
    steps: tuple[Step, ...] | None = None
    """What happens at its terminal; none if it is started without one."""
    differs: str = ""
    """What is not as without us, where something is not."""
    is_of_streams: bool = True
    """Whether that is for what comes between the command and our streams, and not so where they are left alone."""


@frozen
class Seen:
    """What was observed of a case."""

    status: int
    """As ``subprocess`` tells it: negative for a signal."""
    out: bytes
    """Standard output, or all that the terminal showed."""
    err: bytes = b""


def seen(case: Case, wrapper: Sequence[str], directory: Path, patience: float = PATIENCE) -> Seen:
    """Run a case in a directory, with the words of the wrapper before its command, and return what was to be seen.

    Raises:
        AssertionError: What the terminal was to show did not come.
        subprocess.TimeoutExpired: It did not end.
    """
    bash = ["bash", "--norc", "-c", case.caller, "bash", *wrapper, *case.command]
    environ = environment(TERM="xterm")
    if case.steps is not None:
        return _seen_on_a_terminal(bash, case.steps, directory, environ, patience)
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        bash, cwd=directory, env=environ, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    )
    try:
        out, err = process.communicate(case.stdin, patience)
    finally:
        _leave_nothing(process)
    return Seen(process.returncode, out, err)


def _seen_on_a_terminal(
    argv: list[str], steps: tuple[Step, ...], directory: Path, environ: dict[str, str], patience: float
) -> Seen:
    terminal = Terminal.of(argv, cwd=directory, env=environ)
    try:
        shown = [step(terminal, patience) for step in steps]
        shown.append(read_until(terminal.keyboard, None, patience))
        status = terminal.process.wait(patience)
    finally:
        os.close(terminal.keyboard)
        _leave_nothing(terminal.process)
    return Seen(status, b"".join(shown))


def _leave_nothing(process: subprocess.Popen[bytes]) -> None:
    """End what hangs, with all of its group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _shows(text: str) -> Step:
    return lambda terminal, patience: read_until(terminal.keyboard, text.encode(), patience)


def _typed(keys: str) -> Step:
    def step(terminal: Terminal, _: float) -> bytes:
        terminal.type(keys.encode())
        return b""

    return step


def _sent(number: int) -> Step:
    """Send a signal to the wrapper, or bare to the command."""

    def step(terminal: Terminal, _: float) -> bytes:
        terminal.process.send_signal(number)
        return b""

    return step


def _sent_to_all(number: int) -> Step:
    """Send a signal to the process group."""

    def step(terminal: Terminal, _: float) -> bytes:
        os.killpg(terminal.process.pid, number)
        return b""

    return step


def _resized(rows: int, columns: int) -> Step:
    def step(terminal: Terminal, _: float) -> bytes:
        fcntl.ioctl(terminal.keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        return b""

    return step


def _python(script: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", script, *arguments)


def _sh(script: str, *arguments: str) -> tuple[str, ...]:
    return ("sh", "-c", script, "sh", *arguments)


_PATIENT_LISTENER = """
import os, select, signal, sys, time
for number in (1, 2, 3, 10, 12, 15):
    signal.signal(number, lambda number, _: os.write(1, b"got %d\\n" % number))
print("ready", flush=True)
while not select.select([0], [], [], 0.05)[0]:
    pass  # a signal that comes just before a wait is heard after it
sys.stdin.readline()
time.sleep(0.1)  # for what comes twice
sys.exit(7)
"""

_SAVING = """
import signal, sys, time
try:
    print("ready", flush=True)
    while True:
        time.sleep(0.05)  # a signal that comes just before a wait is heard after it
except KeyboardInterrupt:
    print("saving", flush=True)
    time.sleep(0.5)
    print("saved", flush=True)
    sys.exit(7)
"""

_ENDINGS = """
import os, sys
for number in (1, 2, 6, 9, 11, 13, 15, 64):
    pid = os.posix_spawnp(sys.argv[1], [*sys.argv[1:], str(number)], os.environ, setsigdef=[13])
    print(number, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""

_SOCKETS = """
import socket, subprocess, sys
ours, theirs = socket.socketpair()
ours.sendall(b"asked")
ours.shutdown(socket.SHUT_WR)
status = subprocess.call(sys.argv[1:], stdin=theirs, stdout=theirs)
theirs.close()
print(status, ours.makefile("rb").read())
"""

_DESCRIPTORS = """
import os
for number in range(3, 256):
    try:
        target = os.readlink(f"/proc/self/fd/{number}")
        print(number, target.partition(":")[0], os.lseek(number, 0, 1) if os.path.isfile(target) else "")
    except OSError:
        pass
"""

_GROUP = """
import os
caller = int(os.environ["CALLER"])
print(os.getpgrp() == os.getpgid(caller), os.getsid(0) == os.getsid(caller))
try:
    print(os.tcgetpgrp(0) == os.getpgrp(), os.tcgetpgrp(os.open("/dev/tty", os.O_RDWR)) == os.getpgrp())
except OSError as error:
    print(error.strerror)
"""

_STATUS = "^(Umask|Uid|Gid|Groups|SigBlk|SigCgt|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp|Cpus_allowed)"

_IGNORED = _sh("echo $((0x$(sed -n 's/SigIgn:.//p' /proc/self/status) & ~0x180000000))")
"""Without 32 and 33, which the C library keeps for itself."""

_BYTES = "".join(f"\\{number:03o}" for number in range(256))

_WINDOW = """
import os, select, signal, sys
def look(*_):
    sizes = {os.get_terminal_size(number) for number in (1, 2)}
    if len(sizes) == 1 and known[-1:] != [sizes]:
        known.append(sizes)
        os.write(1, b"%d %d\\n" % tuple(*sizes))
known = []
signal.signal(signal.SIGWINCH, look)
look()
while not select.select([0], [], [], 0.05)[0]:
    pass  # a signal that comes just before a wait is heard after it
"""

_SCREEN = """
import curses
def main(screen):
    screen.addstr(3, 3, "press")
    screen.refresh()
    return screen.getkey(), screen.getkey(), screen.getmaxyx()
print("pressed", curses.wrapper(main), flush=True)
"""

_PAGER = """
import sys, termios, tty
page = sys.stdin.read()
modes = termios.tcgetattr(2)
tty.setcbreak(2)
print(page, "more?", file=sys.stderr, flush=True)
key = open("/dev/tty", "rb", 0).read(1)
termios.tcsetattr(2, termios.TCSANOW, modes)
print("pressed", key)
"""

_PROGRESS = """
import sys
for percent in range(0, 101, 10):
    print(f"\\r\\x1b[2K{'#' * percent}> {percent}%", end="", file=sys.stderr, flush=True)
print("\\x1b[0m", file=sys.stderr)
"""

_TERMINALS = "import os; print([(os.isatty(n), n and os.get_terminal_size(n)) for n in range(3)], os.ttyname(0)[:5])"

_LISTENS = _python(_PATIENT_LISTENER)

STARTED: tuple[Case, ...] = (
    Case("arguments", ("printf", "%s\\0", "", "a b", "*", "\udcff", "-x", "--", "--help", "two\nlines")),
    Case(
        "the environment",
        _sh("env -0 | grep -zEv '^(CAPSULA_(CAPSULE_(DIR|NAME|ID))|PYTHONHASHSEED|_)=' | sort -z"),
        'export EMPTY= LINES="one\ntwo" BYTES=$\'\\xff\' COLUMNS=3; "$@"',
    ),
    Case("the working directory", _sh("pwd; pwd -P"), 'mkdir "a b"; ln -s "a b" link; cd link; "$@"'),
    Case("a working directory that is gone", _sh("ls -la; ls .."), 'mkdir gone; cd gone; rmdir ../gone; "$@"'),
    Case("the file mode mask", _sh("umask; : > made; stat -c %a made"), 'umask 027; "$@"; umask'),
    Case("limits", ("cat", "/proc/self/limits"), 'ulimit -n 200 -s 4000 -c 0; ulimit -Sf 1000000; "$@"'),
    Case("priority and processors", _sh("nice; taskset -p $$ | cut -d: -f2"), 'nice -n 5 taskset -c 0 "$@"'),
    Case("the score for the killer", ("cat", "/proc/self/oom_score_adj"), 'echo 500 > /proc/$$/oom_score_adj; "$@"'),
    Case("what a process may", ("grep", "-E", _STATUS, "/proc/self/status")),
    Case("signals that are blocked", ("grep", "SigBlk", "/proc/self/status"), 'env --block-signal=USR1,TERM,CHLD "$@"'),
    Case("signals that are ignored", _IGNORED, 'trap "" HUP INT QUIT TSTP USR1; "$@"'),
    Case("no signal that is ignored", _IGNORED),
    Case(
        "SIGPIPE that the caller ignores",
        _IGNORED,
        'trap "" PIPE; "$@"; exit $?',
    ),
    Case(
        "SIGPIPE that is ignored by who executes it",
        _IGNORED,
        'trap "" PIPE; exec "$@"',
        differs="Python ignores it itself, before it can be asked: the command is killed by it, as most expect",
        is_of_streams=False,
    ),
    Case(
        "SIGPIPE and SIGCHLD that callers ignore",
        _IGNORED,
        """env --ignore-signal=CHLD sh -c 'trap "" PIPE; "$@"; exit' - "$@"; exit $?""",
    ),
    Case("SIGCHLD that the caller ignores", _sh(f"{_IGNORED[2]}; exit 3"), 'env --ignore-signal=CHLD "$@"; echo $?'),
    Case("process group and session", _python(_GROUP), 'CALLER=$$ "$@"; exit $?'),
    Case("open descriptors", _python(_DESCRIPTORS), 'exec 7</etc/passwd 9>&1 200</etc/passwd; read -u 7; "$@"'),
    Case("process substitution", ("cat",), '"$@" <(echo hi) <(echo there)'),
    Case("process substitution for output", ("tee", "/dev/null"), '"$@" < <(echo hi) > >(tr a-z A-Z) | cat'),
)

INPUT: tuple[Case, ...] = (
    Case("a pipe of any bytes", _sh("cat; stat -L -c %F /dev/stdin"), stdin=bytes(range(256)) * 1000),
    Case("a pipe, of which something is left", _sh("read one; echo $one"), 'printf "1\n2\n3\n" | { "$@"; cat; }'),
    Case("a file from where it stands", _sh("read two; echo $two"), 'seq 9 >f; { read _; "$@"; cat; } < f'),
    Case("nothing", _sh("cat; readlink /proc/self/fd/0"), '"$@" < /dev/null'),
    Case("a directory", ("cat",), '"$@" < .', differs="no Python program can be started so", is_of_streams=False),
    Case("a socket", _sh("cat; stat -L -c %F /dev/stdin"), f"{sys.executable} -I -S -c '{_SOCKETS}' \"$@\""),
    *(
        Case(f"descriptors {closed} closed", _sh("for n in 0 1 2; do echo $n >&$n; done 2>/dev/null; exit 3"), caller)
        for closed, caller in {
            "0": '"$@" <&-',
            "1": '"$@" >&-',
            "2": '"$@" 2>&-',
            "0 1 2": '"$@" <&- >&- 2>&-',
        }.items()
    ),
)

OUTPUT: tuple[Case, ...] = (
    Case("bytes of both streams", _sh('printf "$1"; printf "$1" >&2; printf "\\r\\nno newline"', _BYTES)),
    Case("much of both streams", _sh("seq 200000; seq 200000 >&2")),
    Case("a file from its end", ("echo", "2"), 'echo 1 >f; "$@" >>f; cat f'),
    Case("a file from where it stands", ("echo", "2"), '{ echo 1; "$@"; echo 3; } >f; cat f'),
    Case("the order in one file", _sh("for n in 1 2 3 4 5; do echo $n; echo $n >&2; done"), '"$@" >f 2>&1; cat f'),
    Case("the order in one pipe", _sh("for n in 1 2 3 4 5; do echo $n; echo $n >&2; done"), '"$@" 2>&1 | cat'),
    Case("streams that are exchanged", _sh("echo out; echo err >&2"), '{ "$@" 3>&1 1>&2 2>&3 3>&-; } 2>f; cat f'),
    Case("a reader that leaves", ("yes",), '"$@" | head -n 1; echo "${PIPESTATUS[@]}"'),
    Case(
        "a full disk",
        _sh("echo text; exit 3"),
        '"$@" >/dev/full; echo $?',
        differs="Capsula says it: the command is not told, and goes on",
    ),
    Case(
        "the kind of file",
        _python("import os, stat, sys; sys.stderr.write(stat.filemode(os.fstat(1).st_mode))"),
        '"$@" >f',
        differs="a pipe: it cannot be sought in or truncated",
    ),
)

ENDED: tuple[Case, ...] = (
    Case(
        "exit statuses",
        _sh("exit $1"),
        'for code in 0 1 77 125 127 130 255; do "$@" $code; echo $?; done',
    ),
    Case("death by a signal", _sh("kill -$1 $$"), f"ulimit -c 0; {sys.executable} -I -S -c '{_ENDINGS}' \"$@\""),
    Case("a command that is not there", ("nothing-of-that-name",), '"$@" 2>/dev/null'),
    Case("a command that cannot be executed", ("/etc/passwd",), '"$@" 2>/dev/null'),
    Case("what is left in the background", _sh("sleep 2 & echo done"), '"$@" >f 2>&1; cat f; kill %% 2>&-; exit 0'),
    Case("a daemon", _sh("setsid sh -c 'sleep 2' & echo done"), '"$@" >f 2>&1; cat f; exit 0'),
    Case(
        "what is printed later from the background",
        _sh("(trap '' PIPE; read _; echo late; : >over) <p & echo early"),
        'mkfifo p; "$@" >f; exec 3>p; echo >&3; until [ -e over ]; do sleep 0.01; done; cat f',
        differs="lost, if later than a quarter of a second",
    ),
)

# A terminal with noflsh throws nothing away that was written when Ctrl-C and the like come: a matter of chance else.
SIGNALS: tuple[Case, ...] = (
    *(
        Case(
            f"SIG{name} to it {where}",
            _LISTENS,
            steps=(_shows("ready\r\n"), sent(number), _shows(f"got {int(number)}\r\n"), _typed("go\n")),
        )
        for name in ("HUP", "INT", "QUIT", "USR1", "USR2", "TERM")
        for number in (signal.Signals[f"SIG{name}"],)
        for where, sent in (("alone", _sent), ("and its group", _sent_to_all))
    ),
    Case(
        "Ctrl-C, and it saves",
        _python(_SAVING),
        'stty noflsh; "$@"',
        steps=(_shows("ready\r\n"), _typed("\x03"), _shows("saved")),
    ),
    Case(
        "Ctrl-C, and it does not care",
        _sh("echo ready; exec sleep 60"),
        'stty noflsh; exec "$@"',
        steps=(_shows("ready\r\n"), _typed("\x03")),
    ),
    Case(
        "Ctrl-\\",
        _LISTENS,
        'stty noflsh; "$@"',
        steps=(_shows("ready\r\n"), _typed("\x1c"), _shows("got 3\r\n"), _typed("go\n")),
    ),
    Case(
        "Ctrl-Z and fg",
        _LISTENS,
        'stty -echo noflsh; set -m; "$@"; echo stopped $?; read go; fg; echo ended $?',
        steps=(
            _shows("ready\r\n"),
            _typed("\x1a"),
            _shows("stopped"),
            _typed("go\n"),
            _typed("go\n"),
            _shows("ended 7"),
        ),
    ),
    Case(
        "Ctrl-Z while nobody takes the output",
        ("head", "-c", "300000", "/dev/zero"),
        """
        stty -echo noflsh; set -m; "$@" | (head -c 1 >/dev/null; echo ready >/dev/tty; read go </dev/tty; wc -c)
        echo stopped $?; fg; echo ended $?
        """,
        steps=(_shows("ready\r\n"), _typed("\x1a"), _shows("stopped"), _typed("go\n"), _shows("ended 0")),
    ),
    Case(
        "Ctrl-Z, bg and wait",
        _sh("echo ready; kill -TSTP 0; echo on; exit 7"),
        'set -m; "$@"; echo stopped $?; bg; wait %1; echo ended $?',
        steps=(_shows("ended 7"),),
    ),
    Case(
        "SIGTSTP and SIGCONT to it alone",
        _sh("echo ready; until [ -e on ]; do sleep 0.01; done; exit 7"),
        """
        set -m; "$@" >f & until [ -s f ]; do sleep 0.01; done
        kill -TSTP $!; until jobs -s | grep -q .; do sleep 0.01; done
        echo stopped; kill -CONT $!; until jobs -r | grep -q .; do sleep 0.01; done
        : >on; wait -f $!; echo $?; cat f
        """,
    ),
)

TERMINAL: tuple[Case, ...] = (
    Case("which are terminals, and their size", _python(_TERMINALS), 'stty rows 33 cols 99; "$@"', steps=()),
    Case("only standard error is one", _python(_TERMINALS), 'stty rows 33 cols 99; "$@" </dev/null | cat', steps=()),
    Case("its process group has the terminal", _python(_GROUP), 'CALLER=$$ "$@"; exit $?', steps=()),
    Case("what it is typed", ("head", "-n", "1"), steps=(_typed("hello\n"),)),
    Case("what is typed ahead is left", ("head", "-n", "1"), '"$@"; read x; echo "$x."', steps=(_typed("1\n2\n"),)),
    Case("the end of what is typed", ("cat",), steps=(_typed("one\n\x04"),)),
    Case(
        "a password",
        _python("import getpass; print(len(getpass.getpass()))"),
        steps=(_shows("Password: "), _typed("secret\n")),
    ),
    Case(
        "a resize",
        _python(_WINDOW),
        'stty rows 33 cols 99; "$@"',
        steps=(_shows("99 33\r\n"), _resized(44, 111), _shows("111 44\r\n"), _typed("go\n")),
    ),
    Case(
        "a program of the whole screen",
        _python(_SCREEN),
        'stty rows 24 cols 80; "$@"; stty -a',
        steps=(_shows("press"), _typed("q"), _typed("\x1bOA"), _shows("pressed ('q', 'KEY_UP', (24, 80))")),
    ),
    Case("a progress bar", _python(_PROGRESS), 'stty rows 24 cols 80; "$@"', steps=()),
    Case("a pager at the end of a pipe", _python(_PAGER), 'seq 3 | "$@"', steps=(_shows("more?"), _typed("q"))),
    Case(
        "two in one pipe, the last at the keyboard",
        _python(_PAGER),
        'set -m; "${@:1:$#-5}" seq 3 | "$@"; echo $?',
        steps=(_shows("more?"), _typed("q")),
    ),
    Case(
        "what is typed, read from standard error",
        _sh("read x <&2; echo $x"),
        steps=(_typed("hello\n"),),
        differs="only single keys can be read there, as pagers do, and no lines; standard input and /dev/tty have all",
    ),
    Case(
        "an interactive shell",
        ("bash", "--norc", "-i"),
        'PS1="> " "$@"',
        steps=(_shows("> "), _typed("exit 5\n")),
        differs="bash asks standard error for its job control, and has none: --no-output is for such",
    ),
    Case("modes that it sets stay", ("stty", "-echo", "-icanon", "min", "3"), '"$@"; stty -a; stty sane', steps=()),
    Case(
        "the names of its terminals",
        _python("import os; print(len({os.ttyname(number) for number in range(3)}))"),
        steps=(),
        differs="standard output and error are terminals of their own, each with a name of its own",
    ),
    Case(
        "the foreground group, asked of standard output",
        _python("import os; print(os.tcgetpgrp(1) == os.getpgrp())"),
        steps=(),
        differs="that terminal controls nobody; /dev/tty and standard input tell",
    ),
)

CASES = {
    "Start": STARTED,
    "Standard input": INPUT,
    "Standard output and error": OUTPUT,
    "End": ENDED,
    "Signals": SIGNALS,
    "On a terminal": TERMINAL,
}
"""All cases, by what they are about."""
