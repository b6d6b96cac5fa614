"""Hash and copy many small files with nothing but calls of the system, and all of it on the disk at the end.

many.py FOLDER TARGET
"""

import hashlib
import json
import os
import sys

CHUNK = 1024 * 1024


def main(folder: str, target: str) -> None:
    """Copy all files of all folders of the folder."""
    hashes = {}
    for name in os.listdir(folder):
        os.makedirs(os.path.join(target, name))
        for file in os.listdir(os.path.join(folder, name)):
            path = os.path.join(name, file)
            source = os.open(os.path.join(folder, path), os.O_RDONLY)
            content = os.read(source, CHUNK)
            os.close(source)
            copy = os.open(os.path.join(target, path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(copy, content)
            os.close(copy)
            hashes[path] = hashlib.sha256(content).hexdigest()
    with open(os.path.join(target, "context.json"), "x") as document:
        json.dump(hashes, document, indent=4)
    os.sync()


if __name__ == "__main__":
    main(*sys.argv[1:])
