"""Commands run by us in a process of their own, as a user would meet them."""

import fcntl
import json
import os
import select
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from attrs import evolve, frozen

PATIENCE = 30.0
ELSEWHERE = "import signal; del signal.sigtimedwait"
"""What makes a platform one that does not tell who sent a signal."""

SCRIPT = """
import json, os, sys
from pathlib import Path
from capsula.core.run import Command
from capsula.effects.process import die_as, run

logs = Path(sys.argv[1])
{before}
outcome = run(Command(tuple(sys.argv[2:]), {cwd}, dict(os.environ)), {stdout_log}, {stderr_log})
{after}
told = {{
    "exit_code": outcome.exit_code, "signal": outcome.signal, "merged": outcome.merged,
    "sizes": [logged and logged.size for logged in (outcome.stdout, outcome.stderr)],
    "sums": [logged and logged.log for logged in (outcome.stdout, outcome.stderr)],
    "faults": [[*fault.path, fault.kind] for fault in outcome.faults],
    # Since the exec alone: what getrusage says starts with the memory of the process that forked this one.
    "peak": int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024,
}}
(logs / "outcome").write_text(json.dumps(told))
die_as(outcome)
"""

_STATE = """
import signal, threading
def state():
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    children = Path("/proc/self/task", str(os.getpid()), "children").read_text()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return sorted(os.listdir("/proc/self/fd")), mask, handlers, children, threading.active_count()
"""


@frozen
class Wrapper:
    """Runs commands by ``run`` in a fresh interpreter; ``before`` and ``after`` are lines around that."""

    directory: Path
    before: str = ""
    after: str = ""
    cwd: str = "Path.cwd()"
    stdout_log: str = "logs / 'stdout.log'"
    stderr_log: str = "logs / 'stderr.log'"

    def argv(self, *command: str) -> list[str]:
        script = SCRIPT.format(
            before=self.before,
            after=self.after,
            cwd=self.cwd,
            stdout_log=self.stdout_log,
            stderr_log=self.stderr_log,
        )
        return [sys.executable, "-c", script, str(self.directory), *command]

    def run(self, *command: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        given: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": PATIENCE} | options
        return subprocess.run(self.argv(*command), check=False, **given)

    def start(self, *command: str, **options: Any) -> subprocess.Popen[bytes]:
        given: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE} | options
        return subprocess.Popen(self.argv(*command), **given)

    @property
    def observed(self) -> "Wrapper":
        """The same, and what it leaves otherwise than it was is its failure."""
        return evolve(
            self,
            before=f"{self.before}\n{_STATE}\nthen = state()",
            after=f"now = state(); assert now == then, (then, now)\n{self.after}",
        )

    @property
    def outcome(self) -> Any:
        return json.loads((self.directory / "outcome").read_text())

    @property
    def ending(self) -> tuple[int, int | None]:
        return self.outcome["exit_code"], self.outcome["signal"]

    @property
    def faults(self) -> list[list[str]]:
        return [list(fault) for fault in self.outcome["faults"]]

    @property
    def logs(self) -> tuple[bytes, bytes]:
        return (self.directory / "stdout.log").read_bytes(), (self.directory / "stderr.log").read_bytes()


@frozen
class Terminal:
    """A terminal with a process of its own session in front of it; we sit at the keyboard."""

    keyboard: int
    process: subprocess.Popen[bytes]

    @classmethod
    def of(cls, argv: list[str], **options: Any) -> "Terminal":
        keyboard, screen = os.openpty()
        streams: dict[str, Any] = {"stdin": screen, "stdout": screen, "stderr": screen} | options
        process = subprocess.Popen(argv, preexec_fn=lambda: _take(screen), **streams)  # noqa: PLW1509
        os.close(screen)
        return cls(keyboard, process)

    def type(self, keys: bytes) -> None:
        os.write(self.keyboard, keys)

    def shown_until(self, text: bytes) -> bytes:
        return read_until(self.keyboard, text)

    def ended(self) -> int:
        rest = read_until(self.keyboard, None)
        os.close(self.keyboard)
        assert rest is not None
        return self.process.wait(PATIENCE)


def read_until(descriptor: int, text: bytes | None, patience: float = PATIENCE) -> bytes:
    """Read until the text came, or until the end; fail when that takes too long."""
    seen = b""
    deadline = monotonic() + patience
    while text is None or text not in seen:
        assert select.select([descriptor], [], [], max(0.0, deadline - monotonic()))[0], f"only {seen!r} came"
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:
            chunk = b""
        if not chunk:
            assert text is None, f"only {seen!r} came"
            break
        seen += chunk
    return seen


def powerless(*powers: str) -> list[str]:
    """Return the words that run a command without the powers of root, but for those named, where we have them."""
    if os.geteuid():
        return []
    if not shutil.which("setpriv"):
        pytest.skip("needs: setpriv")
    return ["setpriv", "--inh-caps=-all", f"--bounding-set={','.join(['-all', *(f'+{name}' for name in powers)])}"]


def pending(pid: int) -> int:
    """Return a mask of the signals that a process has not heard yet."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("ShdPnd:")[2].split()[0], 16)


def children(pid: int) -> list[int]:
    """Return the children of a process that it has not waited for."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def waiting(pipe: int) -> int:
    """Return how many bytes can be read at once from a pipe."""
    (size,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(size)


def _take(terminal: int) -> None:
    """Become the leader of a session on the terminal; what is standard input, output or error already stays."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def awaited(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = monotonic() + PATIENCE
    while not is_so():
        assert monotonic() < deadline
        sleep(0.005)


def output_of(process: subprocess.Popen[bytes]) -> int:
    """Return the descriptor that what a process prints is read from."""
    assert process.stdout is not None
    return process.stdout.fileno()
