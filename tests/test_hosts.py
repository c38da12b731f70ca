"""Names by which a server may be called."""

import pytest
from fronts import PASSED, client

from web.hosts import Hosts, name_of


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", PASSED), ("localhost:8000", PASSED), ("LOCALHOST.", PASSED), ("127.0.0.1:9", PASSED),
        ("[::1]", PASSED), ("[::1]:8000", PASSED), ("news.local:8000", PASSED),
        ("evil.example.org", 403), ("localhost.evil.example.org", 403), ("127.0.0.1.evil.example.org", 403),
        ("192.168.0.7:8000", 403), ("[::2]", 403), ("", 403), ("[", 403), ("localhost:8000:evil", PASSED),
    ],
)  # fmt: skip
def test_only_names_of_this_machine_are_answered_to(tmp_path, host, status):
    door = client(tmp_path, lambda refuse: Hosts(["news.local"], refuse))
    answer = door.get("/api/v1/search?q=x", headers={"Host": host})
    assert answer.status_code == status
    if status == 403:
        assert answer.json["error"]["code"] == "unknown_host"
        assert "--allow-host" in answer.json["error"]["message"]


def test_a_health_check_may_call_it_anything(tmp_path):
    door = client(tmp_path, lambda refuse: Hosts([], refuse))
    assert door.get("/healthz", headers={"Host": "10.0.0.9:8000"}).status_code == 200


def test_a_name_is_what_stands_before_the_port():
    assert [name_of(host) for host in ("A.b:1", "[::1]:8", "x", "x.")] == ["a.b", "[::1]", "x", "x"]
