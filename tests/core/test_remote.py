"""Which URLs, that others wrote, git may be asked to fetch from."""

import pytest

from capsula.core.remote import is_fetchable

FETCHABLE = (
    *("https://host/x", "https://host:8443/a%20b.git", "HTTPS://host/x", "ssh://me@host:22/x", "file:///srv/x"),
    *("/srv/a b", "git@host:x", "some.body@host.example:team/x.git"),
)
ODD = (
    *("ext::sh -c id", "EXT::sh -c id", "fd::17", "me@host::x", "https::x", "file::/srv/x", "git://host/x"),
    *("http://host/x", "ftp://host/x", "x", "../x", "host:x", "C:\\x", ""),
    *("-u", "--upload-pack=id", "-oProxyCommand=id@host:x", "ssh://-oProxyCommand=id/x", "SSH://-oProxyCommand=id/x"),
    *("git@-oProxyCommand=id:x", "git@host:--upload-pack=id", "https://-x", "file://--upload-pack=id", "git@host:"),
    *("https:// host/x", "git@host: x", "git@host:x y", "https://host/x\n", "/srv/x\n--upload-pack=id", "\n/srv/x"),
    *("/srv/\0x", "/srv/\x1b[2J", "/srv/\udcff", "https://host/\u202etig", "me\u0661@host:x", "-x:/srv/x"),
)


@pytest.mark.parametrize("url", FETCHABLE)
def test_who_speaks_https_or_ssh_and_what_is_a_directory_may_be_asked(url: str) -> None:
    assert is_fetchable(url)


@pytest.mark.parametrize("url", ODD)
def test_an_odd_url_is_no_remote_to_ask(url: str) -> None:
    assert not is_fetchable(url)
