"""Asking a server within deadlines: other addresses, answers that are not whole, and errors that say why."""

import time
from types import SimpleNamespace

import pytest

from index.errors import StoreIncomplete, StoreUnavailable
from index.milvus.address import StoreAddress
from index.milvus.client import WITNESSES, Server

WITNESS = {"number": WITNESSES["number"]}


class Scripted(Server):
    """A server whose clients, one an address, do what a test says."""

    def __init__(self, *clients, **options):
        hosts = tuple(f"host{at}:1" for at in range(len(clients)))
        super().__init__(StoreAddress("news", hosts, attempt=0.2, **{"deadline": 1.0} | options))
        self.scripted = clients

    def _connected(self, at, seconds):
        return self.scripted[at]


def client(query=None, search=None, version="2.5.0"):
    return SimpleNamespace(
        query=query, search=search, get_server_version=lambda: version, close=lambda: None
    )  # fmt: skip


def failing(message):
    def call(*_, **__):
        call.asked += 1
        raise ConnectionError(message)

    call.asked = 0
    return call


def test_the_next_address_is_asked_and_remembered():
    dead, asked = failing("connection refused"), []
    server = Scripted(client(dead), client(lambda *_, **__: asked.append(1) or [WITNESS, {"number": 7}]))
    assert server.rows("news", "number > 5", ()) == [{"number": 7}]
    assert server.rows("news", "number > 5", ()) == [{"number": 7}]
    assert (dead.asked, len(asked)) == (1, 2)


def test_a_server_that_never_answers_is_told_of_when_the_deadline_has_passed():
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"after \d+ tries \(connection refused\)"):
        Scripted(client(failing("connection refused"))).rows("news", "", ())
    assert time.monotonic() - began < 2


def test_what_would_be_refused_again_is_not_asked_again():
    refused = failing("cannot parse expression: (")
    with pytest.raises(StoreUnavailable, match="cannot parse"):
        Scripted(client(refused)).rows("news", "(", ())
    assert refused.asked == 1


def test_an_answer_without_the_witness_is_not_believed():
    answers = iter([[], [{"number": 3}], [WITNESS, {"number": 3}, {"number": 4}]])
    server = Scripted(client(lambda *_, **__: next(answers)))
    assert server.rows("news", "number > 0", ()) == [{"number": 3}, {"number": 4}]


def test_a_server_that_stays_half_loaded_is_told_of_and_never_looks_empty():
    with pytest.raises(StoreIncomplete, match="does not hold all that was published"):
        Scripted(client(lambda *_, **__: []), deadline=0.3).rows("news", "number > 0", ())
    hits = [{"distance": 0.5, "entity": {"number": 9}}]
    half = client(search=lambda *_, data, **__: [hits for _ in data])
    with pytest.raises(StoreIncomplete):
        Scripted(half, deadline=0.3).nearest("news", "vector", [1.0], 5, "", (), witness=[1.0])


def test_the_witness_is_asked_for_with_every_condition_and_is_no_hit():
    seen = {}

    def search(_, data, filter, limit, **__):
        seen.update(data=data, filter=filter, limit=limit)
        witness = {"distance": 1.0, "entity": dict(WITNESS)}
        return [[{"distance": 0.9, "entity": {"number": 2}}, witness], [witness]]

    server = Scripted(client(search=search))
    found = server.nearest("news", "vector", [0.0], 1, "day > 3", (), witness=[1.0])
    assert found == [(0.9, {"number": 2})]
    assert seen == {"data": [[0.0], [1.0]], "filter": "(day > 3) or number == -1", "limit": 2}


def test_all_questions_of_a_search_share_one_deadline():
    server, began = Scripted(client(failing("unavailable")), deadline=30.0), time.monotonic()
    with server.within(0.5):
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                server.rows("news", "", ())
    assert time.monotonic() - began < 3


def test_rows_come_page_by_page_in_the_order_of_their_keys(monkeypatch):
    monkeypatch.setattr("index.milvus.client._ROWS_A_PAGE", 2)
    stored = [{"number": number} for number in (1, 2, 5, 6, 9)]

    def query(_, filter, limit, **__):
        after = int(filter.split("number > ")[1].split(")")[0])
        return [WITNESS, *(row for row in stored if row["number"] > after)][:limit]

    assert list(Scripted(client(query)).every_row("news", "", ())) == stored


def test_versions_say_whether_there_are_sparse_vectors():
    for version, sparse in (("v2.3.5", False), ("2.4.1", True), ("v2.6.4", True), ("3.0", True), ("odd", False)):
        assert Scripted(client(version=version)).has_sparse_vectors is sparse
    assert Scripted(client(version="milvus_lite-3.2.2")).is_lite


def test_reasons_are_one_line_without_the_server_s_own_trace():
    with pytest.raises(StoreUnavailable) as told:
        Scripted(client(failing("channel lost: stack trace: /go/src/x.go:1\n/go/src/y.go:2")), deadline=0.1).rows(
            "n", "", ()
        )
    assert "channel lost)" in str(told.value)
    assert "\n" not in str(told.value)
