"""Secrets of every kind that is known, none of them real, and the texts that they stand in."""

from string import ascii_letters, digits

_LETTERS = (ascii_letters + digits) * 4
_HEX = "0123456789abcdef" * 8

PRIVATE_KEY = f"\nMIIE{_LETTERS[:60]}\n{_LETTERS[:64]}\n"

TOKENS = {
    "aws": "AKIA" + "QWERTYUIOPASDFG7",
    "github": "ghp_" + _LETTERS[:36],
    "gitlab": "glpat-" + _LETTERS[:20],
    "slack": "xoxb-" + "123456789012-" + _LETTERS[:24],
    "stripe": "sk_live_" + _LETTERS[:24],
    "google": "AIza" + _LETTERS[:35],
    "openai": "sk-proj-" + _LETTERS[:48],
    "anthropic": "sk-ant-" + "api03-" + _LETTERS[:60],
    "huggingface": "hf_" + _LETTERS[:34],
    "npm": "npm_" + _LETTERS[:36],
    "pypi": "pypi-AgE" + "IcHlwaS5vcmc" + _LETTERS[:60],
    "sendgrid": "SG." + _LETTERS[:22] + "." + _LETTERS[:43],
    "twilio": "SK" + _HEX[:32],
    "digitalocean": "dop_v1_" + _HEX[:64],
    "databricks": "dapi" + _HEX[:32],
    "docker": "dckr_pat_" + _LETTERS[:27],
    "hashicorp": "hvs." + _LETTERS[:30],
    "jwt": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + f"zdWIiOiIxMjM0NSJ9.{_LETTERS[:43]}",
}
"""By rule, a secret that is known by its shape alone."""

PLACED = {
    "azure": ("AccountKey={};EndpointSuffix=x", _LETTERS[:86] + "=="),
    "authorization": ("curl -H 'Authorization: Bearer {}' host", "canary-" + _LETTERS[:24]),
    "url-password": ("postgres://me:{}@host/database", "canary-5word"),
    "private-key": ("-----BEGIN RSA PRIVATE KEY-----{}-----END RSA PRIVATE KEY-----", PRIVATE_KEY),
    "named": ("export DB_PASSWORD={}; echo", "canary-hunter2"),
}
"""By rule, a text with a secret in it that is known by where it stands, and the secret."""

CANARIES = {**{rule: ("{}", secret) for rule, secret in TOKENS.items()}, **PLACED}
