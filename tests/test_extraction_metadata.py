"""What a page states of its article, merged by how reliable each statement is. All pages are invented."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml.html import HtmlElement, document_fromstring, tostring

from index.extraction.metadata import PageMetadata, read_metadata

URL = "https://www.lantern.example/harbour/seals-return"


def tree(head: str = "", body: str = "", attributes: str = "") -> HtmlElement:
    return document_fromstring(f"<html {attributes}><head>{head}</head><body>{body}</body></html>")


def linked(*nodes: dict[str, Any]) -> str:
    return "".join(f'<script type="application/ld+json">{json.dumps(node)}</script>' for node in nodes)


def meta(**values: str) -> str:
    return "".join(f'<meta property="{name.replace("__", ":")}" content="{value}">' for name, value in values.items())


def read(head: str = "", body: str = "", url: str | None = URL, attributes: str = "") -> PageMetadata:
    return read_metadata(tree(head, body, attributes), url)


def test_an_empty_page_states_nothing_but_where_it_was_found() -> None:
    assert read() == PageMetadata(url=URL, source="lantern.example")
    assert read(url=None) == PageMetadata()


def test_a_full_page_is_read_in_every_field() -> None:
    article = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": "Seals return to the old harbour",
        "author": [{"@type": "Person", "name": "Ada Byron"}, {"@type": "Person", "name": "Mary Shelley"}],
        "publisher": {"@type": "NewsMediaOrganization", "name": "The Lantern"},
        "datePublished": "2024-03-05T08:00:00+01:00",
        "dateModified": "2024-03-06T09:30:00+01:00",
        "inLanguage": "en_GB",
        "articleSection": "Harbour",
        "description": "After thirty years the seals are back.",
        "isAccessibleForFree": "False",
        "articleBody": "The seals are back.",
    }
    assert read(linked(article) + meta(og__type="article")) == PageMetadata(
        title="Seals return to the old harbour",
        url=URL,
        published="2024-03-05T08:00:00+01:00",
        updated="2024-03-06T09:30:00+01:00",
        authors=("Ada Byron", "Mary Shelley"),
        source="The Lantern",
        language="en-GB",
        section="Harbour",
        summary="After thirty years the seals are back.",
        types=frozenset({"NewsArticle", "article"}),
        free=False,
        bodies=("The seals are back.",),
    )


def test_the_tree_is_left_as_it_is() -> None:
    page = tree(linked({"@type": "Article", "headline": "Seals return"}), "<h1>Seals return</h1><p>By Ada Byron</p>")
    before = tostring(page)
    read_metadata(page, URL)
    assert tostring(page) == before


@pytest.mark.parametrize(
    ("head", "body", "title"),
    [
        ("<title>Seals return | The Lantern</title>", "", "Seals return"),
        ("<title>The Lantern: Seals return</title>", "", "Seals return"),
        ("<title>Seals return - Harbour - The Lantern</title>", "<h1>Seals return</h1>", "Seals return"),
        ("<title>Seals return – lantern.example</title>", "", "Seals return"),
        ("<title>Seals – and gulls – return</title>", "", "Seals – and gulls – return"),
        ("<title>Harbour: Seals return</title>", "", "Harbour: Seals return"),
        ("<title>Fish &amp;amp; chips</title>", "", "Fish & chips"),
        ("<title>Har&shy;bour</title><title>Not this</title>", "", "Harbour"),
        ("", "<h1>Seals <b>return</b> home</h1>", "Seals return home"),
        ("", "<h1>The Lantern</h1>", None),
        ("", "<h1>News</h1><h1>Sport</h1>", None),
        ("<title>Seals return home</title>", "<svg><title>Logo of it</title></svg><h1>News</h1>", "Seals return home"),
    ],
)
def test_the_title_is_the_headline_without_the_site(head: str, body: str, title: str | None) -> None:
    assert read(meta(og__site_name="The Lantern") + head, body).title == title


def test_the_headline_of_the_newsroom_goes_before_titles_for_search_and_sharing() -> None:
    head = linked({"@type": "NewsArticle", "headline": "Seals return to the old harbour"})
    head += meta(og__title="You will not believe who is back") + "<title>Seals harbour news latest</title>"
    assert read(head, "<h1>Seals return to the old harbour</h1>").title == "Seals return to the old harbour"


def test_the_page_overrules_linked_data_that_stands_alone() -> None:
    head = linked({"@type": "NewsArticle", "headline": "a-4711 seals old draft"})
    head += meta(og__title="Seals return to the harbour") + "<title>Seals return to the harbour | Lantern</title>"
    assert read(head, "<h1>Seals return to the harbour</h1>").title == "Seals return to the harbour"


def test_a_headline_that_was_cut_off_is_completed() -> None:
    whole = "Seals return to the old harbour, where thirty winters ago the last of them had been seen upon the ice"
    head = linked({"@type": "NewsArticle", "headline": f"{whole[:60]}…"})
    assert read(head, f"<h1>{whole}</h1>").title == whole


def test_the_article_of_the_page_is_told_from_its_teasers() -> None:
    teaser = {"@type": "NewsArticle", "headline": "Gulls leave", "author": "Jack Straw", "datePublished": "2020-01-01"}
    story = {"@type": "NewsArticle", "headline": "Seals return", "author": "Ada Byron", "datePublished": "2024-03-05"}
    found = read(linked(teaser, story), "<h1>Seals return</h1>")
    assert (found.title, found.authors, found.published) == ("Seals return", ("Ada Byron",), "2024-03-05")


def test_a_reference_to_another_node_is_followed() -> None:
    graph = [
        {"@type": "WebPage", "@id": "#page", "datePublished": "2024-03-05"},
        {"@type": "Article", "headline": "Seals return", "author": {"@id": "#ada"}, "publisher": {"@id": "#lantern"}},
        {"@type": "Person", "@id": "#ada", "name": "Ada Byron"},
        {"@type": "Organization", "@id": "#lantern", "name": "Lantern"},
    ]
    found = read(linked({"@context": "https://schema.org", "@graph": graph}))
    assert (found.authors, found.source, found.published) == (("Ada Byron",), "Lantern", "2024-03-05")


def test_an_article_that_is_the_main_entity_of_a_page_is_found() -> None:
    node = {"@type": "WebPage", "mainEntity": {"@type": ["Thing", "schema:NewsArticle"], "headline": "Seals return"}}
    found = read(linked(node))
    assert found.title == "Seals return"
    assert found.types == {"WebPage", "Thing", "NewsArticle"}


def test_microdata_is_read_where_there_is_no_linked_data() -> None:
    body = """
        <article itemscope itemtype="http://schema.org/NewsArticle">
          <h2 itemprop="headline">Seals return</h2><meta itemprop="datePublished" content="2024-03-05T08:00:00Z">
          <span itemprop="author" itemscope itemtype="http://schema.org/Person"><b itemprop="name">Ada Byron</b></span>
          <div itemprop="comment" itemscope itemtype="http://schema.org/Comment">
            <span itemprop="author">Troll</span><time itemprop="datePublished" datetime="2020-01-01"></time></div>
        </article>"""
    found = read("", body)
    assert (found.title, found.authors) == ("Seals return", ("Ada Byron",))
    assert found.published == "2024-03-05T08:00:00+00:00"


@pytest.mark.parametrize(
    ("head", "found_at", "url"),
    [
        ('<link rel="canonical" href="/harbour/seals">', URL, "https://www.lantern.example/harbour/seals"),
        ('<link rel="canonical" href="https://lantern.example/seals#top">', f"{URL}/amp", "https://lantern.example/seals"),
        ('<link rel="canonical" href="https://www.lantern.example/">', URL, URL),
        ('<link rel="canonical" href="https://elsewhere.example/seals">', URL, URL),
        ('<link rel="canonical" href="javascript:alert(1)">', URL, URL),
        ('<link rel="canonical" href="http://[broken">', URL, URL),
        ('<link rel="canonical" href="https://lantern.example/seals">', None, "https://lantern.example/seals"),
        (meta(og__url="https://lantern.example/seals"), URL, "https://lantern.example/seals"),
        (
            '<link rel="canonical" href="https://lantern.example/seals">',
            "https://lantern-example.cdn.ampproject.org/c/s/lantern.example/seals",
            "https://lantern.example/seals",
        ),
        (linked({"@type": "Article", "mainEntityOfPage": {"@id": "https://lantern.example/s"}}), URL,
         "https://lantern.example/s"),
        ("", "file:///etc/passwd", None),
    ],
)  # fmt: skip
def test_the_address_is_the_canonical_one_if_it_can_be_believed(
    head: str, found_at: str | None, url: str | None
) -> None:
    assert read(head, url=found_at).url == url


@pytest.mark.parametrize(
    ("head", "source"),
    [
        (meta(og__site_name="Lantern"), "Lantern"),
        (linked({"@type": "Article", "publisher": {"name": "Big Media Holding"}}) + meta(og__site_name="The Lantern"),
         "The Lantern"),
        (linked({"@type": "Article", "publisher": {"name": "The Lantern"}}) + meta(og__site_name="Harbour"),
         "The Lantern"),
        ('<meta name="application-name" content="Lantern">', "Lantern"),
        (meta(og__site_name="https://facebook.com/lantern"), "lantern.example"),
        ("", "lantern.example"),
    ],
)  # fmt: skip
def test_the_source_is_the_name_of_the_site(head: str, source: str) -> None:
    assert read(head).source == source


def test_the_initials_of_a_publisher_are_its_host() -> None:
    head = linked({"@type": "Article", "publisher": {"name": "Holding"}}) + meta(og__site_name="The North Sea Journal")
    assert read(head, url="https://www.nsj.example/a").source == "The North Sea Journal"


@pytest.mark.parametrize(
    ("head", "free"),
    [
        (linked({"@type": "NewsArticle", "isAccessibleForFree": True}), True),
        (linked({"@type": "NewsArticle", "isAccessibleForFree": "False"}), False),
        (linked({"@type": "NewsArticle", "hasPart": {"isAccessibleForFree": False}}), False),
        (linked({"@type": "NewsArticle", "isAccessibleForFree": "maybe"}), None),
        (meta(article__content_tier="locked"), False),
        (meta(article__content_tier="metered"), None),
    ],
)
def test_whether_it_is_free_to_read_is_what_the_publisher_says(head: str, free: bool | None) -> None:
    assert read(head).free is free


def test_a_description_that_was_cut_off_is_completed() -> None:
    head = meta(og__description="After thirty years…", description="After thirty years the seals are back.")
    assert read(head).summary == "After thirty years the seals are back."


def test_bodies_come_without_markup_and_entities() -> None:
    head = linked({"@type": "NewsArticle", "articleBody": "<p>Fish &amp;amp; chips</p>\n<p>are cheap</p>"})
    assert [body.split() for body in read(head).bodies] == [["Fish", "&", "chips", "are", "cheap"]]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                "@type @id @graph name headline author creator publisher url mainEntity mainEntityOfPage datePublished "
                "dateModified inLanguage isAccessibleForFree hasPart articleBody articleSection description".split()
            )
            | st.text(max_size=5),
            inner | st.sampled_from(["NewsArticle", "WebPage", "2024-03-05", "Ada Byron", URL]),
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_no_linked_data_is_too_odd(value: Any) -> None:
    node = {"@type": "NewsArticle", **value} if isinstance(value, dict) else value
    assert isinstance(read(linked(node)), PageMetadata)


TAGS = st.sampled_from("h1 h2 p div span a time meta title link article aside figure".split())
NAMES = st.sampled_from("class id rel itemprop itemtype itemscope datetime content property name href lang".split())
VALUES = st.sampled_from(
    "author byline date datePublished og:title article:published_time canonical http://[ //x /author/a "
    "2024-13-45 99999999999 1709625600 NewsArticle https://lantern.example/a".split()
) | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(TAGS, st.dictionaries(NAMES, VALUES, max_size=4), VALUES), max_size=12), st.none() | VALUES)
def test_no_tags_are_too_odd(elements: list[tuple[str, dict[str, str], str]], url: str | None) -> None:
    page = tree("", "<main></main>")
    place = page.find(".//main")
    assert place is not None
    for number, (tag, attributes, text) in enumerate(elements):
        child = place.makeelement(tag, attributes)
        child.text = text
        place.append(child)
        place = child if number % 3 else place
    assert isinstance(read_metadata(page, url), PageMetadata)
