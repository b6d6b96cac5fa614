"""A project with a file of every kind that is read, each made as it is made in earnest: by a run, git, or a package."""

import gzip
import json
import struct
import sys
import zipfile
from io import BytesIO
from pathlib import Path

from capsula.flows.session import GLANCE
from property_tests.test_verdicts import npy, png
from tests.old_capsules import captured as old_capture
from tests.old_capsules import run as old_run
from tests.repositories import git, repository, write
from tests.running import capsula, only_capsule

CONFIGURATION = b"""\
vault-directory = "vault"
capsule-template = "%Y%m%d_%H%M%S"

[capture]
include-cpu = false
pre-capture-commands = ["true"]
pre-capture-time-limit = 60.0
environment-variables = ["HOME"]

[capture.files]
"in.csv" = { hash = "sha256", copy = true }

[capture.git.repositories]
project = "."

[discretion]
allow = ["SOME_TOKEN"]

[monitor]
output-in-record = 65536

[monitor.item.it.files]
"out.csv" = { hash = "md5", copy = true }
"""
PROGRAM = """
import capsula
open("out.csv", "w").write("x,y\\n1,2.5\\n")
open("more.csv", "w").write("2")
print("\\x1b[31mhello\\x1b[0m")
capsula.record("loss", 0.25)
"""
TEXT = b"""\
export DB_PASSWORD=hunter2 && curl https://user:word@host/x -H 'Authorization: Bearer abcdefghijklmnop'
AKIAIOSFODNN7EXAMPLE ghp_0123456789abcdefghijklmnopqrstuvwxyzABCD password: "correct horse" --token=abc
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ
-----END OPENSSH PRIVATE KEY-----
\x1b]0;title\x07\x1b[31mred\x1b[0m \xc2\x9b1m \xe2\x80\xae \xff P1DT2H3M4.5S %Y/%j-%c 2024-02-29T01:02:03+09:00
"""
FILES = {
    "capsula.toml": CONFIGURATION,
    "pyproject.toml": b'[project]\nname = "x"\n[tool.capsula.capture]\nenvironment-variables = ["HOME"]\n',
    "in.csv": b"1\n",
    ".gitignore": b"vault/\n/outputs\n",
    ".gitattributes": b"*.txt text eol=lf\n*.bin -text filter=lfs\n[attr]mine ident\n",
    "a/b.py": b"print(1)\n",
}
PACKAGE = "site/some-1.0.dist-info"
OTHERS = {
    f"{PACKAGE}/METADATA": b"Metadata-Version: 2.1\nName: some\nVersion: 1.0\n\nText\n",
    f"{PACKAGE}/RECORD": b'some.py,sha256=47DEQ,0\n"a,b.py",,\n../../bin/some,sha256=x,12\nsome.pth,sha256=y,3\n',
    f"{PACKAGE}/direct_url.json": (
        b'{"url": "https://user:word@host/x.git", "vcs_info": {"vcs": "git", "commit_id": "1f", "requested_revision":'
        b' "main"}, "archive_info": {"hashes": {"sha256": "ab"}}, "dir_info": {"editable": true}, "subdirectory": "d"}'
    ),
    "config/pip/pip.conf": b"[global]\nindex-url = https://u:w@host/simple\nfind-links = file:///srv/a%20b ./wheels\n",
    "config/uv/uv.toml": (
        b'index-url = "https://host/simple"\nfind-links = ["file:///srv"]\n[[index]]\nname = "a"\nurl = "https://b/s"\n'
        b'[pip]\nextra-index-url = ["https://c/s"]\nno-index = false\n'
    ),
    "script": b"#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python3' -I \"$0\" \"$@\"\n' '''\n",
    "text": TEXT,
}


