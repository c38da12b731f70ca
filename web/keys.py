"""API keys: what each opens, and the file that they are kept in.

A key is shown once, when it is made. The file holds its SHA-256 only; a key is 256 random bits, so that nobody can
guess what has it, and a slow hash would protect nothing more.
"""

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from filelock import FileLock

from index.durable import replace_durably
from index.errors import DatelineError, UsageError

Scope = Literal["read", "export", "metrics"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

log = logging.getLogger(__name__)

_BYTES = 32
_PREFIX = "dateline_"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FORMAT = 1
# Who reads the file learns names; who writes it has a key.
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_WRITABLE = "%s can be changed by other users of this machine (mode %o). Run: chmod go-w %s"


class KeysDamaged(DatelineError):
    """The file of API keys cannot be read."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key without its secret: `scopes` are what it opens, `rate` its own requests a minute if it has any."""

    name: str
    sha256: str
    scopes: tuple[Scope, ...]
    rate: int | None
    created: str


def keys_of(root: Path) -> Path:
    """Where the API keys of an index are kept if nobody says otherwise."""
    return root / "keys.json"


def load_keys(path: Path) -> tuple[Key, ...]:
    """The keys in a file, none if there is no file. Raises KeysDamaged."""
    try:
        found = json.loads(path.read_text("utf-8"))
        if found["format"] != _FORMAT:
            raise KeysDamaged(f"{path} has format {found['format']}, this Dateline reads {_FORMAT}.")
        return tuple(map(_key, found["keys"]))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise KeysDamaged(f"{path} cannot be read: {error.strerror}. Whoever serves has to be able to.") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise KeysDamaged(f"{path} is damaged ({type(error).__name__}). Remove it and make new keys.") from error


def _key(record: Mapping[str, Any]) -> Key:
    """The key that a record is of. Raises ValueError, TypeError or KeyError for what `add_key` never wrote."""
    name, sha256, rate = record["name"], record["sha256"], record["rate"]
    if not (_NAME.fullmatch(name) and _SHA256.fullmatch(sha256) and set(record["scopes"]) <= set(SCOPES)):
        raise ValueError(f"no key: {name}")
    if rate is not None and not (type(rate) is int and rate > 0):
        raise ValueError(f"no rate: {rate}")
    return Key(name, sha256, tuple(record["scopes"]), rate, str(record["created"]))


def add_key(path: Path, name: str, scopes: Sequence[Scope], rate: int | None = None) -> str:
    """Makes a key and returns it, for the first and last time. Raises UsageError for a name that cannot be."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"A key's name has up to 64 letters, digits, dots, dashes and underscores; '{name}' has not.")
    secret = _PREFIX + secrets.token_urlsafe(_BYTES)
    with _changing(path) as keys:
        if any(key.name == name for key in keys):
            raise UsageError(f"There is a key '{name}' already. Choose another name, or remove it first.")
        wanted = tuple(scope for scope in SCOPES if scope in scopes)
        keys.append(Key(name, _sha256(secret), wanted, rate, datetime.now(UTC).isoformat(timespec="seconds")))
    return secret


def remove_key(path: Path, name: str) -> None:
    """Takes a key away; servers refuse it from the next request on. Raises UsageError when there is none."""
    with _changing(path) as keys:
        left = [key for key in keys if key.name != name]
        if len(left) == len(keys):
            raise UsageError(f"{path} has no key '{name}'. See: dateline keys list")
        keys[:] = left


class KeyRing:
    """The keys in a file, as they are now: it is looked at before each use, and read when it has changed.

    A file that cannot be read opens nothing. That others may change it, and so let in whom they like, is logged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Replaced as one, so that threads never see the keys of one file with the state of another.
        self._read: tuple[tuple[int, int, int] | None, tuple[Key, ...]] = (None, ())

    def find(self, secret: str) -> Key | None:
        """The key that this is."""
        digest = _sha256(secret)
        found = None
        for key in self._current():  # all of them, so that how long it takes says nothing
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def _current(self) -> tuple[Key, ...]:
        try:
            state = self._path.stat()
        except OSError:
            self._read = (None, ())
            return ()
        seen = (state.st_mtime_ns, state.st_size, state.st_ino)
        known, keys = self._read
        if seen != known:
            if state.st_mode & _WRITABLE_BY_OTHERS:
                log.warning(_WRITABLE, self._path, stat.S_IMODE(state.st_mode), self._path)
            try:
                keys = load_keys(self._path)
            except KeysDamaged as error:
                keys = ()
                log.error("%s", error)
            self._read = (seen, keys)
        return keys


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


@contextmanager
def _changing(path: Path) -> Iterator[list[Key]]:
    """The keys to change, written back in one piece that only this user can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    with FileLock(path.with_name(f"{path.name}.lock")):
        keys = list(load_keys(path))
        yield keys
        text = json.dumps({"format": _FORMAT, "keys": [asdict(key) for key in keys]}, indent=2) + "\n"
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
            replace_durably(draft, path)
        finally:
            draft.unlink(missing_ok=True)
