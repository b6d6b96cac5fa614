"""What installers are told of the user's wishes."""

from capsula.effects.installers import environment


def test_where_to_fetch_from_is_a_wish_and_what_or_where_to_is_none() -> None:
    wishes = {"PIP_INDEX_URL": "https://mine", "UV_FIND_LINKS": "/wheels", "PIP_CERT": "/cert", "HOME": "/home/me"}
    others = {"PIP_TARGET": "/x", "PIP_REQUIREMENT": "/x", "UV_PYTHON": "/x", "UV_PROJECT": "/x", "PYTHONPATH": "/x"}
    others |= {"GIT_DIR": "/x", "GIT_SSH_COMMAND": "/x", "VIRTUAL_ENV": "/x"}

    told = environment({**wishes, **others, "GIT_ALLOW_PROTOCOL": "ext", "GIT_TERMINAL_PROMPT": "1"})

    assert told == {**wishes, "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "https:ssh"}
