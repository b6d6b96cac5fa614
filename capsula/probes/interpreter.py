"""Print what the interpreter that runs this is, and the distributions it finds, with nothing but Python 3.6 or later.

The answer is a JSON object between two marks (the first argument): what runs as an interpreter starts may print, too.
Only the head of each distribution's metadata is read: the answer of ``importlib.metadata`` at a fraction of its cost.
The digests of their contents cost far more, so those known from before are read from a file (the second argument).
"""
# The path is mended before anything is imported, and pathlib would cost more than all the rest.
# ruff: noqa: E402, PTH116, PTH118

import sys
import time

began = time.time()
read = [module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)]

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
    mark, memory = sys.argv[1:]
    known = remembered(memory)
    found = packages()
    for package in found:
        package.update(contents(str(package["place"]), str(package["direct_url"]), known))
    seen = {package["place"]: [package["stamp"], package["digest"]] for package in found if package["stamp"]}
    news = None if seen == known else seen
    told = {"interpreter": interpreter(), "packages": found, "news": news, "began": began, "read": sources()}
    answer = json.dumps(told)
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


def sources() -> "list[str]":
    """Return the files and directories, there or not, that all this was learned from."""
    home = os.path.split(sys.executable)[0]
    started = [os.path.join(place, "pyvenv.cfg") for place in (home, os.path.split(home)[0])]
    user = getattr(sys.modules.get("site"), "USER_SITE", None)
    links = [os.path.join(location, name) for location in path for name in names(location) if name.endswith(".pth")]
    known = {sys.executable, *read, *started, *links, *([user] if user else [])}
    mapped = text("/proc/self/maps", 1 << 20).split("\n")
    return sorted(known.union(line.split()[-1] for line in mapped if "/libpython" in line))


def names(location: str) -> "list[str]":
    """Return what stands in a directory; nothing if it is none."""
    read.append(location)
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


def remembered(memory: str) -> "dict[str, list[str]]":
    """Return place to stamp and digest, as they were told before; nothing if that is damaged, or another user's."""
    try:
        with open(memory, "rb") as content:
            ours = os.fstat(content.fileno()).st_uid == os.geteuid()
            known = json.loads(content.read().decode("utf-8")) if ours else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) and all(map(is_pair, known.values())) else {}


def is_pair(value: object) -> bool:
    """Return whether this is a stamp and a digest."""
    return isinstance(value, list) and list(map(type, value)) == [str, str]


def contents(place: str, direct_url: str, known: "dict[str, list[str]]") -> "dict[str, object]":
    """Return the digest of a distribution's content and its stamp, while which is the same the digest is.

    What is installed as a link to its source has no content, but the few files that make the link.
    """
    if is_editable(direct_url):
        return {"digest": "", "stamp": "", "files": link(place)}
    record = os.path.join(place, "RECORD")
    read.append(record)
    try:
        state = os.stat(record)
    except OSError:
        return {"digest": "", "stamp": ""}
    stamp = f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"
    before, digest = known.get(place, ["", ""])
    if before == stamp:
        return {"digest": digest, "stamp": stamp}
    is_settled = abs(time.time() - state.st_ctime) > 1  # or it may change once more, and keep its stamp
    return {"digest": digest_of(rows(record)), "stamp": stamp if is_settled else ""}


def is_editable(direct_url: str) -> bool:
    """Return whether a ``direct_url.json`` says so."""
    try:
        return bool(direct_url) and json.loads(direct_url)["dir_info"]["editable"] is True
    except (ValueError, LookupError, TypeError, RecursionError):
        return False


def link(place: str) -> "dict[str, str]":
    """Return the files that make the link, by their paths in the site directory."""
    site, own = os.path.split(place)
    modules = [row[0] for row in rows(os.path.join(place, "RECORD")) if row and "/" not in row[0]]
    files = [name for name in modules if name.endswith((".pth", ".py"))]
    texts = {name: text(os.path.join(site, name), 65536) for name in [*sorted(files), f"{own}/entry_points.txt"]}
    return {name: told for name, told in texts.items() if told}


def rows(record: str) -> "list[list[str]]":
    """Return the rows of a ``RECORD``, path, hash and size; nothing if it cannot be read."""
    import csv

    try:
        with open(record, encoding="utf-8", errors="surrogateescape", newline="") as content:
            return list(csv.reader(content))
    except (OSError, csv.Error):
        return []


def digest_of(rows: "list[list[str]]") -> str:
    """Return a digest over what a ``RECORD`` lists that no installer has a part in; nothing if it has no hashes."""
    from hashlib import sha256

    lines = sorted(f"{row[1]} {row[0]}\0" for row in rows if len(row) > 1 and row[1] and is_content(row[0]))
    whole = "".join(lines).encode("utf-8", "surrogateescape")
    return sha256(whole).hexdigest() if lines else ""


def is_content(path: str) -> bool:
    """Return whether every installer would put this file, as it is, into the site directory."""
    if path.startswith(("/", "../")) or path.endswith(".pyc"):
        return False
    folder, _, name = path.rpartition("/")
    return name not in traces or not folder.endswith(".dist-info")


traces = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "provenance_url.json"}


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
    return text(file, 8192)


def text(file: str, limit: int) -> str:
    """Return so many bytes of a file as text; nothing if it cannot be read."""
    read.append(file)
    try:
        with open(file, "rb") as content:
            return content.read(limit).decode("utf-8", "surrogateescape")
    except (OSError, ValueError):  # a RECORD may name what no file is called
        return ""


def normalised(name: str) -> str:
    """Return the name by which distributions are told apart."""
    return re.sub("[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
