"""Laws of a command that is run by us: it gets, writes and ends as without us, whatever that is."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effects.wrapping import PATIENCE, Wrapper

Chunk: TypeAlias = tuple[int, int, bytes]
"""A descriptor, and how often what is written to it at once."""

BYTES = st.binary(max_size=30) | st.sampled_from([b"\n", b"\r\n", b"\0", b"\x1b[31m", b"\xff"])
CHUNKS = st.lists(st.tuples(st.sampled_from([1, 2]), st.sampled_from([1, 2, 4096, 100_000]), BYTES), max_size=8)
STATUSES = st.integers(0, 255) | st.sampled_from([-1, -2, -9, -13, -14, -15])
ARGUMENTS = st.lists(st.binary(max_size=20).map(lambda word: word.replace(b"\0", b"")), max_size=4)

WRITER = """
import os, signal, sys
status, plan, *arguments = sys.argv[1:]
for chunk in plan.split():
    number, times, written = chunk.split(":")
    os.write(int(number), bytes.fromhex(written) * int(times))
os.write(1, b"\\0".join([*map(os.fsencode, arguments), sys.stdin.buffer.read()]))
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os._exit(int(status)) if int(status) >= 0 else os.kill(os.getpid(), -int(status))
"""


@settings(max_examples=25, deadline=None)
@given(ARGUMENTS, CHUNKS, st.binary(max_size=100), STATUSES)
def test_a_wrapped_command_is_as_a_bare_one(
    arguments: list[bytes], chunks: list[Chunk], given: bytes, status: int
) -> None:
    command = [sys.executable, "-I", "-S", "-c", WRITER, str(status), _plan(chunks), *map(_text, arguments)]

    with TemporaryDirectory() as directory:
        wrapper = Wrapper(Path(directory))
        bare = subprocess.run(command, input=given, capture_output=True, timeout=PATIENCE, check=False)
        wrapped = wrapper.run(*command, input=given)
        logs = wrapper.logs

    assert (wrapped.returncode, wrapped.stdout, wrapped.stderr) == (bare.returncode, bare.stdout, bare.stderr)
    assert logs == (bare.stdout, bare.stderr)


def _plan(chunks: list[Chunk]) -> str:
    return " ".join(f"{number}:{times}:{written.hex()}" for number, times, written in chunks)


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")
