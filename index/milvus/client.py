"""Milvus, asked within deadlines. The one module that knows pymilvus.

A server that is slow, gone or being replaced is asked again, at its next address if it has several, until the deadline
has passed: then StoreUnavailable says what was asked and what came of it. Nothing here waits without an end.
"""

import json
import logging
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from index.errors import DatelineError, StoreIncomplete, StoreUnavailable
from index.milvus.address import StoreAddress
from index.milvus.failures import is_final, is_lost, is_missing, reason

_until: ContextVar[float] = ContextVar("until", default=math.inf)

Row = dict[str, Any]
Result = TypeVar("Result")

MOST_ROWS = 16_384
"""What a server returns at most of one question."""
WITNESSES: dict[str, Any] = {"number": -1, "key": ":"}
"""The key of the row, lower than all others, that every collection has besides, by the name of its key.

A query node that was started anew answers for a while from what was stored last, and says nothing of the rest. The
witness is stored first: an answer in which it is missing is not believed.
"""

# Long work on the server: building indexes, loading. A cluster of processes that just started took 20 s.
_PATIENCE_SECONDS = 1_800.0
_WRITING_ATTEMPT_SECONDS = 60.0
_WRITING_SECONDS = 300.0
_PAUSE_SECONDS, _BRIEF_PAUSE_SECONDS = 0.2, 0.01
_ROWS_A_PAGE = 8_000
# Sparse vectors came with 2.4; Lite has them.
_FIRST_WITH_SPARSE = (2, 4)
_LITE = "milvus_lite"
# The server's clock counts milliseconds, with this many bits behind them.
_CLOCK_BITS = 18


