"""API keys of endpoints: which one goes where, and how none is ever shown.

A recipe names hosts, the user binds keys to them: by ``--key-env NAME@HOST``, or by lines ``HOST: NAME`` in the file
`keys.yaml` of the user's configuration folder. Both hold names of environment variables; nothing here writes a key.
"""

from __future__ import annotations

import base64
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import quote, quote_plus

from openvlt.errors import UsageError

log = logging.getLogger(__name__)

KEYS = "OPENVLT_KEYS"
"""Environment variable with the bindings of ``--key-env``, so that child processes inherit them."""
ALLOW = "OPENVLT_ALLOW"
"""Environment variable with what ``--allow`` allows: ``http`` (keys without encryption), ``ray`` (other machines),
``engine`` (programs of other environments)."""
SHORTEST = 8
"""Characters from which a key is masked: a shorter one is no secret, and its masking would garble messages."""

_DEFAULT = {"api.openai.com": "OPENAI_API_KEY"}
_HOST = r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\]"
_URL = re.compile(rf"(https?)://({_HOST})(?::(\d{{1,5}}))?(?:/[!$&-;=A-Z_a-z~%]*)?", re.IGNORECASE | re.ASCII)
_BINDING = re.compile(rf"([A-Z_][A-Z0-9_]*)@((?i:{_HOST}))(:\d{{1,5}})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class EndpointKey:
    """The key of an endpoint.

    Attributes:
        name: of the environment variable that has it; empty if no key goes there.
        value: the key; empty if none goes there.
    """

    name: str = ""
    value: str = field(default="", repr=False)


def endpoint_key(url: str, who: str = "endpoint") -> EndpointKey:
    """The key that the user has bound to the host of an endpoint; a backend sends this one and no other.

    Args:
        url: of the endpoint, such as ``https://HOST:PORT/v1``.
        who: has the URL, for messages.

    Raises:
        UsageError: the URL is not a plain address, the variable with the key is not set, the key cannot be sent, or it
            would go unencrypted to another machine.
    """
    scheme, host, port = _address(url, who)
    name = _name_for(host, port)
    value = os.environ.get(name, "").strip()
    where = f"{host}:{port}" if port else host
    if not value:
        if name and name != _DEFAULT.get(host):
            raise UsageError(f"${name}, whose key is bound to {where}, is not set.", "Set it to the key.")
        if scheme == "http" and not is_this_machine(host):
            _warn_of_http(where)
        return EndpointKey()
    if not (value.isascii() and value.isprintable()):
        raise UsageError(
            f"The API key in ${name} cannot be sent.", "Remove line breaks and non-ASCII characters from it."
        )
    if scheme == "http" and not is_this_machine(host) and "http" not in allowed():
        raise UsageError(
            f"The key in ${name} would go to {where} unencrypted (http).",
            "Use https, or allow it where the network is trusted: --allow http.",
        )
    return EndpointKey(name, value)


def is_this_machine(host: str) -> bool:
    """True for a host of a URL that is this machine, which a key reaches without a network."""
    from ipaddress import ip_address

    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def key_names(urls: Sequence[str]) -> str:
    """``URL with NAME`` of each endpoint, for plans and messages; the keys are not looked at."""

    def shown(url: str) -> str:
        try:
            _, host, port = _address(url)
        except UsageError:
            return _shown(url)
        name = _name_for(host, port)
        return f"{url} with ${name}" if name in os.environ else url

    return ", ".join(map(shown, urls))


def bind(words: Sequence[str]) -> None:
    """Bind keys to hosts, for this process and its children.

    Args:
        words: each ``NAME@HOST`` or ``NAME@HOST:PORT``; NAME is of an environment variable.

    Raises:
        UsageError: one is of another form.
    """
    for word in words:
        if not _BINDING.fullmatch(word):
            raise UsageError(
                "--key-env binds no key to a host.",  # what it is given may be a key
                "Write NAME@HOST: the name of the environment variable with the key, in capitals, and the host that "
                "may get it, such as TEACHER_KEY@api.example.com.",
            )
    os.environ[KEYS] = " ".join([*os.environ.get(KEYS, "").split(), *words])


def allow(what: Sequence[str]) -> None:
    """Allow what a recipe alone must not do, for this process and its children: ``http``, ``ray``."""
    os.environ[ALLOW] = " ".join(sorted({*allowed(), *what}))


def allowed() -> set[str]:
    """What the user allows."""
    return set(os.environ.get(ALLOW, "").split())


def bindings() -> dict[str, str]:
    """The variable with the key of each ``host`` or ``host:port``; ``--key-env`` comes before the user's file.

    Raises:
        UsageError: the file or the variable is malformed.
    """
    bound = {**_DEFAULT, **_of_file(_file(), _stamp(_file()))}
    for word in os.environ.get(KEYS, "").split():
        if not (found := _BINDING.fullmatch(word)):
            raise UsageError(
                f"${KEYS} has a word that binds no key to a host.", "Write NAME@HOST, with spaces between."
            )
        name, host, port = found.groups()
        bound[(host + (port or "")).lower()] = name
    return bound


def mask_keys(text: str) -> str:
    """The text with every bound key replaced by its name: as it is, percent-encoded, or anywhere in base64."""
    try:
        names = set(bindings().values())
    except UsageError:  # no key was read
        return text
    for name in names:
        for form in _forms(os.environ.get(name, "").strip()):
            if form in text:
                text = text.replace(form, f"[{name}]")
    return text


def _name_for(host: str, port: str) -> str:
    """The variable with the key for an address; empty if none is bound to it."""
    bound = bindings()
    return bound.get(f"{host}:{port}") or bound.get(host, "")


@cache
def _forms(key: str) -> tuple[str, ...]:
    """How a key may be written. In base64 three forms, by its place in the encoded text, without what surrounds it."""
    if len(key) < SHORTEST:
        return ()
    forms = [key, quote(key, safe=""), quote_plus(key), key.replace("\\", "\\\\").replace('"', '\\"')]
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + key.encode()).decode()
        start, end = -(-before * 8 // 6), (before + len(key.encode())) * 8 // 6
        forms += [encoded[start:end], encoded[start:end].translate(str.maketrans("+/", "-_"))]
    return tuple(dict.fromkeys(forms))


def _address(url: str, who: str = "endpoint") -> tuple[str, str, str]:
    """Scheme, host and port (empty if not given) of an endpoint's URL.

    The form is strict, so that no other reader of the URL can take another part of it for the host.
    """
    found = _URL.fullmatch(url)
    if not found:
        raise UsageError(
            f"The {who} has a URL that is not a plain address: {_shown(url)}",
            "Write https://HOST/v1 or http://HOST:8000/v1, an international name as xn--...; a key belongs in no URL: "
            "--key-env NAME@HOST binds one to the host.",
        )
    scheme, host, port = found.groups()
    return scheme.lower(), host.lower(), port or ""


def _shown(url: str) -> str:
    """A URL without what may be a key."""
    return ascii(url.rpartition("@")[2].partition("?")[0].partition("#")[0])[1:-1]


@cache
def _warn_of_http(where: str) -> None:
    log.warning("%s is asked unencrypted (http): others on the network can read prompts and replies", where)


def _file() -> Path:
    import platformdirs

    return Path(platformdirs.user_config_dir("openvlt", appauthor=False)) / "keys.yaml"


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@cache
def _of_file(path: Path, stamp: int) -> dict[str, str]:
    """The lines ``HOST: NAME`` of a file as it is now; a name may be quoted, and ``#`` begins a comment."""
    bound: dict[str, str] = {}
    if not stamp:
        return bound
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Fix or remove it.") from error
    for number, line in enumerate(lines, 1):
        host, _, name = line.partition("#")[0].strip().rpartition(":")
        host, name = (part.strip().strip("'\"") for part in (host, name))
        if not host and not name:
            continue
        if not (found := _BINDING.fullmatch(f"{name}@{host}")):
            raise UsageError(
                f"Line {number} of {path} binds no key to a host.",
                "Write HOST: NAME, where NAME is of an environment variable; the file holds no keys.",
            )
        bound[(found[2] + (found[3] or "")).lower()] = found[1]
    return bound