def project(place: Path) -> Path:
    """Make a project in a directory, with capsules of today, ``whole``, and of version 0.0.21, ``old``."""
    root = repository(place / "project", FILES)
    git(root, "remote", "add", "origin", "https://user:word@host/x.git")
    git(root, "pack-refs", "--all")
    write(root, {"in.csv": b"2\n", "new": b"x", "d/\xe9.txt": b"y" * 300, ".env": b"KEY=1\n", "out.csv": b"1"})
    (root / "link").symlink_to("d")
    done = capsula("monitor", "-i", "it", sys.executable, "-c", PROGRAM, cwd=root)
    assert done.returncode == 0, done.stderr
    only_capsule(root).rename(root / "vault/whole")
    for records in (root / "vault/whole/.capsula/records").iterdir():
        records.rename(records.with_name("1.jsonl"))
    write(root / "vault/whole", {GLANCE: b'{"files": {"a": [1, 2, 3, 4]}, "whole": true}'})
    old_run(old_capture(root, "old", ("in.csv",)), root, ("true",), "", ("out.csv",))
    context = (root / "vault/whole/context.json").read_bytes()
    tree = json.dumps(json.loads(context)["source"]["project"]).encode()
    write(root, {**OTHERS, **outputs(), "context": context, "tree": tree})
    return root


KINDS = (
    *("txt", "csv", "tsv", "json", "ipynb", "npy", "npz", "zip", "xlsx", "docx", "csv.gz", "svg", "pdf", "eps", "png"),
)
"""Suffixes of the outputs that are compared as something."""


def outputs() -> dict[str, bytes]:
    """Return outputs of every kind that is compared, ``there`` and ``here``, of slightly different numbers."""
    both = {"there": 1.5, "here": 1.5000000001}
    return {f"outputs/{name}.{kind}": content for name, x in both.items() for kind, content in _outputs(x).items()}


def _outputs(x: float) -> dict[str, bytes]:
    digit = int(x * 1e10) % 10
    table = f"x,y\n{x},2e5\n-0.0,007\n".encode()
    cells = [
        {"cell_type": "code", "source": ["a\n", "b"], "outputs": [{"output_type": "stream", "text": f"{x}\n"}]},
        {"cell_type": "markdown", "id": "c", "source": "text", "metadata": {}},
    ]
    array = npy("<f8", "(2, 1)", struct.pack("<2d", x, -x))
    sheet = f'<worksheet><sheetData><row r="1"><c r="A1"><v>{x}</v></c></row></sheetData></worksheet>'.encode()
    core = f"<cp:coreProperties><dcterms:created>202{digit}</dcterms:created></cp:coreProperties>".encode()
    drawing = f'<svg><metadata><d>{x}</d></metadata><g id="p1f"><use href="#p1f"/><path d="M {x} 2"/></g></svg>'
    page = f"%PDF-1.4\n1 0 obj <</CreationDate (D:202{digit})>>\nendobj\n{x}\ntrailer <</ID [<ab> <cd>]>>\nstartxref\n9"
    return {
        "txt": b"\xef\xbb\xbfloss " + table,
        "csv": table,
        "tsv": table.replace(b",", b"\t"),
        "json": json.dumps({"x": [x, 2, True, None], "\u00e9": {"y": "z"}}).encode(),
        "ipynb": json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}).encode(),
        "npy": array,
        "npz": _zipped({"x.npy": array, "y.npy": npy("<i8", "(1,)", bytes(8))}),
        "zip": _zipped({"a.csv": table, "b/c.json": b"[1]"}),
        "xlsx": _zipped({"xl/worksheets/sheet1.xml": sheet, "docProps/core.xml": core, "[Content_Types].xml": b"<T/>"}),
        "docx": _zipped({"word/document.xml": sheet, "docProps/core.xml": core}),
        "csv.gz": gzip.compress(table, mtime=digit),
        "svg": drawing.encode(),
        "pdf": page.encode(),
        "eps": f"%!PS-Adobe-3.0\n%%CreationDate: {digit}\n{x} 2 moveto\n".encode(),
        "png": png(2, 5, 2, b"".join(bytes([filtered, *(digit, 2, 3) * 2]) for filtered in range(5))),
    }


def _zipped(members: dict[str, bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()
