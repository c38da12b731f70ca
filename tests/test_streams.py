"""Answers that are sent while they are made."""

import gc

import pytest
from werkzeug.test import create_environ

from web.answers import Answer
from web.streams import MOST, Sending, Streams
from web.visits import Stream, visit_of


class Export:
    """An application whose answer has no end, and notes when it is closed."""

    def __init__(self):
        self.closed = 0

    def __call__(self, environ, start):
        start("200 OK", [("Content-Type", "text/csv")])
        return self.rows()

    def rows(self):
        app = self

        class Rows:
            def __iter__(self):
                while True:
                    yield b"row\n"

            def close(self):
                app.closed += 1

        return Rows()


def refuse(visit, status, code, message, *headers):
    return Answer(f"{status} {code}", headers, message.encode())


@pytest.fixture
def export():
    return Export()


@pytest.fixture
def streams(export):
    return Streams(export, refuse, at_once=2)


def visit():
    return visit_of(create_environ("/export.csv"))


def test_rows_are_sent_one_by_one(streams):
    stream = streams(visit())
    assert isinstance(stream, Stream)
    assert [next(stream.parts) for _ in range(3)] == [b"row\n"] * 3


def test_a_few_at_once_and_whoever_comes_then_is_told_to_come_back(streams, export):
    first, second = streams(visit()), streams(visit())
    next(first.parts)
    refused = streams(visit())
    assert isinstance(refused, Answer)
    assert refused.status.startswith("503")
    assert int(dict(refused.headers)["Retry-After"]) > 0
    first.parts.close()  # its client has gone in the middle
    second.parts.close()  # its client has gone before the first row
    second.parts.close()
    assert export.closed == 2
    assert all(isinstance(one, Stream) for one in (streams(visit()), streams(visit())))


def test_one_that_is_forgotten_makes_room_too(streams, export):
    for _ in range(5):
        stream = streams(visit())
        assert isinstance(stream, Stream)
        del stream
        gc.collect()
    assert export.closed == 5


def test_a_client_that_takes_nothing_gives_its_place_to_another(streams, export, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("web.streams.monotonic", lambda: now[0])
    visits = [visit_of(create_environ("/export.csv")) for _ in range(4)]
    stuck, reading = streams(visits[0]), streams(visits[1])
    next(stuck.parts)
    now[0] = 59.0
    next(reading.parts)
    assert streams(visits[2]).status.startswith("503")
    now[0] = 61.0
    taker = streams(visits[3])
    assert isinstance(taker, Stream)
    assert export.closed == 1
    assert next(reading.parts) == b"row\n"
    with pytest.raises(ConnectionAbortedError):
        next(stuck.parts)


def test_a_failure_makes_room_again():
    def fail(environ, start):
        raise RuntimeError("broken")

    streams = Streams(fail, refuse, at_once=1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            streams(visit())


def test_exports_that_have_ended_count_no_more_though_they_are_not_collected_yet(streams):
    ended = [streams(visit()) for _ in range(1)]
    for _ in range(MOST):
        ended[-1].parts.close()
        ended.append(streams(visit()))
    assert all(isinstance(answer, Stream) for answer in ended)


def test_what_was_sent_is_told_once():
    told = []
    assert b"".join(Sending([b"ab", b"c"], told.append)) == b"abc"
    assert told == [3]


def test_a_failure_in_the_middle_reaches_the_client_as_one():
    def rows():
        yield b"row\n"
        raise RuntimeError("broken")

    told = []
    sending = Sending(rows(), told.append)
    next(sending)
    with pytest.raises(RuntimeError):
        next(sending)
    sending.close()
    assert told == [4]


def test_clients_that_hold_what_was_given_up_are_few(streams, monkeypatch):
    monkeypatch.setattr("web.streams._PATIENCE_SECONDS", -1.0)  # every client counts as stuck at once
    stuck = [streams(visit()) for _ in range(MOST)]
    assert all(isinstance(stream, Stream) for stream in stuck)
    assert streams(visit()).status == "503 overloaded"
    del stuck
    gc.collect()
    assert isinstance(streams(visit()), Stream)
