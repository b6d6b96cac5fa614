"""Loading libgit2 without certificates: nobody but libgit2 can tell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOADED = """
from capsula.effects.offline import load_offline
load_offline()
"""


def test_libgit2_reads_repositories_and_the_real_ssl_is_there_for_others(tmp_path: Path) -> None:
    program = f"""
import os, sys
before = dict(os.environ)
{LOADED}
print("ssl" in sys.modules, "pygit2" in sys.modules, dict(os.environ) == before)
import pygit2, ssl
print(pygit2.init_repository("made").is_empty, ssl.create_default_context().cert_store_stats()["x509_ca"] >= 0)
"""

    assert printed(program, tmp_path) == ["False True True", "True True"]


def test_libgit2_with_certificates_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    program = f"""
import ssl, sys
{LOADED}
print("pygit2" in sys.modules, sys.modules["ssl"] is ssl)
"""

    assert printed(program, tmp_path) == ["False True"]


@pytest.mark.parametrize("chosen", [None, "/somewhere/cert.pem"])
def test_a_version_that_cannot_be_loaded_so_is_imported_as_usual(chosen: str | None, tmp_path: Path) -> None:
    (tmp_path / "pygit2").mkdir()
    (tmp_path / "pygit2" / "part.py").write_text("")
    (tmp_path / "pygit2" / "__init__.py").write_text("from . import part\nfrom ssl import create_default_context\n")
    program = f"""
import os, sys
sys.path.insert(0, "")
{LOADED}
print([name for name in sys.modules if "pygit2" in name], "ssl" in sys.modules, os.environ.get("SSL_CERT_FILE"))
import pygit2
print(pygit2.create_default_context.__module__)
"""

    assert printed(program, tmp_path, chosen) == [f"[] False {chosen}", "ssl"]


def printed(program: str, directory: Path, certificates: str | None = None) -> list[str]:
    environ = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    chosen = {"SSL_CERT_FILE": certificates} if certificates else {}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=directory, env=environ | chosen, capture_output=True, text=True, check=True
    )
    return ran.stdout.splitlines()
