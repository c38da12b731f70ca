"""How to serve an index, as the command line says it and every worker is told it."""

import json
import os
from dataclasses import asdict, dataclass, fields
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from web.keys import keys_of

if TYPE_CHECKING:
    from index.encoder import EncoderKind

Access = Literal["auto", "open", "keys"]
LogFormat = Literal["text", "json"]

# Beyond this, processes share memory bandwidth more than they share work.
_MOST_WORKERS = 4
# Five a second for a minute is more than a person does, and little beside what one worker can answer.
RATE_ELSEWHERE = 300
"""Requests a minute of one visitor of a server that others can reach."""
_ENVIRONMENT = "DATELINE_SERVING"


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """How to serve an index, or with `store` what was published to a server.

    `threads` searches run at once in each worker and `queue` wait.

    `cache_mb` bounds the answers that each worker keeps, 0 keeps none. `rate` is how many requests a minute one
    visitor has, 0 for as many as they like. `behind_proxies` is how many proxies stand before the server, whose
    words about where a request comes from are believed. `hosts` are names besides localhost by which a server for
    this machine alone may be called. `salt` and `shared`, the folder through which workers share counts, are made
    when the server starts.
    """

    root: Path
    host: str = "127.0.0.1"
    port: int = 8000
    encoder: "EncoderKind" = "auto"
    rerank: str | None = None
    workers: int | None = None
    threads: int = 1
    queue: int = 64
    cache_mb: int = 16
    access: Access = "auto"
    keys_file: Path | None = None
    rate: int | None = None
    behind_proxies: int = 0
    hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    log_format: LogFormat = "text"
    log_queries: bool = False
    store: str | None = None
    salt: str = ""
    shared: Path | None = None

    @property
    def processes(self) -> int:
        """How many workers: one a core up to a few; a cross-encoder fills memory, so it is loaded once."""
        if self.store and self.store.startswith("milvus-lite:"):
            return 1  # such a file is for one process
        return self.workers or (1 if self.rerank else min(cores(), _MOST_WORKERS))

    @property
    def is_local(self) -> bool:
        """Whether only this machine can ask: a proxy before the server would ask for everybody."""
        return is_loopback(self.host) and not self.behind_proxies

    @property
    def needs_keys(self) -> bool:
        """Whether who asks must show an API key."""
        return self.access == "keys" or (self.access == "auto" and not self.is_local)

    @property
    def requests_a_minute(self) -> int:
        """What one visitor may ask a minute; 0 is no limit."""
        if self.rate is None:
            return 0 if self.is_local else RATE_ELSEWHERE
        return self.rate

    @property
    def keys(self) -> Path:
        """The file of API keys."""
        return self.keys_file or keys_of(self.root)

    @property
    def address(self) -> str:
        """Where the server is found."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def tell(self) -> None:
        """Leaves the settings in the environment, where every worker finds them."""
        told = asdict(self) | {"root": self.root.absolute(), "keys_file": self.keys.absolute()}
        os.environ[_ENVIRONMENT] = json.dumps(told, default=str)

    @classmethod
    def told(cls) -> Self:
        """The settings that the parent of this process has left."""
        found = json.loads(os.environ[_ENVIRONMENT])
        paths = {name: Path(found[name]) for name in ("root", "keys_file", "shared") if found[name]}
        lists = {field.name: tuple(found[field.name]) for field in fields(cls) if isinstance(found[field.name], list)}
        return cls(**found | paths | lists)


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
