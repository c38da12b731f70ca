"""Passages as cards: what they show, where they may be shown, and that nothing breaks out of them."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from sample import write_jsonl

from index.build import rebuild
from search.engine import Engine
from web.app import create_app
from web.embeds import frame
from web.live import NotReady
from web.schemas import ErrorResponse

ATTACK = "\"><script>alert(1)</script><b x='"
LONG = "\n\n".join(
    f"Part {part} of the report is about the {word}. " * 25 for part, word in enumerate(("harbour", "museum"))
)


@pytest.fixture
def client(root, load):
    engine = Engine.open(root, load)
    return create_app(lambda: engine, root).test_client()


@pytest.fixture
def client_of(tmp_path, load):
    """Makes a client of an index of these records."""

    def client_of(*records):
        rebuild(tmp_path / "other", [str(write_jsonl(tmp_path / "other.jsonl", records))], load)
        engine = Engine.open(tmp_path / "other", load)
        return create_app(lambda: engine, tmp_path / "other").test_client()

    return client_of


def card(client, address, status=200):
    response = client.get(address)
    assert response.status_code == status
    assert response.content_type == "text/html; charset=utf-8"
    return html.fromstring(response.data)


def texts(element, path):
    return [found.text_content() for found in element.xpath(path)]


def test_a_card_shows_the_passage_with_its_answer_and_where_it_is_from(client):
    shown = card(client, "/embed/strike?q=wages")
    assert texts(shown, "//mark") == ["Wages"]
    assert "".join(texts(shown, "//*[@class='best']")) == "Wages rise by four per cent a year."
    assert texts(shown, "//h1") == ["Ferry crews call off strike"]
    origin = shown.xpath("//*[@class='origin']")[0].text_content()
    for told in ("Harbour Wire", "20 August 2025, 15:07", "Corin Adeyale, Lyra Dunmore"):
        assert told in origin
    assert shown.xpath("//h1/a/@href") == ["/article/strike?q=wages#p0"]
    assert "Original" not in shown.text_content()
    ferry = card(client, "/embed/ferry")
    assert "https://coast.example.org/ferry" in ferry.xpath("//a/@href")
    assert texts(ferry, "//mark") == texts(ferry, "//*[@class='best']") == []


def test_links_of_a_card_open_pages_of_their_own(client):
    for link in card(client, "/embed/ferry?q=sandbank").xpath("//a"):
        assert link.get("target") == "_blank"
        assert "noopener" in link.get("rel")


def test_any_page_may_frame_a_card_that_can_do_nothing(client):
    response = client.get("/embed/strike?q=wages")
    policy = dict(part.strip().partition(" ")[::2] for part in response.headers["Content-Security-Policy"].split(";"))
    style = re.search(r"<style>(.*?)</style>", response.text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'", "style-src": f"'sha256-{digest}'", "base-uri": "'none'", "form-action": "'none'",
        "frame-ancestors": "*",
    }  # fmt: skip
    assert "X-Frame-Options" not in response.headers
    assert not html.fromstring(response.data).xpath("//script | //link | //img | //@style | //iframe")
    assert "frame-ancestors 'none'" in client.get("/article/strike").headers["Content-Security-Policy"]


def test_the_passage_is_the_one_asked_for_or_the_best_or_the_first(client_of):
    client = client_of({"id": "long", "title": "Report", "text": LONG, "published": "2025-01-01"})
    whole = client.get("/api/v1/articles/long").json
    first, second = (whole["text"][passage["start"] : passage["end"]] for passage in whole["passages"][:2])
    start, end = whole["passages"][1]["start"], whole["passages"][1]["end"]

    def passage(query):
        [shown] = texts(card(client, f"/embed/long?{query}"), "//blockquote")
        return shown.strip()

    assert passage("") == first
    assert passage(f"start={start}") == second
    assert passage(f"start={start}&end={end}&q=harbour") == second
    assert "museum" in passage("q=museum")
    assert passage("q=-museum") == first  # what cannot be searched for marks nothing


def test_a_sentence_is_marked_in_a_passage_that_is_not_the_best(client_of):
    records = {"id": "long", "title": "Report", "text": LONG + "\n\nAll museums close.", "published": "2025-01-01"}
    client = client_of(records)
    first = client.get("/api/v1/articles/long").json["passages"][0]
    shown = card(client, f"/embed/long?start={first['start']}&q=museum+harbour")
    assert "".join(texts(shown, "//*[@class='best']")).startswith("Part 0 of the report is about the harbour.")


@pytest.mark.parametrize("query", ["start=1", "start=x", "start=0&end=5", "start=-1"])
def test_a_passage_that_is_not_there_any_more_is_said_so(client, query):
    shown = card(client, f"/embed/strike?{query}", 404)
    assert "not here any more" in shown.text_content()
    assert shown.xpath("//a/@href") == ["/article/strike", "/article/strike"]


def test_an_article_that_is_not_there_is_a_small_card(client):
    shown = card(client, "/embed/nobody", 404)
    assert "The article is not here any more." in shown.text_content()
    assert "frame-ancestors *" in client.get("/embed/nobody").headers["Content-Security-Policy"]


def test_nothing_from_an_article_or_a_query_becomes_markup(client_of):
    client = client_of(
        {"id": f"x{ATTACK}", "title": ATTACK, "text": f"Zeppelin {ATTACK}", "source": ATTACK, "authors": [ATTACK],
         "url": "javascript:alert(1)", "language": '"x onload="alert(1)', "published": "2025-01-01"}
    )  # fmt: skip
    for query in ("zeppelin", ATTACK, f"zeppelin {ATTACK}"):
        response = client.get(f"/embed/{quote(f'x{ATTACK}', safe='')}", query_string={"q": query})
        assert response.status_code == 200
        assert "<script" not in response.text
        assert not html.fromstring(response.data).xpath("//@onload | //b | //a[starts-with(@href, 'javascript')]")


def oembed(client, url, **options):
    return client.get("/oembed", query_string={"url": url, **options})


def test_oembed_gives_the_frame_of_an_article(client):
    found = oembed(client, "http://localhost/article/strike?q=wages#p0", format="json")
    assert found.status_code == 200
    answer = found.json
    assert (answer["version"], answer["type"], answer["provider_name"]) == ("1.0", "rich", "Dateline")
    assert (answer["title"], answer["author_name"]) == ("Ferry crews call off strike", "Corin Adeyale, Lyra Dunmore")
    assert isinstance(answer["cache_age"], int)
    [shown] = Frames.of(answer["html"])
    address = urlsplit(shown["src"])
    assert (address.netloc, address.path, parse_qs(address.query)) == (
        "localhost", "/embed/strike", {"start": ["0"], "q": ["wages"]},
    )  # fmt: skip
    assert (int(shown["width"]), int(shown["height"])) == (answer["width"], answer["height"])
    assert client.get(shown["src"]).status_code == 200


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("", {}),
        ("?q=wages", {"q": ["wages"]}),
        ("?q=wages&from=2025-01-01&start=0&end=92", {"q": ["wages"], "start": ["0"], "end": ["92"]}),
        ("?start=5&end=9#p0", {"start": ["0"]}),
        ("#cite", {}),
    ],
)
def test_the_place_in_an_address_is_the_place_of_the_card(client, place, expected):
    [shown] = Frames.of(oembed(client, f"http://localhost/article/strike{place}").json["html"])
    assert parse_qs(urlsplit(shown["src"]).query) == expected


def test_the_size_is_bounded_by_who_asks(client):
    usual = oembed(client, "http://localhost/article/strike").json
    small = oembed(client, "http://localhost/article/strike", maxwidth=300, maxheight=200).json
    large = oembed(client, "http://localhost/article/strike", maxwidth=9999, maxheight="9" * 40).json
    assert (small["width"], small["height"]) == (300, 200)
    assert (large["width"], large["height"]) == (usual["width"], usual["height"])
    for wrong in ("0", "99", "-5", "x", "1e3", "٣٠٠"):
        response = oembed(client, "http://localhost/article/strike", maxwidth=wrong)
        assert response.status_code == 400
        assert ErrorResponse.model_validate(response.json).error.field == "maxwidth"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("", 404),
        ("http://localhost/", 404),
        ("http://localhost/article/nobody", 404),
        ("http://elsewhere.example/article/strike", 404),
        ("http://localhost@elsewhere.example/article/strike", 404),
        ("http://localhost:81/article/strike", 404),
        ("//localhost/article/strike", 404),
        ("javascript:alert(1)", 404),
        ("http://[broken/article/strike", 404),
        ("https://LOCALHOST/article/strike", 200),  # a proxy may have taken the encryption off
    ],
)
def test_only_articles_of_this_server_have_cards(client, url, status):
    response = oembed(client, url)
    assert response.status_code == status
    if status != 200:
        ErrorResponse.model_validate(response.json)


def test_only_json_is_given(client):
    assert oembed(client, "http://localhost/article/strike", format="xml").status_code == 501


def test_before_the_index_is_open_there_is_no_card(tmp_path):
    def engine():
        raise NotReady("The index is being opened.")

    client = create_app(engine, tmp_path).test_client()
    assert client.get("/embed/x").status_code == oembed(client, "http://localhost/article/x").status_code == 503


class Frames(HTMLParser):
    """The frames in a piece of HTML, and that there is nothing else in it."""

    @classmethod
    def of(cls, text):
        parser = cls()
        parser.found, parser.text = [], ""
        parser.feed(text)
        parser.close()
        assert parser.text == ""
        return parser.found

    def handle_starttag(self, tag, attributes):
        assert tag == "iframe"
        assert [name for name, _ in attributes] == [
            "src", "title", "width", "height", "frameborder", "loading", "referrerpolicy", "sandbox",
        ]  # fmt: skip
        self.found.append(dict(attributes))

    def handle_data(self, data):
        self.text += data


NASTY = st.text(
    st.sampled_from("\"'<>&=/\\ x;#\t\n\x00`é\u2028") | st.characters(exclude_categories=["Cs"]), max_size=40
)


@given(NASTY, NASTY, NASTY)
def test_no_title_id_or_query_breaks_out_of_the_frame(title, id, query):
    address = f"https://news.example/embed/{quote(id, safe='/')}?{urlencode({'q': query})}"
    [shown] = Frames.of(frame(address, title, 600, 320))
    assert shown["src"] == address
    assert re.sub("[\x00\ufffd\r]", "", shown["title"]) == re.sub("[\x00\ufffd\r]", "", title)
    assert unquote(urlsplit(shown["src"]).path.removeprefix("/embed/")) == id
    assert "script" not in shown["sandbox"]
