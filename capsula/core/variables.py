"""Environment variables by what they mean, as far as a name can tell: a secret, a number's origin, a passing thing.

Every run pays for this, and so no patterns are used: they take longer to compile than a whole environment to judge.
"""

from functools import lru_cache
from hmac import digest


def is_secret(name: str, value: str) -> bool:
    """Tell whether a value may be one that nobody else shall read: by its name, or for a user in a URL."""
    upper = name.upper()
    return (
        names_secret(name)
        or not _SECRET_WORDS.isdisjoint(upper.split("_"))
        or any(_names_a_user(rest) for rest in value.split("://")[1:])
    )


@lru_cache(4096)  # a document names more than a few things, and again and again the same
def names_secret(name: str) -> bool:
    """Tell whether a name, of whatever it is, is one that secrets have."""
    upper = name.upper().replace("TOKENIZ", "")
    return any(part in upper for part in _SECRET_PARTS) or (name not in _DIRECTORIES and _names_password(upper))


def names_about_secret(name: str) -> bool:
    """Tell whether a name with a word for secrets is that of something else: where or what one is, or a token of text.

    >>> [names_about_secret(name) for name in ("OS_AUTH_URL", "secret-name", "eos_token", "API_TOKEN")]
    [True, True, True, False]
    """
    *before, last = name.upper().replace("-", "_").split("_")
    return last in _ABOUT or (last in _TOKENS and not _OF_TEXT.isdisjoint(before[-1:]))


def _names_password(upper: str) -> bool:
    """Tell whether a name ends in a short word for a password, as ``db_pass`` and ``PGPASS`` do, ``low_pass`` not."""
    before, _, last = upper.replace("-", "_").rpartition("_")
    if last in _PASSWORDS:
        return before.rpartition("_")[2] not in _OTHER_PASSES
    return last.endswith(_PASSWORDS_OF)


def is_numeric(name: str) -> bool:
    """Tell whether numbers may come out otherwise by it: counts of threads, kernels of BLAS, devices."""
    is_of_terraform = name.startswith(_TERRAFORM)
    return name in _DEVICES or name.endswith(_THREADS) or (name.startswith(_NUMERIC) and not is_of_terraform)


def is_local(name: str) -> bool:
    """Tell whether it says how text and time are written."""
    return name in _LOCAL or name.startswith("LC_")


def is_telling(name: str) -> bool:
    """Tell whether programs are known to listen to it, so that its value belongs to what produced a result."""
    return is_numeric(name) or is_local(name) or name in _TELLING or name.startswith("PYTHON")


def is_passing(name: str) -> bool:
    """Tell whether it differs between two terminals of one person, and changes no result."""
    return name in _PASSING or name.startswith(_PASSING_BEGINNINGS)


def keyed_digest(key: bytes, name: str, value: str) -> str:
    """Return 32 hexadecimal digits that tell one value from another, and nothing else to who has no key."""
    return digest(key, f"{name}={value}".encode("utf-8", "surrogateescape"), "sha256").hex()[:32]


_SECRET_PARTS = (
    *("TOKEN", "SECRET", "PASSW", "PASSPHRASE", "CREDENTIAL", "AUTHORIZATION", "COOKIE"),
    *("APIKEY", "API_KEY", "ACCESSKEY", "ACCESS_KEY", "PRIVATEKEY", "PRIVATE_KEY"),
)
_PASSWORDS = ("PASS", "PWD")
_PASSWORDS_OF = tuple(
    of + word
    for word in _PASSWORDS
    for of in (
        *("DB", "PG", "SQL", "MONGO", "REDIS", "MQ", "DBC", "LDAP", "SSH", "FTP", "HTTP", "SMTP", "MAIL", "PROXY"),
        *("USER", "ADMIN", "ROOT", "LOGIN", "KEY", "STORE"),
    )
)
_OTHER_PASSES = frozenset(
    {
        *("LOW", "HIGH", "BAND", "ALL", "BY", "FIRST", "SECOND", "LAST", "NEXT", "ONE", "TWO", "SINGLE", "MULTI", "N"),
        *("NUM", "MAX", "MIN", "PER", "PRE", "POST", "FAST", "FORWARD", "BACKWARD", "TEST", "RENDER"),
    }
)
_ABOUT = frozenset(
    {
        *("URL", "URI", "HOST", "PORT", "ADDR", "PROTO", "TCP", "UDP", "DOMAIN", "ENDPOINT", "ISSUER", "AUDIENCE"),
        *("FILE", "PATH", "DIR", "DIRECTORY", "SOCK", "STORE", "BACKEND", "PROVIDER", "HELPER", "SERVER", "REGION"),
        *("NAME", "NAMES", "TYPE", "KIND", "MODE", "METHOD", "FORMAT", "ALGORITHM", "VERSION", "PREFIX", "SUFFIX"),
        *("COLUMN", "FIELD", "SCOPE", "SCOPES", "LIMIT"),
    }
)
_TOKENS = frozenset({"TOKEN", "TOKENS"})
_OF_TEXT = frozenset(
    {"PAD", "PADDING", "BOS", "EOS", "EOT", "UNK", "UNKNOWN", "SEP", "CLS", "MASK", "STOP", "START", "END", "SPECIAL"}
)
_DIRECTORIES = frozenset({"PWD", "OLDPWD"})
_SECRET_WORDS = frozenset({"KEY", "PASS", "PAT", "AUTH", "COOKIE", "DSN"})

_NUMERIC = (
    *("OMP_", "GOMP_", "KMP_", "OPENBLAS_", "GOTO_", "MKL_", "NUMEXPR_", "VECLIB_", "BLIS_", "NVPL_", "ARMPL_"),
    *("NPY_", "TBB_", "XLA_", "CUBLAS_", "CUDNN_", "TF_"),
)
_TERRAFORM = ("TF_VAR", "TF_CLI", "TF_LOG", "TF_INPUT", "TF_WORKSPACE", "TF_PLUGIN")
_THREADS = ("_NUM_THREADS", "_MAX_THREADS")
_DEVICES = frozenset({"CUDA_VISIBLE_DEVICES", "TOKENIZERS_PARALLELISM"})
_LOCAL = frozenset({"LANG", "LANGUAGE", "TZ", "TZDIR"})
_TELLING = frozenset({"SOURCE_DATE_EPOCH", "LD_LIBRARY_PATH"})
_PASSING = frozenset(
    {
        *("_", "PWD", "OLDPWD", "SHLVL", "TERM", "COLORTERM", "LS_COLORS", "LINES", "WINDOWID", "DISPLAY"),
        *("WAYLAND_DISPLAY", "VTE_VERSION", "STY", "GPG_TTY", "SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_CLIENT"),
        *("SSH_CONNECTION", "SSH_TTY", "DBUS_SESSION_BUS_ADDRESS", "INVOCATION_ID", "JOURNAL_STREAM"),
        *("PS1", "PROMPT_COMMAND", "VIRTUAL_ENV_PROMPT", "CONDA_PROMPT_MODIFIER"),
    }
)
_PASSING_BEGINNINGS = ("TERM_", "TMUX", "XDG_SESSION", "XDG_SEAT", "XDG_VTNR", "CAPSULA_")


def _names_a_user(rest: str) -> bool:
    """Tell whether what follows the scheme of a URL has a user, and maybe a password, before the host."""
    user, at, _ = rest.partition("@")
    return bool(at) and not any(character in "/ " for character in user)
