"""What is fetched cannot be made to ask this machine, its neighbours or its cloud (SSRF)."""

import socket
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from news_site import LOOPBACK, Reader, Site, page, rss, sitemap, sitemap_index

from index.build import Intake, add, rebuild
from index.cli import COMMANDS
from index.command_line import command_line
from index.errors import UsageError
from index.fetching import FetchSettings
from index.fetching.addresses import network_of, reason_against

REFUSED = {
    "127.0.0.1": "loopback", "127.8.9.10": "loopback", "0.0.0.0": "unspecified", "0.1.2.3": "private",
    "10.0.0.1": "private", "172.16.0.1": "private", "192.168.1.1": "private", "169.254.169.254": "link-local",
    "100.64.0.1": "shared", "100.127.255.254": "shared", "224.0.0.1": "multicast", "239.255.255.250": "multicast",
    "255.255.255.255": "private", "240.0.0.1": "private", "192.0.2.7": "private", "198.18.0.1": "private",
    "::": "unspecified", "::1": "loopback", "fe80::1": "link-local", "fe80::1%eth0": "link-local",
    "fc00::1": "private", "fd00:ec2::254": "private", "ff02::1": "multicast", "fec0::1": "reserved",
    "::ffff:127.0.0.1": "loopback", "::ffff:10.0.0.1": "private", "::ffff:169.254.169.254": "link-local",
    "64:ff9b::7f00:1": "loopback", "64:ff9b::a9fe:a9fe": "link-local", "64:ff9b:1::a00:1": "reserved",
    "2002:7f00:1::1": "", "2002:0808:0808::1": "", "2001:0:4136:e378:8000:63bf:3fff:fdd2": "",
    "::127.0.0.1": "reserved", "::7f00:1": "reserved", "2001:db8::1": "private", "100::1": "private",
}  # fmt: skip
PUBLIC = (
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        yield server


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def names(monkeypatch):
    """Names and where they lead, each time that they are looked up; other hosts are looked up as ever."""
    known: dict[str, list[str]] = {}
    really = socket.getaddrinfo

    def look_up(host, port, *arguments, **options):
        if host in known:
            leads = known[host]
            host = leads.pop(0) if len(leads) > 1 else leads[0]
        return really(host, port, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def asked_by_name(site, name, path="/a"):
    return f"http://{name}:{site.url('').rpartition(':')[2]}{path}"


@pytest.mark.parametrize(("address", "kind"), REFUSED.items())
def test_what_is_not_of_the_public_internet_is_refused_as_what_it_is(address, kind):
    assert reason_against(address)
    # What kind tunnels and documentation are depends on the age of Python's registries.
    assert kind in (reason_against(address), "", "private")


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_fetched_from(address):
    assert reason_against(address) == ""


def test_a_network_that_was_named_is_open_and_no_other():
    named = (network_of("10.1.0.0/16"), network_of("fd12::/16"), network_of(" 127.0.0.1 "))
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd12::5", "127.0.0.1"):
        assert reason_against(address, named) == "", address
    for address in ("10.2.0.1", "fd13::5", "127.0.0.2", "169.254.169.254"):
        assert reason_against(address, named), address


@pytest.mark.parametrize("text", ["", "intranet", "10.0.0.0/99", "10.0.0", "http://10.0.0.1"])
def test_what_is_no_network_is_said_so(text):
    with pytest.raises(UsageError, match="is no network"):
        network_of(text)


@pytest.mark.parametrize("written", [
    "127.0.0.1", "localhost", "LOCALHOST.", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "0177.0.0.1",
    "127.1", "0", "127.0.0.1.",
])  # fmt: skip
def test_no_spelling_of_this_machine_is_connected_to(site, reader, written):
    site.put("/a", page("A"))
    outcome = reader.read(asked_by_name(site, written), networks=())
    assert not outcome.documents
    assert len(outcome.reasons) == 1
    assert site.connections == 0


def test_the_refusal_says_what_the_address_is_and_how_to_allow_it(site, reader):
    assert reader.read(site.url("/a"), networks=()).reasons == [
        "127.0.0.1 is not of the public internet (loopback); allow it with --allow-network 127.0.0.1"
    ]


def test_a_name_that_leads_inside_is_refused_with_where_it_leads(site, reader, names):
    names["news.example.org"] = ["127.0.0.1"]
    [reason] = reader.read(asked_by_name(site, "news.example.org"), networks=()).reasons
    assert reason.startswith("news.example.org, which is 127.0.0.1, is not of the public internet")
    assert site.connections == 0


def test_a_name_is_looked_up_once_and_its_answer_connected_to(site, reader, names, monkeypatch):
    """A second answer, which a rebinding name would give, is never asked for."""
    site.put("/robots.txt", "")
    site.put("/a", page("A"))
    names["news.example.org"] = ["127.0.0.1", "10.9.9.9"]
    connected = []
    really = socket.socket.connect

    def connect(self, where):
        connected.append(where[0])
        return really(self, where)

    monkeypatch.setattr(socket.socket, "connect", connect)
    assert len(reader.read(asked_by_name(site, "news.example.org")).documents) == 1
    assert connected == ["127.0.0.1"]


def test_a_name_that_rebinds_between_two_connections_is_looked_at_each_time(site, reader, names):
    site.put("/robots.txt", "", headers={"Connection": "close"})
    site.put("/a", page("A"))
    names["news.example.org"] = ["127.0.0.1", "127.0.0.2"]
    outcome = reader.read(asked_by_name(site, "news.example.org"), networks=(network_of("127.0.0.1"),))
    assert site.paths == ["/robots.txt"]
    assert "127.0.0.2" in outcome.reasons[0]


def test_of_a_name_with_both_only_the_public_addresses_are_tried(monkeypatch):
    from index.fetching import client as client_module

    monkeypatch.setattr(client_module, "resolved", lambda host, port: ["10.0.0.1", "8.8.8.8", "::1"])
    connection = client_module._CheckedConnection("news.example.org", 80)
    assert connection._open_addresses("news.example.org") == ["8.8.8.8"]


def test_a_redirect_inside_is_refused(site, reader):
    with Site("127.0.0.2") as inner:
        inner.put("/secret", page("Secret"))
        site.put("/a", status=302, headers={"Location": inner.url("/secret")})
        outcome = reader.read(site.url("/a"), networks=(network_of("127.0.0.1"),))
        assert inner.connections == 0
    assert "127.0.0.2 is not of the public internet" in outcome.reasons[0]


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/a", "gopher://127.0.0.1:70/_a", "data:,a"])
def test_a_redirect_to_another_scheme_is_refused(site, reader, location):
    site.put("/a", status=302, headers={"Location": location})
    assert reader.read(site.url("/a")).reasons[0].startswith("redirects to what is no web address")


def test_rules_for_robots_do_not_lead_inside(site, reader):
    with Site("127.0.0.2") as inner:
        site.put("/robots.txt", status=301, headers={"Location": inner.url("/admin")})
        site.put("/a", page("A"))
        outcome = reader.read(site.url("/a"), networks=(network_of("127.0.0.1"),))
        assert inner.connections == 0
    assert not outcome.documents
    assert not reader.receipts


@pytest.mark.parametrize("kind", ["feed", "sitemap", "sitemap index", "list"])
def test_what_a_feed_or_sitemap_names_inside_is_refused_and_the_rest_is_read(site, reader, kind):
    with Site("127.0.0.2") as inner:
        site.put("/a", page("A"))
        links = [inner.url("/secret"), site.url("/a")]
        text = {
            "feed": rss([{"link": link, "title": link} for link in links]),
            "sitemap": sitemap(links), "list": "\n".join(links), "sitemap index": sitemap_index(links[:1]),
        }[kind]  # fmt: skip
        site.put("/named", text, "text/plain" if kind == "list" else "text/xml")
        outcome = reader.read(site.url("/named"), networks=(network_of("127.0.0.1"),))
        assert inner.connections == 0
    assert outcome.paths == ([] if kind == "sitemap index" else ["/a"])
    assert "127.0.0.2 is not of the public internet" in outcome.reasons[0]


def test_nothing_is_learnt_of_rules_where_nobody_was_asked(site, reader):
    """Or a network that is allowed later would be read as one that has none."""
    site.put("/robots.txt", "User-agent: *\nDisallow: /", "text/plain")
    site.put("/a", page("A"))
    reader.read(site.url("/a"), networks=())
    assert not reader.receipts
    assert reader.read(site.url("/a")).reasons == ["robots.txt does not allow it"]


def test_proxies_of_the_environment_are_not_asked(site, reader, monkeypatch):
    with Site() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        site.put("/a", page("A"))
        assert len(reader.read(site.url("/a")).documents) == 1
        assert proxy.connections == 0


def test_names_and_passwords_in_an_address_are_not_sent(site, reader):
    site.put("/a", page("A"))
    reader.read(site.url("/a").replace("http://", "http://user:secret@"))
    assert not any("Authorization" in request.headers for request in site.requests)


def test_by_itself_nothing_inside_is_fetched(site, load, corpus, tmp_path):
    site.put("/feed.xml", rss([{"link": "/a", "title": "A"}]), "application/rss+xml")
    rebuild(tmp_path / "index", [str(corpus)], load)
    report = add(tmp_path / "index", [site.url("/feed.xml")], load)
    assert site.connections == 0
    assert "--allow-network" in report.set_aside[0].reason
    intake = Intake(fetching=FetchSettings(networks=LOOPBACK, delay=0))
    site.put("/a", page("A"))
    assert add(tmp_path / "index", [site.url("/feed.xml")], load, intake=intake).articles == 1


def test_the_command_line_takes_networks(monkeypatch, tmp_path):
    taken = []

    def add(root, sources, load, *, intake, **options):
        taken.append(intake.fetching.networks)
        raise UsageError("far enough")

    monkeypatch.setattr("index.build.add", add)
    (tmp_path / "dateline.toml").write_text('[add]\nallow-network = ["fd00::/8"]\n', "utf-8")
    arguments = ["add", "http://127.0.0.1/", "--index", str(tmp_path)]
    for more, environment in ((["--allow-network", "10.0.0.0/8", "--allow-network", "::1"], {}), ([], {}), ([], {
        "DATELINE_ADD_ALLOW_NETWORK": "127.0.0.1 192.168.0.0/16"
    })):  # fmt: skip
        config = ["--config", str(tmp_path / "dateline.toml")]
        outcome = CliRunner().invoke(command_line(COMMANDS, whole=False), [*config, *arguments, *more], env=environment)
        assert isinstance(outcome.exception, UsageError), outcome.exception
    assert [[str(one) for one in networks] for networks in taken] == [
        ["10.0.0.0/8", "::1/128"], ["fd00::/8"], ["127.0.0.1/32", "192.168.0.0/16"]
    ]  # fmt: skip
