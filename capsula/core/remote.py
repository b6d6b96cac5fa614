"""Remotes: their URLs without secrets, and which of them may be fetched from."""

import re

_FETCHABLE = re.compile(r"(?i:https|ssh|file)://[^-\s].*|/.*|[\w.+-]+@[\w][\w.-]*:[^-:\s][^\s]*", re.ASCII)


def without_secrets(url: str) -> str:
    """Leave out passwords, and all that stands before the host in a web address, where tokens stand for users.

    >>> without_secrets("https://token@host/x"), without_secrets("ssh://git:word@host/x")
    ('https://host/x', 'ssh://git@host/x')
    """
    anonymous = re.sub(r"(?i)(https?://)[^/\s]*@", r"\1", url)
    return re.sub(r"(?i)([a-z][a-z0-9+.-]*://[^/:@\s]*):[^/\s]*@", r"\1@", anonymous)


def path_of(url: str) -> str:
    """Return the path that a URL names; empty if it is no URL.

    >>> path_of("file:///srv/a%20b"), path_of("https://[")
    ('/srv/a b', '')
    """
    from urllib.parse import unquote, urlsplit  # whom few runs need

    try:
        return unquote(urlsplit(url).path)
    except ValueError:
        return ""


def is_fetchable(url: str) -> bool:
    """Tell whether git may be asked to fetch from a URL that others wrote: over https or ssh, or from a directory.

    >>> [is_fetchable(url) for url in ("https://host/x", "git@host:x", "ext::sh -c id", "ssh://-oProxyCommand=id/x")]
    [True, True, False, False]
    """
    return url.isprintable() and _FETCHABLE.fullmatch(url) is not None
