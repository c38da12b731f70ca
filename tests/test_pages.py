import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.build import add
from search.engine import Engine
from web.app import create_app
from web.live import NotReady
from web.marking import pieces

OWN_SCRIPT = r'<script src="/static/page\.js\?v=\w+" defer>'
ATTACK = "<script>alert(1)</script>"


@pytest.fixture
def client(root, load):
    engine = Engine.open(root, load)
    return create_app(lambda: engine, root).test_client()


def page(client, url, status=200):
    response = client.get(url)
    assert response.status_code == status
    assert response.content_type.startswith("text/html")
    return response.text


def test_home_has_a_search_box_and_says_what_is_there(client):
    home = page(client, "/")
    assert 'name="q"' in home
    assert "5 articles" in home


def test_results_mark_words_and_link_to_the_passage(client):
    shown = page(client, "/?q=ferry+strike")
    assert "<mark>strike</mark>" in shown
    assert re.search(r'href="/article/strike\?q=ferry\+strike#p\d+"', shown)
    assert "Harbour Wire" in shown
    assert "20 August 2025, 15:07" in shown


def test_a_search_is_a_url_with_its_filters_filled_in(client):
    shown = page(client, "/?q=ferry&source=Coastline+Press&from=2024-01-01&sort=newest")
    assert '<input type="hidden" name="source" value="Coastline Press">' in shown
    assert 'name="from" form="search" value="2024-01-01"' in shown
    assert '<span aria-current="true">Newest</span>' in shown
    assert "Ferry crews" not in shown


def test_date_words_and_corrections_are_shown_and_can_be_undone(client):
    page = client.get("/", query_string={"q": "ferry deckhnads in August 2025"}).text
    assert 'class="chip"' in page
    assert "date_words=false" in page
    assert "<strong>ferry deckhands</strong>" in page
    assert "spelling=false" in page


def test_an_article_names_similar_ones(client):
    page = client.get("/article/strike").text
    assert "Similar articles" in page
    assert "/article/ferry" in page


def test_nothing_found_says_what_may_help(client):
    shown = page(client, '/?q="purple+walrus"&source=Harbour+Wire')
    assert "Nothing found" in shown
    assert "quotation marks" in shown
    assert "Search without filters" in shown


def test_a_bad_search_explains_itself(client):
    assert "should be a date" in page(client, "/?q=ferry&from=nonsense", 400)
    reversed_days = page(client, "/?q=ferry&from=2025-02-02&to=2025-01-01", 400)
    assert re.findall(r'name="(from|to)" form="search" value="([^"]*)"', reversed_days) == [
        ("from", "2025-02-02"), ("to", "2025-01-01"),
    ]  # fmt: skip
    assert 'type="hidden" name="from"' not in reversed_days
    assert "only says what to leave out" in page(client, "/?q=-ferry", 400)


def test_an_article_marks_the_passage_that_answers(client):
    shown = page(client, "/article/strike?q=wages")
    assert 'class="match answer"' in shown
    assert "<mark>Wages</mark>" in shown
    assert "Results for" in shown
    assert 'class="match' not in page(client, "/article/strike")


def test_an_article_can_be_read_whatever_was_asked(client):
    assert "Ferry crews call off strike" in page(client, "/article/strike?q=-ferry")


def test_the_way_back_from_an_article_leads_to_the_same_results(client):
    results = page(client, "/?q=ferry&source=Harbour+Wire&collapse=article&size=1&page=2")
    link = html.unescape(re.search(r'href="(/article/[^"]*)"', results)[1])
    back = html.unescape(re.search(r'class="back"[^<]*<a href="([^"]*)"', page(client, link))[1])
    assert parse_qs(urlsplit(back).query) == parse_qs("q=ferry&source=Harbour+Wire&collapse=article&size=1&page=2")


def test_two_sources_side_by_side(client):
    shown = page(client, "/compare?q=ferry+strike&source=Harbour+Wire&source2=Coastline+Press")
    assert re.findall(r'<h2 id="side\d">([^<]*)', shown) == ["Harbour Wire", "Coastline Press"]
    assert "choose" not in shown
    assert "should be a date" in page(client, "/compare?q=ferry&from2=never", 400)


def test_without_limits_a_comparison_takes_the_two_sources_with_most(client):
    shown = page(client, "/compare?q=ferry+strike+wages+deckhands+aground+sandbank+coastguard")
    assert len(set(re.findall(r'<h2 id="side\d">([^<]*)', shown))) == 2
    assert "limit each side yourself" in page(client, '/compare?q="purple+walrus"')


def test_an_unknown_article_is_a_404_page(client):
    assert "No article has the id" in page(client, "/article/nobody", 404)


def test_while_the_index_opens_the_page_says_so(tmp_path):
    def engine():
        raise NotReady("The index is being opened.")

    assert "being opened" in page(create_app(engine, tmp_path).test_client(), "/?q=x", 503)


def test_pages_turn(client):
    first = page(client, "/?q=ferry&size=2")
    assert re.search(r'rel="next" href="/\?q=ferry&amp;size=2&amp;page=2#results"', first)
    second = page(client, "/?q=ferry&size=2&page=2")
    assert 'rel="prev"' in second
    assert '<ol class="hits" start="3">' in second


def test_docs_name_every_path(client):
    shown = page(client, "/api/docs")
    assert "/api/v1/search" in shown
    assert "exclude_source" in shown


def test_nothing_from_an_article_or_a_query_becomes_markup(root, load, tmp_path):
    record = (
        '{"id": "evil", "title": "Zeppelin %s", "text": "A zeppelin %s landed.", "url": "javascript:alert(1)",'
        ' "source": "%s", "authors": ["%s"], "published": "2025-01-01", "language": "x\\" onload=\\"alert(1)"}'
    )
    (tmp_path / "evil.jsonl").write_text(record.replace("%s", ATTACK) + "\n")
    add(root, [str(tmp_path / "evil.jsonl")], load)
    engine = Engine.open(root, load)
    client = create_app(lambda: engine, root).test_client()
    for url in (
        f"/?q=zeppelin+{ATTACK}",
        f"/article/evil?q=zeppelin{ATTACK}",
        f"/?q={ATTACK}&from={ATTACK}",
        f"/{ATTACK}",
    ):
        shown = client.get(url).text
        assert re.findall("<script[^>]*>[^<]*", shown) == re.findall(OWN_SCRIPT, shown)
        assert 'href="javascript:' not in shown
        assert 'onload="' not in shown


def test_headers_forbid_framing_and_whatever_is_not_ours(client):
    headers = client.get("/?q=ferry").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "script-src 'self';" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=6), st.data())
def test_pieces_joined_are_the_text(text, spans, data):
    marks, end = [], 0
    for start, length in sorted(spans):
        if start >= end and start + length <= len(text):
            marks.append((start, start + length))
            end = start + length
    low = data.draw(st.integers(0, len(text)))
    high = data.draw(st.integers(low, len(text)))
    found = pieces(text, marks, (low, high))
    assert "".join(piece.text for piece in found) == text
    assert "".join(piece.text for piece in found if piece.best) == text[low:high]
    assert "".join(piece.text for piece in found if piece.marked) == "".join(text[a:b] for a, b in marks)
