"""Secrets are starred out of everything that is written or printed: by name, by shape and by value.

:func:`redacted` is for arguments, before they are hashed or written: whatever stands under a secret's name, and
whatever looks like a secret. :func:`message` is for texts that people read. :func:`starred` is for everything else,
data and answers included: it changes nothing but the very secrets of this command, those given to :func:`remember`
and those of the environment, since an item that happens to look like a key is an item.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, unquote

STARS = "***"
#: Names of arguments, query parameters and headers whose values are secret.
SECRET = re.compile(r"token$|key$|header|password|secret", re.IGNORECASE)
NOT_SECRET = {"prefix_token", "add_bos_token", "think_end_token", "eos_token"}
WORDS = {
    *("auth", "authorization", "bearer", "cookie", "cookies", "credential", "credentials", "passphrase", "passwd"),
    *("pwd", "sig", "signature"),
}
ENVIRONMENT = re.compile(r"(?:KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
#: Headers that say nothing secret.
PLAIN_HEADERS = {"accept", "accept-encoding", "content-type", "user-agent"}
#: A value of fewer characters is too likely to be part of something else.
LEAST = 8

_USER = re.compile(r"(?<=://)[^/?#\s@'\"]+@")
_QUERY = re.compile(r"(?<=[?&;])([\w.%\[\]-]+)=([^&;#\s\"'<>]+)")
_SCHEME = re.compile(r"\b(bearer|basic)(\s+)([\w.~+/-]{6,}=*)", re.IGNORECASE)
_NAMED = re.compile(
    r"""\b((?:api|access|secret|private)[-_ ]?key|(?:access|auth|refresh|id|bearer)[-_]?token|(?:client[-_]?)?secret
    |password|passwd|passphrase|(?:proxy[-_])?authorization|credentials?)
    (["']\s*[=:]\s*["']|["']?=["']?|:(?=[^\s/"']))([^\s"',;&}\]]+)""",
    re.IGNORECASE | re.VERBOSE,
)
#: ``key=value`` and ``"key": "value"``.
_PAIR = re.compile(r"""(?<![\w.-])([\w.-]+)(?:["']\s*:\s*["']?|=["']?)([^\s"',;&}\]]+)""")
_SHAPES = re.compile(
    r"""-----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
    |(?<![\w-])sk-(?=[\w-]{0,40}\w{20})[\w-]+|\b(?:hf_[A-Za-z0-9]{30,}|(?:AKIA|ASIA)[0-9A-Z]{16}|gh[opsur]_[A-Za-z0-9]{30,}
    |github_pat_\w{30,}|glpat-[\w-]{20,}|xox[abposr]-[\w-]{20,}|AIza[\w-]{35}|gsk_[A-Za-z0-9]{40,}|nvapi-[\w-]{40,}
    |xai-[A-Za-z0-9]{40,}|r8_[A-Za-z0-9]{30,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)""",
    re.VERBOSE | re.DOTALL,
)

_known: set[str] = set()


def is_secret(name: str) -> bool:
    """Return whether a value under this name is secret."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    return name not in NOT_SECRET and bool(SECRET.search(name) or WORDS & {w.lower() for w in words})


def redacted(value: Any) -> Any:
    """Return arguments without their secrets, nested ones too; what holds none is returned as it is."""
    if isinstance(value, Mapping):
        return {k: STARS if is_secret(str(k)) else redacted(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(redacted, value))
    return _by_shape(value) if isinstance(value, str) else value


def message(text: str) -> str:
    """Return a text for people without anything that is, or looks like, a secret."""
    return _by_shape(starred(text))


def _by_shape(text: str) -> str:
    """Star out what looks like a secret."""
    if "://" in text:
        text = _USER.sub(f"{STARS}@", text)
    text = _QUERY.sub(lambda m: f"{m[1]}={STARS}" if is_secret(unquote(m[1])) else m[0], text)
    text = _SCHEME.sub(lambda m: f"{m[1]}{m[2]}{STARS}" if not _is_word(m[3]) else m[0], text)
    return _SHAPES.sub(STARS, _NAMED.sub(rf"\1\2{STARS}", text))


def _is_word(text: str) -> bool:
    return text.isalpha() and (text.islower() or text.istitle())


def starred(text: str) -> str:
    """Return any text with the secrets of this command and of its environment, and nothing else, starred out."""
    for secret in sorted(_known | _environment(), key=len, reverse=True):
        for form in _forms(secret):
            if form in text:
                text = text.replace(form, STARS)
    return text


def star_record(record: dict[str, Any]) -> None:
    """Do the same to a record, in place, so that what is computed from it is what was written."""
    if (_known or _environment()) and (clean := starred(text := json.dumps(record))) != text:
        record.update(json.loads(clean))


def forget() -> None:
    """Forget all secrets: another command begins, perhaps in another environment."""
    _known.clear()
    _environment.cache_clear()


def remember(value: Any) -> None:
    """Take note of the secrets in arguments: of dicts, lists and texts, or words of a command line."""
    _known.update(s for s in _secrets(value) if _is_telling(s))


def _secrets(value: Any, *, secret: bool = False) -> Iterator[str]:
    if isinstance(value, Mapping):
        for k, v in value.items():
            if str(k).lower() not in PLAIN_HEADERS:
                yield from _secrets(v, secret=secret or is_secret(str(k)))
    elif isinstance(value, list | tuple):
        for v in value:
            yield from _secrets(v, secret=secret)
    elif isinstance(value, str):
        yield from [value, *(m[3] for m in _SCHEME.finditer(value))] if secret else _in_text(value)


def _in_text(text: str) -> Iterator[str]:
    """Yield the secrets in a text: those that :func:`_by_shape` stars out, and values of words like ``key=value``."""
    for found in _USER.findall(text):
        password = found[:-1].partition(":")[2] or found[:-1]
        yield from (found[:-1], password, unquote(password))
        yield base64.b64encode(unquote(found[:-1]).encode()).decode()  # as clients send it
    for pattern in (_QUERY, _PAIR):
        yield from (part for m in pattern.finditer(text) if is_secret(m[1]) for part in (m[2], unquote(m[2])))
    yield from (m[3] for pattern in (_SCHEME, _NAMED) for m in pattern.finditer(text))
    yield from _SHAPES.findall(text)


def _is_telling(secret: str) -> bool:
    """Return whether a value is a secret wherever it stands: no word, no number, not short."""
    if len(secret) < LEAST or re.fullmatch(r"[\d.,eE+-]+|\*+", secret):
        return False
    return len(secret) >= 2 * LEAST or not _is_word(secret)


@cache
def _environment() -> set[str]:
    found = {v for k, v in os.environ.items() if ENVIRONMENT.search(k) and _is_telling(v)}
    return {v for v in found if not os.path.exists(v)}  # noqa: PTH110, a path that is none may be anything


def _forms(secret: str) -> set[str]:
    """Return how a secret may be written: plain, in a URL, in JSON."""
    quoted = (json.dumps(secret, ensure_ascii=plain)[1:-1] for plain in (True, False))
    return {secret, quote(secret, safe=""), *quoted}
