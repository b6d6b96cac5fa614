"""Wheels made by hand, environments to install them into, and distributions without either."""

import csv
import io
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path


def wheel(
    folder: Path, name: str, version: str, files: Mapping[str, str], scripts: Mapping[str, str] | None = None
) -> Path:
    """Make a wheel of text files, with its ``RECORD``; ``scripts`` are console scripts, name to entry point."""
    own = f"{name}-{version}.dist-info"
    points = "".join(f"{script} = {target}\n" for script, target in (scripts or {}).items())
    whole = {
        **files,
        f"{own}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{own}/WHEEL": "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **({f"{own}/entry_points.txt": f"[console_scripts]\n{points}"} if scripts else {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(place, "w") as archive:
        for path, text in whole.items():
            archive.writestr(path, text)
        archive.writestr(f"{own}/RECORD", _record(whole, own))
    return place


def environment(directory: Path, *wheels: Path, python: str = sys.executable) -> Path:
    """Make a virtual environment, install wheels into it by pip as from an index, and return its interpreter."""
    subprocess.run([python, "-m", "venv", "--without-pip", directory], check=True)
    program = directory / "bin" / "python"
    if wheels:
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
        options += [f"--find-links={wheel.parent}" for wheel in wheels]
        names = ["==".join(wheel.name.split("-")[:2]) for wheel in wheels]
        subprocess.run([sys.executable, "-m", "pip", "--python", program, "install", *options, *names], check=True)
    return program


def installed(site: Path, facet: str, text: str, distribution: str | None = None) -> None:
    """Install a distribution that brings one facet."""
    (site / f"{facet}_facet.py").write_text(text)
    place = site / f"{distribution or facet}-1.0.dist-info"
    place.mkdir()
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution or facet}\nVersion: 1.0\n")
    (place / "entry_points.txt").write_text(f"[capsula.facets]\n{facet} = {facet}_facet\n")


def site(program: Path) -> Path:
    """Return the site directory of an environment's interpreter."""
    (found,) = program.parents[1].glob("lib/python*/site-packages")
    return found


def _record(files: Mapping[str, str], own: str) -> str:
    rows = [[path, f"sha256={_digest(text)}", str(len(text.encode()))] for path, text in files.items()]
    record = io.StringIO()
    csv.writer(record, lineterminator="\n").writerows([*rows, [f"{own}/RECORD", "", ""]])
    return record.getvalue()


def _digest(text: str) -> str:
    return urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
