"""Names of variables, and what they tell."""

import pytest

from capsula.core.variables import is_numeric, is_passing, is_secret, is_telling, keyed_digest

SECRETS = """
GITHUB_TOKEN my_secret DB_PASSWORD OPENAI_API_KEY AWS_ACCESS_KEY_ID SSH_PRIVATE_KEY PG_PWD GOOGLE_CREDENTIALS
PROXY_AUTH KEY SENTRY_DSN MYAPIKEY PGPASS MYSQL_PWD dbPass user_pwd keystorepass
"""


@pytest.mark.parametrize("name", SECRETS.split())
def test_these_look_secret(name: str) -> None:
    assert is_secret(name, "x")


@pytest.mark.parametrize(
    "name",
    ["PWD", "OLDPWD", "TOKENIZERS_PARALLELISM", "KEYBOARD", "MONKEY", "PATH", "AUTHOR", "COMPASS", "bypass", "passes"],
)
def test_these_do_not(name: str) -> None:
    assert not is_secret(name, "x")


def test_a_user_in_a_url_makes_any_value_a_secret() -> None:
    assert is_secret("PYTHON_INDEX", "https://me:word@host/simple")
    assert is_secret("PYTHON_INDEX", "x https://ghp_word@host/simple")
    assert not is_secret("PYTHON_INDEX", "https://host:8080/simple?a@b")


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "OPENBLAS_CORETYPE", "RAYON_NUM_THREADS", "TF_DETERMINISTIC_OPS"])
def test_numbers_come_out_otherwise_by_these(name: str) -> None:
    assert is_numeric(name)
    assert is_telling(name)


@pytest.mark.parametrize("name", ["TF_VAR_password", "TF_CLI_ARGS", "HOME", "COMPONENT"])
def test_and_not_by_these(name: str) -> None:
    assert not is_telling(name)


def test_a_terminal_passes_and_a_setting_does_not() -> None:
    assert all(map(is_passing, ("SHLVL", "_", "TERM", "SSH_TTY", "PS1", "VIRTUAL_ENV_PROMPT", "CAPSULA_CAPSULE_ID")))
    assert not any(map(is_passing, ("PATH", "HOME", "MY_ENV", "COLUMNS")))


def test_a_digest_needs_key_name_and_value() -> None:
    digests = {
        keyed_digest(*given) for given in ((b"k", "A", "1"), (b"l", "A", "1"), (b"k", "B", "1"), (b"k", "A", "2"))
    }

    assert len(digests) == 4
    assert {len(digest) for digest in digests} == {32}
    assert keyed_digest(b"k", "A", "\udcff")
