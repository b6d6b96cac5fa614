"""Links: distributions that are installed as a link to their source, made again without running anything of theirs."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from capsula.restorers.python_packages import Link


def linked(directory: Path, link: Link) -> None:
    """Write the few files by which an installer links to a source, and the scripts that it would make."""
    site = site_directory(directory)
    own = site / f"{link.name.replace('-', '_')}-{link.version}.dist-info"
    own.mkdir()
    (own / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {link.name}\nVersion: {link.version}\n")
    (own / "INSTALLER").write_text("capsula\n")
    origin = {"url": link.source.as_uri(), "dir_info": {"editable": True}}
    (own / "direct_url.json").write_text(json.dumps(origin))
    (own / "RECORD").write_text("".join(f"{path},,\n" for path in link.files))  # names that need no quotes
    for path, text in link.files.items():
        file = own / "entry_points.txt" if "/" in path else site / path
        file.write_bytes(os.fsencode(text))
    if link.package:
        (site / link.package.name).symlink_to(link.package, target_is_directory=True)
    for name, target in _scripts(link.files):
        script = directory / "bin" / name
        script.write_text(_SCRIPT.format(directory / "bin" / "python", *target), newline="\n")
        script.chmod(0o755)


_SCRIPT = """\
#!{0}
import sys
from {1} import {2}
sys.exit({3}())
"""


def site_directory(environment: Path) -> Path:
    """Return where the distributions of an environment are."""
    return next(environment.glob("lib/*/site-packages"), environment)


def _scripts(files: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield the console scripts that entry points name: name to module, first name in it, and all of it."""
    for path, text in files.items():
        if path.endswith("/entry_points.txt"):
            _, _, section = text.partition("[console_scripts]")
            for script in _ENTRY.finditer(section.partition("\n[")[0]):
                yield script["name"], (script["module"], script["object"].partition(".")[0], script["object"])


_ENTRY = re.compile(
    r"^(?P<name>\w[\w.-]*) *= *(?P<module>\w+(?:\.\w+)*) *: *(?P<object>\w+(?:\.\w+)*) *(?:\[.*)?$", re.MULTILINE
)