class Server:
    """A Milvus server, cluster or file. Safe to share between threads."""

    def __init__(self, address: StoreAddress) -> None:
        self.address = address
        self._clients: dict[int, Any] = {}
        self._first = 0
        self._version = ""

    @property
    def version(self) -> str:
        """What the server says that it is, such as "2.6.4", or "milvus_lite-3.2.2"."""
        if not self._version:
            self._version = str(self.ask("its version", lambda client, _: client.get_server_version())).lstrip("v")
        return self._version

    @property
    def is_lite(self) -> bool:
        """Whether it is a file of Milvus Lite."""
        return self.version.startswith(_LITE)

    @property
    def has_sparse_vectors(self) -> bool:
        """Whether it can find passages by their words."""
        numbers = re.match(r"(\d+)\.(\d+)", self.version)
        return self.is_lite or (numbers is not None and (int(numbers[1]), int(numbers[2])) >= _FIRST_WITH_SPARSE)

    def ask(self, what: str, call: Callable[[Any, float], Result], *, writing: bool = False) -> Result:
        """What `call` makes of a client and the seconds that it may take, asked again until the deadline.

        Raises StoreUnavailable.
        """
        attempt = _WRITING_ATTEMPT_SECONDS if writing else self.address.attempt
        now = time.monotonic()
        until = now + _WRITING_SECONDS if writing else min(now + self.address.deadline, _until.get())
        tries = 0
        while True:
            at = (self._first + tries) % max(1, len(self.address.hosts))
            seconds = min(attempt, max(until - time.monotonic(), 0.05))
            try:
                result = call(self._client(at, seconds), seconds)
                self._first = at
                return result
            except DatelineError:
                raise
            except _NotWhole:  # another node may answer the next time
                tries += 1
                if time.monotonic() + _PAUSE_SECONDS >= until:
                    raise StoreIncomplete(str(self.address), what) from None
                time.sleep(min(_PAUSE_SECONDS, _BRIEF_PAUSE_SECONDS * tries))
            except Exception as error:  # pymilvus, gRPC and Lite each have their own, and all mean the same here
                tries += 1
                if is_final(error) or time.monotonic() + _PAUSE_SECONDS >= until:
                    raise StoreUnavailable(str(self.address), what, reason(error), tries) from error
                if len(self.address.hosts) > 1 or is_lost(error):
                    self._drop(at)
                time.sleep(_PAUSE_SECONDS)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """What is asked inside, by this thread, has an answer or an error when so many seconds have passed."""
        before = _until.set(min(_until.get(), time.monotonic() + seconds))
        try:
            yield
        finally:
            _until.reset(before)

    # -- reading ---------------------------------------------------------------------------------

    def nearest(
        self, collection: str, field: str, vector: Any, size: int, expression: str, fields: Sequence[str],
        *, key: str = "number", metric: str = "IP", since: int = 0, parameters: Mapping[str, Any] | None = None,
        witness: Any = None,
    ) -> list[tuple[float, Row]]:  # fmt: skip
        """The rows nearest to `vector`, best first, each with its score; at most MOST_ROWS.

        With `witness`, the vector of that row, they are from all that the server should hold; without it the caller
        has to see to that.
        """
        size = min(size, MOST_ROWS)
        if size <= 0:
            return []
        if witness is not None and expression:
            expression = f"({expression}) or {_is_witness(key)}"

        def search(client: Any, seconds: float) -> list[tuple[float, Row]]:
            found = client.search(
                collection, data=[vector] if witness is None else [vector, witness], anns_field=field,
                limit=min(size + 1, MOST_ROWS), filter=expression, output_fields=[*dict.fromkeys((key, *fields))],
                search_params={"metric_type": metric, "params": dict(parameters or {})},
                timeout=seconds, **_as_of(since),
            )  # fmt: skip
            if witness is not None and not any(hit["entity"][key] == WITNESSES[key] for hit in found[1]):
                raise _NotWhole
            hits = [(float(hit["distance"]), dict(hit["entity"])) for hit in found[0]]
            return [(score, row) for score, row in hits if row[key] != WITNESSES[key]][:size]

        return self.ask("a search", search)

    def rows(
        self, collection: str, expression: str, fields: Sequence[str],
        *, key: str = "number", size: int = MOST_ROWS - 1, since: int | None = None,
    ) -> list[Row]:  # fmt: skip
        """Rows that fit, those with the lowest keys if they are more than `size`.

        As of `since`, or all that are stored by now; from all that the server should hold.
        """
        behind = f"{key} >= {_constant(WITNESSES[key])}"
        condition = f"({expression}) or {_is_witness(key)}" if expression else behind

        def query(client: Any, seconds: float) -> list[Row]:
            found = client.query(
                collection, filter=condition, output_fields=[*dict.fromkeys((key, *fields))],
                limit=min(size + 1, MOST_ROWS), timeout=seconds, **_as_of(since),
            )  # fmt: skip
            rows = [dict(row) for row in found if row[key] != WITNESSES[key]]
            if len(rows) == len(found):
                raise _NotWhole
            return rows

        return self.ask("rows", query)

    def every_row(
        self, collection: str, expression: str, fields: Sequence[str], *, key: str = "number", since: int | None = None
    ) -> Iterator[Row]:
        """All rows that fit, however many, in the order of their keys; as of `since`, or as they are stored by now."""
        last = WITNESSES[key]
        while True:
            behind = f"{key} > {_constant(last)}"
            part = self.rows(
                collection, f"({expression}) and {behind}" if expression else behind, fields, key=key,
                size=_ROWS_A_PAGE, since=since,
            )  # fmt: skip
            part.sort(key=lambda row: row[key])
            yield from part
            if len(part) < _ROWS_A_PAGE:
                return
            last = part[-1][key]

    def count(self, collection: str, expression: str = "", *, since: int | None = None) -> int:
        """How many rows fit: as of `since`, or all that are stored by now. The witness may be one of them.

        No witness can be heard in a count: one that is too low may come from a part of what the server should hold.
        """
        found = self.ask(
            "a count",
            lambda client, seconds: client.query(
                collection, filter=expression, output_fields=["count(*)"], timeout=seconds, **_as_of(since)
            ),
        )
        return int(found[0]["count(*)"])

    def target(self, alias: str) -> str | None:
        """The collection that an alias stands for; None where there is no such alias."""

        def told(client: Any, seconds: float) -> str | None:
            try:
                return str(client.describe_alias(alias, timeout=seconds)["collection_name"])
            except Exception as error:
                if is_missing(error):
                    return None
                raise

        return self.ask("an alias", told)

    def collections(self) -> list[str]:
        """The names of all collections."""
        return sorted(self.ask("its collections", lambda client, seconds: client.list_collections(timeout=seconds)))

    # -- writing ---------------------------------------------------------------------------------

    def create(self, collection: str, columns: Sequence["Column"]) -> None:
        """Makes an empty collection, in which nothing can be searched yet."""
        from pymilvus import DataType, MilvusClient

        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        for column in columns:
            options = dict(column.options)
            if "element_type" in options:
                options["element_type"] = getattr(DataType, options["element_type"])
            schema.add_field(column.name, getattr(DataType, column.kind), is_primary=column.is_key, **options)
        self.ask(
            "a new collection",
            lambda client, seconds: client.create_collection(
                collection, schema=schema, consistency_level="Bounded", timeout=seconds
            ),
            writing=True,
        )

    def upsert(self, collection: str, rows: Sequence[Row]) -> None:
        """Stores rows; those of the same keys are replaced. When it returns, the server has acknowledged them."""
        if rows:
            self.ask(
                "storing rows",
                lambda client, seconds: client.upsert(collection, list(rows), timeout=seconds),
                writing=True,
            )

    def delete(self, collection: str, keys: Sequence[int | str]) -> None:
        """Drops rows by their keys."""
        for start in range(0, len(keys), MOST_ROWS):
            self._delete(collection, list(keys[start : start + MOST_ROWS]))

    def _delete(self, collection: str, keys: list[int | str]) -> None:
        self.ask(
            "deleting rows", lambda client, seconds: client.delete(collection, ids=keys, timeout=seconds), writing=True
        )

    def make_searchable(self, collection: str, indexes: Mapping[str, Mapping[str, Any]], *, at_once: bool) -> None:
        """Builds the indexes, each by the name of its field, and loads the collection; waits until that is done."""

        def build(client: Any, seconds: float) -> None:
            there = client.list_indexes(collection)
            wanted = client.prepare_index_params()
            for field, settings in indexes.items():
                if field not in there:
                    wanted.add_index(field, index_name=field, **settings)
            if len(wanted):
                client.create_index(collection, wanted, timeout=_PATIENCE_SECONDS)

        if not at_once:
            with suppress(StoreUnavailable):  # Lite and managed clusters may refuse; it only seals what is buffered
                self.ask("flushing", lambda client, _: client.flush(collection, timeout=_PATIENCE_SECONDS))
        self.ask("building indexes", build, writing=True)
        options = {} if self.is_lite else {"replica_number": self.address.replicas}
        self.ask(
            "loading",
            lambda client, _: client.load_collection(collection, timeout=_PATIENCE_SECONDS, **options),
            writing=True,
        )

    def point(self, alias: str, collection: str) -> None:
        """Has an alias stand for a collection, from one moment to the next."""
        target = self.target(alias)
        if target == collection:
            return
        self.ask(
            "switching over",
            lambda client, seconds: (client.alter_alias if target else client.create_alias)(
                collection, alias, timeout=seconds
            ),
            writing=True,
        )

    def drop(self, collection: str) -> None:
        """Deletes a collection that no alias stands for."""
        self.ask("deleting", lambda client, seconds: client.drop_collection(collection, timeout=seconds), writing=True)

    def close(self) -> None:
        """Lets go of connections."""
        for at in list(self._clients):
            self._drop(at)

    def _client(self, at: int, seconds: float) -> Any:
        client = self._clients.get(at)
        if client is None:
            client = self._clients[at] = self._connected(at, seconds)
        return client

    def _connected(self, at: int, seconds: float) -> Any:
        try:
            from pymilvus import MilvusClient
        except ModuleNotFoundError as error:
            raise DatelineError(
                f"{self.address} needs one more package. Run: pip install 'dateline[milvus]'"
            ) from error
        for name in ("pymilvus", *(name for name in logging.root.manager.loggerDict if name.startswith("pymilvus."))):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what it logs it raises too, and we tell it in a line
        address = self.address
        if address.file:
            client = MilvusClient(str(address.file))
            for collection in client.list_collections():  # a file holds nothing in memory when it is opened
                with suppress(Exception):  # what was never finished has no index yet
                    client.load_collection(collection)
            return client
        options = {
            "server_pem_path": address.ca, "client_pem_path": address.certificate, "client_key_path": address.key,
            "server_name": address.server_name,
        }  # fmt: skip
        given = {name: str(value) for name, value in options.items() if value}
        return MilvusClient(
            f"{'https' if address.tls else 'http'}://{address.hosts[at]}", token=address.token,
            db_name=address.database, timeout=seconds, dedicated=True, **given,
        )  # fmt: skip

    def _drop(self, at: int) -> None:
        client = self._clients.pop(at, None)
        if client is not None:
            with suppress(Exception):
                client.close()


class Column:
    """A field of a collection: `kind` is the name of a pymilvus DataType, `options` what add_field takes besides."""

    def __init__(self, name: str, kind: str, *, is_key: bool = False, **options: Any) -> None:
        self.name, self.kind, self.is_key, self.options = name, kind, is_key, options


class _NotWhole(Exception):
    """An answer came from a part of what the server should hold."""


def _is_witness(key: str) -> str:
    return f"{key} == {_constant(WITNESSES[key])}"


def _constant(value: int | str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _as_of(since: int | None) -> dict[str, Any]:
    """Has the server answer with all that was stored until a moment, in milliseconds of the epoch, or until now."""
    if since is None:
        return {"consistency_level": "Strong"}
    return {"consistency_level": "Customized", "guarantee_timestamp": since << _CLOCK_BITS} if since else {}
