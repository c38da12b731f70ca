"""Bodies are received within bounds, so that a slow client keeps nobody waiting but itself."""

import json
import threading
import time

import pytest
from fronts import PASSED, front
from werkzeug.test import Client, create_environ

from web.answers import SEARCH_PATH, Answer
from web.bodies import AT_ONCE, Bodies
from web.visits import visit_of


class Trickle:
    """A body that does not come before it is let."""

    def __init__(self):
        self.let = threading.Event()

    def read(self, size):
        self.let.wait(20)
        return b"{}"


@pytest.fixture
def trickle():
    found = Trickle()
    yield found
    found.let.set()


def refuse(visit, status, code, message, *headers):
    visit.refused = code
    return Answer(f"{status} {code}", headers, message.encode())


def posted(source=None, address="192.0.2.1", **options):
    environ = create_environ(SEARCH_PATH, method="POST", content_type="application/json", **options)
    environ["REMOTE_ADDR"] = address
    if source:
        environ |= {"wsgi.input": source, "CONTENT_LENGTH": "2"}
    return visit_of(environ)


def test_a_body_is_read_before_anything_else_is_done():
    visit = posted(json={"q": "ferry"})
    assert Bodies(refuse)(visit) is None
    assert json.loads(visit.environ["wsgi.input"].read()) == {"q": "ferry"}


def test_a_body_without_a_length_gets_one():
    visit = posted(data=b'{"q": "ferry"}')
    visit.environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    del visit.environ["CONTENT_LENGTH"]
    assert Bodies(refuse)(visit) is None
    assert visit.environ["CONTENT_LENGTH"] == "14"
    assert "HTTP_TRANSFER_ENCODING" not in visit.environ


def test_of_a_body_without_an_end_only_so_much_is_read_as_shows_that_it_is_too_long(tmp_path):
    environ = create_environ(SEARCH_PATH, method="POST", content_type="application/json", data=b" " * 200_000)
    environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    del environ["CONTENT_LENGTH"]
    assert Client(front(tmp_path)).run_wsgi_app(environ)[1].startswith("413")


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_where_no_body_belongs_none_is_waited_for(method, trickle, tmp_path):
    environ = create_environ("/api/v1/stats", method=method)
    environ |= {"wsgi.input": trickle, "CONTENT_LENGTH": "50"}
    status = Client(front(tmp_path)).run_wsgi_app(environ)[1]
    assert status.startswith(str(PASSED) if method == "GET" else "405")


def test_one_slow_address_leaves_room_for_others_and_all_together_have_a_bound(trickle):
    bodies, refused = Bodies(refuse), []

    def post(address):
        if answer := bodies(posted(trickle, address)):
            refused.append(answer.status)

    def post_slowly(addresses):
        threads = [threading.Thread(target=post, args=(address,)) for address in addresses]
        for thread in threads:
            thread.start()
        return threads

    waiting = post_slowly(["192.0.2.1"] * AT_ONCE)
    assert bodies(posted(json={})).status == "503 overloaded"
    assert bodies(posted(json={}, address="192.0.2.2")) is None
    waiting += post_slowly([f"192.0.2.{other}" for other in range(3, 3 + AT_ONCE)])
    assert bodies(posted(json={}, address="192.0.2.99")).status == "503 overloaded"
    deadline = time.monotonic() + 10
    while len(refused) < AT_ONCE and time.monotonic() < deadline:  # of twice as many
        time.sleep(0.01)
    trickle.let.set()
    for thread in waiting:
        thread.join(10)
    assert len(refused) == AT_ONCE
    assert bodies(posted(json={})) is None


def test_a_body_that_breaks_off_is_an_empty_one():
    class Broken:
        def read(self, size):
            raise OSError("the client has gone")

    visit = posted(Broken())
    bodies = Bodies(refuse)
    assert bodies(visit) is None
    assert visit.environ["wsgi.input"].read() == b""


def test_slow_bodies_do_not_keep_a_search_from_being_answered(trickle, tmp_path):
    served = front(tmp_path)
    slow = threading.Thread(
        target=lambda: Client(served).run_wsgi_app(
            create_environ(SEARCH_PATH, method="POST") | {"wsgi.input": trickle, "CONTENT_LENGTH": "50"}
        )
    )
    slow.start()
    assert Client(served).get("/api/v1/search?q=x").status_code == PASSED
    assert Client(served).post("/api/v1/search", json={"q": "x"}).status_code == PASSED
    trickle.let.set()
    slow.join(10)


@pytest.mark.parametrize("length", ["9" * 5_000, "²", "١", "-1", "1e3", "99999999999999999999"])
def test_a_length_that_is_none_or_too_long_is_no_length(length):
    visit = posted()
    visit.environ["CONTENT_LENGTH"] = length
    assert Bodies(refuse)(visit) is None
    assert visit.environ["wsgi.input"].read() == b""
