"""Loading libgit2 for a program that only reads repositories: without certificates and archives, in half the time."""

import os
import sys
from types import ModuleType, SimpleNamespace


def load_offline() -> None:
    """Import pygit2 without archives, and let it take over no certificates, unless somebody has loaded ``ssl``.

    It is for a process of our own: whatever libgit2 might fetch afterwards over TLS, it would refuse. Where another
    version of pygit2 cannot be had so, it is left to be imported as usual.
    """
    if "pygit2" in sys.modules or "ssl" in sys.modules:
        return
    chosen = os.environ.get(_CERTIFICATES)
    os.environ[_CERTIFICATES] = os.devnull
    known = {"ssl": _without_certificates(), "tarfile": _without_archives()}
    stand_ins = {name: module for name, module in known.items() if name not in sys.modules}
    sys.modules |= stand_ins
    try:
        import pygit2  # noqa: F401
    except (ImportError, AttributeError, TypeError, OSError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "pygit2"]:
            del sys.modules[name]
    finally:
        for name in stand_ins:
            del sys.modules[name]
        if chosen is None:
            del os.environ[_CERTIFICATES]
        else:
            os.environ[_CERTIFICATES] = chosen


_CERTIFICATES = "SSL_CERT_FILE"


def _without_certificates() -> ModuleType:
    """Return as much of ``ssl`` as pygit2 imports: the places of the certificates, of which there are none."""
    module = ModuleType("ssl")
    places = SimpleNamespace(cafile=None, capath=os.devnull)
    module.__dict__.update(DefaultVerifyPaths=SimpleNamespace, get_default_verify_paths=lambda: places)
    return module


def _without_archives() -> ModuleType:
    """Return as much of ``tarfile`` as pygit2 imports: it writes no archive for us."""
    module = ModuleType("tarfile")
    module.__dict__.update(TarFile=object)
    return module
