"""Print what the interpreter that runs this is, and the distributions it finds, with nothing but Python 3.6 or later.

The answer is a JSON object between two marks (the only argument): what runs as an interpreter starts may print, too.
Only the head of each distribution's metadata is read: the answer of ``importlib.metadata`` at a fraction of its cost.
"""
# The path is mended before anything is imported, and pathlib would cost more than all the rest.
# ruff: noqa: E402, PTH118

import sys

if sys.path[:1] == [""]:
    del sys.path[0]  # the working directory, put there for this program alone
path = sys.path[:]
version = f"{sys.version_info[0]}.{sys.version_info[1]}"
library = (f"/python{version}", f"/pypy{version}", "/lib-dynload", f"/python{version.replace('.', '')}.zip")
sys.path[:] = [place for place in path if place.endswith(library)] or path  # no module of the user's is taken for ours

import json
import os
import re
import sysconfig


def main() -> None:
    """Print the answer, whatever has become of ``sys.stdout``."""
    mark = sys.argv[1]
    answer = json.dumps({"interpreter": interpreter(), "packages": packages()})
    with open(1, "wb", closefd=False) as output:
        output.write(f"\n{mark}{answer}{mark}\n".encode("ascii"))


def interpreter() -> "dict[str, object]":
    """Return what the interpreter says about itself."""
    return {
        "executable": sys.executable,
        "version": sys.version.split()[0],
        "implementation": sys.implementation.name,
        "build": sys.version,
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "cache_tag": sys.implementation.cache_tag,
        "abi_flags": sys.abiflags,
        "platform_tag": sysconfig.get_platform(),
        "path": path,
    }


def packages() -> "list[dict[str, object]]":
    """Return the distributions by name, of one name the first on the path; then those without a name or a version."""
    places = [(location, name) for location in dict.fromkeys(path) for name in names(location)]
    links = {linked(os.path.join(*place)) for place in places if place[1].endswith(".egg-link")}
    found = {}  # type: dict[str, dict[str, object]]
    broken = []
    for location, name in places:
        if name.endswith((".dist-info", ".egg-info")) or (name == "EGG-INFO" and location.endswith(".egg")):
            package = described(os.path.join(location, name))
            package["linked"] = location in links
            if package["name"] and package["version"]:
                found.setdefault(normalised(str(package["name"])), package)
            else:
                broken.append(package)
    return [found[name] for name in sorted(found)] + broken


def names(location: str) -> "list[str]":
    """Return what stands in a directory; nothing if it is none."""
    try:
        return sorted(os.listdir(location))
    except OSError:
        return []


def linked(link: str) -> str:
    """Return the directory that an ``.egg-link`` file leads to."""
    return head(link).partition("\n")[0].strip()


def described(place: str) -> "dict[str, object]":
    """Return what the metadata that stand at this place tell; ``direct_url`` is the text of that file."""
    sources = (os.path.join(place, "METADATA"), os.path.join(place, "PKG-INFO"), place)
    fields = headers(next(filter(None, map(head, sources)), ""))
    return {
        "name": fields.get("name", ""),
        "version": fields.get("version", ""),
        "place": place,
        "direct_url": head(os.path.join(place, "direct_url.json")),
    }


def headers(metadata: str) -> "dict[str, str]":
    """Return the name and the version that the head of a metadata file tells."""
    fields = {}  # type: dict[str, str]
    for line in metadata.split("\n"):
        if not line.strip() or len(fields) == len(("name", "version")):
            break
        name, _, value = line.partition(":")
        if name.lower() in ("name", "version"):
            fields.setdefault(name.lower(), value.strip())
    return fields


def head(file: str) -> str:
    """Return the beginning of a file; nothing if it cannot be read."""
    try:
        with open(file, "rb") as content:
            return content.read(8192).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def normalised(name: str) -> str:
    """Return the name by which distributions are told apart."""
    return re.sub("[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
