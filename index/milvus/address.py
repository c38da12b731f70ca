"""Where a corpus is published, and how it is reached, in one line of configuration.

milvus://db.example:19530/news                       one server
milvus+tls://a:19530,b:19530/news?ca=/etc/ca.pem     two proxies of one cluster, encrypted
milvus-lite:/srv/news.db                             Milvus Lite, a file that one process may open
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from index.errors import UsageError

Index = str

# What Milvus allows in a name, and short enough that generation and table still fit behind it.
_COLLECTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_DEFAULT_PORT = 19530
# Twice what a search took when one of two query nodes was killed: then it was asked again.
ATTEMPT_SECONDS = 2.0
DEADLINE_SECONDS = 8.0
_FILE_SECONDS = 60.0
_INDEXES = ("AUTO", "FLAT", "HNSW", "IVF_FLAT", "IVF_SQ8", "DISKANN", "SCANN")
_TOKEN = "DATELINE_STORE_TOKEN"
_FORM = "Write milvus://HOST:PORT/COLLECTION or milvus-lite:FILE.db."


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A collection on a Milvus server, or in a file of Milvus Lite.

    `hosts` are proxies of one cluster, "host:port" each; the next is asked where one does not answer. `attempt` is
    how long one try may take and `deadline` all tries together, in seconds. `token` is "user:password" or an API
    key. `ca`, `certificate` and `key` are PEM files: who vouches for the server, and who we are where it wants to
    know. `replicas` is in how many copies the server loads the collection, `index` the kind of vector index.
    """

    collection: str
    hosts: tuple[str, ...] = ()
    file: Path | None = None
    tls: bool = False
    token: str = ""
    database: str = ""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""
    replicas: int = 1
    index: Index = "AUTO"
    attempt: float = ATTEMPT_SECONDS
    deadline: float = DEADLINE_SECONDS

    def __repr__(self) -> str:
        return f"StoreAddress({self})"  # never the token

    def __str__(self) -> str:
        if self.file:
            return f"milvus-lite:{self.file}"
        return f"milvus{'+tls' if self.tls else ''}://{','.join(self.hosts)}/{self.collection}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address that a line stands for. Raises UsageError when it stands for none.

        The token comes from the file that `token-file` names, from $DATELINE_STORE_TOKEN, or stands before the host.
        """
        try:
            parts = urlsplit(text)
            options = dict(parse_qsl(parts.query, keep_blank_values=True))
            if parts.scheme == "milvus-lite":
                return cls._of_file(Path(unquote(parts.path or parts.netloc)), _settings(options))
            if parts.scheme not in ("milvus", "milvus+tls"):
                raise UsageError(f"{text!r} is no store. {_FORM}")
            user, _, places = parts.netloc.rpartition("@")
            hosts = tuple(_with_port(host) for host in places.split(",") if host)
            collection = parts.path.strip("/")
            if not hosts or not _COLLECTION.fullmatch(collection):
                raise UsageError(f"{_hidden(text)!r} names no collection on a server. {_FORM}")
            token = _token(options.pop("token-file", "")) or unquote(user)
            tls = parts.scheme == "milvus+tls"
            return cls(collection, hosts, tls=tls, token=token, **_settings(options))
        except ValueError as error:
            raise UsageError(f"{_hidden(text)!r} is no store: {error}. {_FORM}") from error

    @classmethod
    def _of_file(cls, file: Path, settings: dict[str, Any]) -> Self:
        collection = re.sub(r"\W", "_", file.stem, flags=re.ASCII)
        if file.suffix != ".db" or not collection:
            raise UsageError(f"{str(file)!r} is no file for Milvus Lite: its name has to end with .db.")
        # One process is its own server there: to ask again would only take its time.
        settings = {"attempt": _FILE_SECONDS, "deadline": _FILE_SECONDS, **settings}
        return cls(collection if _COLLECTION.fullmatch(collection) else f"_{collection}"[:100], file=file, **settings)


def _settings(options: dict[str, str]) -> dict[str, Any]:
    """The fields that the part behind the question mark sets."""
    kinds: dict[str, Any] = {
        "database": str, "ca": Path, "certificate": Path, "key": Path, "server-name": str,
        "replicas": _count, "index": _index, "attempt": _seconds, "deadline": _seconds,
    }  # fmt: skip
    if unknown := [name for name in options if name not in kinds]:
        raise ValueError(f"there is no option {unknown[0]!r}, only {', '.join(('token-file', *kinds))}")
    return {name.replace("-", "_"): kinds[name](value) for name, value in options.items()}


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise ValueError("replicas is a number from 1 to 100")
    return int(text)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.05 <= seconds <= 3600:
        raise ValueError("a deadline is from 0.05 to 3600 seconds")
    return seconds


def _index(text: str) -> Index:
    if text.upper() not in _INDEXES:
        raise ValueError(f"index is one of {', '.join(_INDEXES)}")
    return text.upper()


def _with_port(host: str) -> str:
    parts = urlsplit(f"//{host}")
    if not parts.hostname:
        raise ValueError(f"{host!r} is no host")
    return f"{f'[{parts.hostname}]' if ':' in parts.hostname else parts.hostname}:{parts.port or _DEFAULT_PORT}"


def _token(file: str) -> str:
    if not file:
        return os.environ.get(_TOKEN, "")
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The token of the store cannot be read from {file} ({error}).") from error


def _hidden(text: str) -> str:
    """`text` without what stands before the host: it may be a password."""
    return re.sub(r"//[^/@]*@", "//", text)
