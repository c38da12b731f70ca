"""So many requests a minute, counted together."""

import pytest
from fronts import PASSED, client
from hypothesis import given
from hypothesis import strategies as st

from web.access import Access
from web.keys import KeyRing, add_key
from web.rates import Limit, Rates, burst, neighbourhood
from web.schemas import ErrorResponse


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def file(tmp_path):
    return Rates.prepare(tmp_path / "rates")


@pytest.fixture
def rates(file, clock):
    return Rates(file, "salt", clock)


def test_a_burst_may_come_at_once_and_then_one_at_a_time(rates, clock):
    verdicts = [rates.ask("a", 60) for _ in range(12)]
    assert [verdict.passes for verdict in verdicts] == [True] * 10 + [False] * 2
    assert [verdict.remaining for verdict in verdicts[:10]] == list(range(9, -1, -1))
    assert verdicts[10].retry_after == pytest.approx(1)
    assert verdicts[10].full_after == pytest.approx(10)
    clock.now += 0.9
    assert not rates.ask("a", 60).passes
    clock.now += 0.2
    assert rates.ask("a", 60).passes
    assert not rates.ask("a", 60).passes
    clock.now += 100
    assert sum(rates.ask("a", 60).passes for _ in range(20)) == 10


def test_each_visitor_has_a_rate_of_their_own(rates):
    assert [rates.ask("a", 1).passes for _ in range(11)][-1] is False
    assert rates.ask("b", 1).passes


def test_all_workers_count_together(file, clock):
    workers = [Rates(file, "salt", clock) for _ in range(3)]
    assert sum(worker.ask("a", 60).passes for _ in range(10) for worker in workers) == 10


def test_a_large_burst_of_another_visitor_in_the_same_slot_locks_nobody_out(rates, clock):
    for _ in range(1000):
        rates.ask("a", 6000)
    clock.now += 61  # what a small rate's burst is worth
    assert rates.ask("a", 10).passes


def test_a_burst_is_what_ten_seconds_allow_but_a_page_at_least():
    assert [burst(a_minute) for a_minute in (1, 60, 300, 6000)] == [10, 10, 50, 1000]


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 600))
def test_no_minute_lets_more_pass_than_the_rate_and_a_burst(tmp_path_factory, pauses, a_minute):
    clock = Clock()
    rates = Rates(Rates.prepare(tmp_path_factory.mktemp("rates") / "rates"), "", clock)
    passed = []
    for pause in pauses:
        clock.now += pause
        verdict = rates.ask("a", a_minute)
        assert 0 <= verdict.remaining <= burst(a_minute)
        if verdict.passes:
            passed.append(clock.now)
    for first in passed:
        assert sum(first <= moment < first + 60 for moment in passed) <= a_minute + burst(a_minute)


def limited(tmp_path, rates, a_minute):
    return client(
        tmp_path,
        lambda refuse: Access(KeyRing(tmp_path / "keys.json"), refuse, needed=False),
        lambda refuse: Limit(rates, a_minute, refuse),
    )


def test_who_asks_too_much_is_told_when_to_come_back(tmp_path, rates):
    door = limited(tmp_path, rates, 6)
    first = door.get("/api/v1/search?q=x")
    assert first.status_code == PASSED
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("10", "9")
    for _ in range(9):
        door.get("/api/v1/search?q=x")
    refused = door.get("/api/v1/search?q=x")
    assert refused.status_code == 429
    assert ErrorResponse.model_validate(refused.json).error.code == "too_many_requests"
    assert (refused.headers["Retry-After"], refused.headers["RateLimit-Remaining"]) == ("10", "0")
    assert door.get("/?q=x").mimetype == "text/html"
    for path in ("/healthz", "/static/style.css"):
        with door.get(path) as answer:
            assert answer.status_code == 200
    assert door.get("/?q=x", environ_base={"REMOTE_ADDR": "10.0.0.8"}).status_code == PASSED


def test_a_key_is_counted_wherever_it_is_used_and_may_have_its_own_rate(tmp_path, rates):
    slow = {"X-API-Key": add_key(tmp_path / "keys.json", "slow", ["read"])}
    fast = {"X-API-Key": add_key(tmp_path / "keys.json", "fast", ["read"], rate=600)}
    door = limited(tmp_path, rates, 6)
    asked = [
        door.get("/api/v1/stats", headers=slow, environ_base={"REMOTE_ADDR": f"10.0.0.{n}"}).status_code
        for n in range(11)
    ]
    assert asked == [PASSED] * 10 + [429]
    assert door.get("/api/v1/stats", headers=fast).headers["RateLimit-Limit"] == "100"
    assert door.get("/api/v1/stats").status_code == PASSED


def test_without_a_limit_only_keys_with_one_are_counted(tmp_path, rates):
    own = {"X-API-Key": add_key(tmp_path / "keys.json", "own", ["read"], rate=6)}
    door = limited(tmp_path, rates, 0)
    assert "RateLimit-Limit" not in door.get("/api/v1/stats").headers
    assert [door.get("/api/v1/stats", headers=own).status_code for _ in range(11)][-1] == 429


def test_a_customer_is_one_visitor_whatever_their_address():
    assert neighbourhood("2001:db8:1:2::1") == neighbourhood("2001:db8:1:2:ffff::9")
    assert neighbourhood("2001:db8:1:2::1") != neighbourhood("2001:db8:1:3::1")
    assert neighbourhood("::ffff:10.0.0.1") == neighbourhood("10.0.0.1") != neighbourhood("10.0.0.2")
    assert neighbourhood("fe80::1%eth0") == neighbourhood("fe80::2")
    assert neighbourhood("") == ""
    assert neighbourhood("a socket") == "a socket"
