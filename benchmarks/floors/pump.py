"""Run a command, and pass on, keep, hash and search what it prints, chunk by chunk.

pump.py LOG COMMAND...
"""

import fcntl
import hashlib
import os
import subprocess
import sys

CHUNK = 1024 * 1024
SEARCHED = 16 * CHUNK
WORDS = (b"AKIA", b"ghp_", b"glpat-", b"xoxb-", b"sk_live_", b"hf_", b"-----BEGIN", b"Bearer ", b"password", b"token")


def main(log: str, *command: str) -> int:
    """Pump until the command has ended; all of the log is on the disk then."""
    outlet, entrance = os.pipe()
    fcntl.fcntl(entrance, fcntl.F_SETPIPE_SZ, CHUNK)
    process = subprocess.Popen(command, stdout=entrance)
    os.close(entrance)
    kept = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    buffer = memoryview(bytearray(CHUNK))
    digest = hashlib.sha256()
    size = found = 0
    while count := os.readv(outlet, [buffer]):
        chunk = buffer[:count]
        os.write(kept, chunk)
        os.write(1, chunk)
        digest.update(chunk)
        if size < SEARCHED:
            text = bytes(chunk).lower()
            found += sum(text.count(word.lower()) for word in WORDS)
        size += count
    os.fsync(kept)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
