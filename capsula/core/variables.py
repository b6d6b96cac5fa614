"""Environment variables by what they mean, as far as a name can tell: a secret, a number's origin, a passing thing."""

import re
from hmac import digest


def is_secret(name: str, value: str) -> bool:
    """Tell whether a value may be one that nobody else shall read: by its name, or a password in a URL."""
    return _SECRET.search(name.upper()) is not None or _PASSWORD_IN_URL.search(value) is not None


def is_numeric(name: str) -> bool:
    """Tell whether numbers may come out otherwise by it: counts of threads, kernels of BLAS, devices."""
    return _NUMERIC.fullmatch(name) is not None


def is_local(name: str) -> bool:
    """Tell whether it says how text and time are written."""
    return _LOCAL.fullmatch(name) is not None


def is_telling(name: str) -> bool:
    """Tell whether programs are known to listen to it, so that its value belongs to what produced a result."""
    return is_numeric(name) or is_local(name) or _TELLING.fullmatch(name) is not None


def is_passing(name: str) -> bool:
    """Tell whether it differs between two terminals of one person, and changes no result."""
    return _PASSING.fullmatch(name) is not None


def keyed_digest(key: bytes, name: str, value: str) -> str:
    """Return 32 hexadecimal digits that tell one value from another, and nothing else to who has no key."""
    return digest(key, f"{name}={value}".encode("utf-8", "surrogateescape"), "sha256").hex()[:32]


_SECRET = re.compile(
    r"TOKEN(?!IZ)|SECRET|PASSW|PASSPHRASE|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIAL"
    r"|(^|_)(KEY|PASS|PAT|AUTH|COOKIE|DSN)(_|$)|_PWD$"
)
_PASSWORD_IN_URL = re.compile(r"://[^/\s@]*:[^/\s@]*@")
_NUMERIC = re.compile(
    r"(OMP|GOMP|KMP|OPENBLAS|GOTO|MKL|NUMEXPR|VECLIB|BLIS|NVPL|ARMPL|NPY|TBB|XLA|CUBLAS|CUDNN)_\w+"
    r"|\w+_(NUM|MAX)_THREADS|TF_(?!(VAR|CLI|LOG|INPUT|WORKSPACE|PLUGIN)(_|$))\w+|CUDA_VISIBLE_DEVICES|TOKENIZERS_PARALLELISM"
)
_LOCAL = re.compile(r"LANG|LANGUAGE|LC_\w+|TZ|TZDIR")
_TELLING = re.compile(r"PYTHON\w*|SOURCE_DATE_EPOCH|LD_LIBRARY_PATH")
_PASSING = re.compile(
    r"_|PWD|OLDPWD|SHLVL|TERM|TERM_\w+|COLORTERM|LS_COLORS|LINES|WINDOWID|DISPLAY|WAYLAND_DISPLAY|VTE_VERSION|TMUX\w*|STY"
    r"|GPG_TTY|SSH_(AUTH_SOCK|AGENT_PID|CLIENT|CONNECTION|TTY)|DBUS_SESSION_BUS_ADDRESS|XDG_(SESSION|SEAT|VTNR)\w*"
    r"|INVOCATION_ID|JOURNAL_STREAM|CAPSULA_\w+"
)
