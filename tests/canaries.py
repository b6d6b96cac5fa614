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
    "age": "AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" + "QPZRY9X8GF2TVDW0S3JN54KHCE",
    "atlassian": "ATATT3" + (_LETTERS * 2)[:186],
    "doppler": "dp.pt." + _LETTERS[:43],
    "figma": "figd_" + _LETTERS[:40],
    "grafana": "glsa_" + _LETTERS[:32] + "_0123abcd",
    "groq": "gsk_" + _LETTERS[:52],
    "kaggle": "KGAT_" + _HEX[:32],
    "langsmith": "lsv2_pt_" + _HEX[:32] + "_0123456789",
    "linear": "lin_api_" + _LETTERS[:40],
    "new-relic": "NRAK-" + "QWERTYUIOPASDFGHJKLZXCVBN42",
    "notion": "ntn_" + "12345678901" + _LETTERS[:35],
    "nvidia": "nvapi-" + _LETTERS[:64],
    "onepassword": "ops_eyJ" + (_LETTERS * 2)[:260],
    "openrouter": "sk-or-v1-" + _HEX[:64],
    "perplexity": "pplx-" + _LETTERS[:48],
    "planetscale": "pscale_tkn_" + _LETTERS[:43],
    "postman": "PMAK-" + _HEX[:24] + "-" + _HEX[:34],
    "pulumi": "pul-" + _HEX[:40],
    "replicate": "r8_" + _LETTERS[:37],
    "rubygems": "rubygems_" + _HEX[:48],
    "sentry": "sntrys_eyJ" + _LETTERS[:60],
    "shopify": "shpat_" + _HEX[:32],
    "square": "sq0atp-" + _LETTERS[:22],
    "tailscale": "tskey-auth-" + _LETTERS[:17] + "-" + _LETTERS[:32],
    "wandb": "wandb_v1_" + _LETTERS[:77],
    "xai": "xai-" + _LETTERS[:80],
    "jwt": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + f"zdWIiOiIxMjM0NSJ9.{_LETTERS[:43]}",
}
"""By rule, a secret that is known by its shape alone."""

PLACED = {
    "azure": ("AccountKey={};EndpointSuffix=x", _LETTERS[:86] + "=="),
    "authorization": ("curl -H 'Authorization: Bearer {}' host", "canary-" + _LETTERS[:24]),
    "discord": ("https://discord.com/api/webhooks/123456789012345678/{}", _LETTERS[:68]),
    "mailgun": ("logged in as api:{} at host", "key-" + _HEX[:32]),
    "telegram": ("https://api.telegram.org/bot1234567890:{}/me", "AA" + _LETTERS[:33]),
    "signed-url": ("https://host/x?se=1&sig={}&sp=r", _LETTERS[:43] + "%3D"),
    "netrc": ("machine host\n  login me\n  password {}", "canary-hunter2"),
    "command-line": ("curl -sSu me:{} https://host/x", "canary-hunter2"),
    "cookie": ("Set-Cookie: session={}; Path=/", "canary-" + _LETTERS[:24] + "1"),
    "url-password": ("postgres://me:{}@host/database", "canary-5word"),
    "private-key": ("-----BEGIN RSA PRIVATE KEY-----{}-----END RSA PRIVATE KEY-----", PRIVATE_KEY),
    "named": ("export DB_PASSWORD={}; echo", "canary-hunter2"),
}
"""By rule, a text with a secret in it that is known by where it stands, and the secret."""

CANARIES = {**{rule: ("{}", secret) for rule, secret in TOKENS.items()}, **PLACED}
