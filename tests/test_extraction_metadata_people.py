"""Names of authors, out of linked data, meta tags and what stands under the headline. All of them are invented."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml.html import HtmlElement, document_fromstring

from index.extraction.metadata import read_metadata
from index.extraction.people import names_in, people

URL = "https://www.lantern.example/harbour/seals-return"


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Ada Byron", ["Ada Byron"]),
        ("By Ada Byron", ["Ada Byron"]),
        ("BY ADA BYRON", ["ADA BYRON"]),
        ("Posted by Ada Byron", ["Ada Byron"]),
        ("Von Ada Byron", ["Ada Byron"]),
        ("Par Ada Byron et Mary Shelley", ["Ada Byron", "Mary Shelley"]),
        ("Por Ada Byron y Mary Shelley", ["Ada Byron", "Mary Shelley"]),
        ("di Ada Byron", ["Ada Byron"]),
        ("Autorin: Ada Byron", ["Ada Byron"]),
        ("Текст: Ада Байрон", ["Ада Байрон"]),
        ("Von Trapp", ["Von Trapp"]),
        ("Di Caprio Leo", ["Di Caprio Leo"]),
        ("Ada Byron and Mary Shelley", ["Ada Byron", "Mary Shelley"]),
        ("Ada Byron, Mary Shelley & Jane Roe", ["Ada Byron", "Mary Shelley", "Jane Roe"]),
        ("Ada Byron, Mary Shelley, and Jane Roe", ["Ada Byron", "Mary Shelley", "Jane Roe"]),
        ("Ada Byron und Mary Shelley", ["Ada Byron", "Mary Shelley"]),
        ("Ada Byron; Mary Shelley | Jane Roe", ["Ada Byron", "Mary Shelley", "Jane Roe"]),
        ("Byron, Ada", ["Ada Byron"]),
        ("John Roe, Jr.", ["John Roe, Jr."]),
        ("Dr. Ada Byron", ["Dr. Ada Byron"]),
        ("Ada Byron (ab)", ["Ada Byron"]),
        ("Ada Byron - Political Editor", ["Ada Byron"]),
        ("Ada Byron, Chief Reporter", ["Ada Byron"]),
        ("Ada Byron in New Delhi", ["Ada Byron"]),
        ("Ada Byron, Mary Shelley, Nairobi", ["Ada Byron", "Mary Shelley"]),
        ("Ada Byron for The Daily Lantern", ["Ada Byron"]),
        ("Ada Byron | Lantern News", ["Ada Byron"]),
        ("Ada Byron, AP Sports Writer", ["Ada Byron"]),
        ("Ada Byron ada@lantern.example", ["Ada Byron"]),
        ("Ada Byron @ada", ["Ada Byron"]),
        ("Ada Byron Ada Byron", ["Ada Byron"]),
        ("&Eacute;lodie O&#039;Brien", ["Élodie O'Brien"]),
        ("山田太郎、鈴木花子", ["山田太郎", "鈴木花子"]),
        ("김철수 기자", ["김철수"]),
        ("दीपक शर्मा", ["दीपक शर्मा"]),
        ("Ada Byron/dpa", ["Ada Byron"]),
        ("20 Minuten", ["20 Minuten"]),
        ("RFE/RL", ["RFE/RL"]),
        ("dpa", ["dpa"]),
        ("Von DPA", ["DPA"]),
        ("Le Fanal et AFP", ["Le Fanal et AFP"]),
        ("Lantern staff reporter", ["Lantern staff reporter"]),
        ("Political Editor", []),
        ("https://www.facebook.com/lantern", []),
        ("ada@lantern.example", []),
        ("@lantern", []),
        ("admin", []),
        ("lanternadmin", []),
        ("4711", []),
        ("March 5, 2024", []),
        ("Photo: Ada Byron", []),
        ("—", []),
        ("", []),
    ],
)
def test_a_byline_becomes_names(line: str, names: list[str]) -> None:
    assert names_in(line) == names


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("Ada Byron", ("Ada Byron",)),
        ({"@type": "Person", "name": "Ada Byron"}, ("Ada Byron",)),
        ({"givenName": "Ada", "familyName": "Byron"}, ("Ada Byron",)),
        ([{"name": "Ada Byron"}, "Mary Shelley"], ("Ada Byron", "Mary Shelley")),
        ({"name": ["Ada Byron", "Mary Shelley"]}, ("Ada Byron", "Mary Shelley")),
        (["ADA BYRON", "Ada Byron", "Mary Shelley"], ("Ada Byron", "Mary Shelley")),
        ([{"name": "Reuters"}, {"name": "Ada Byron"}], ("Reuters", "Ada Byron")),
        ({"name": None}, ()),
        ({"url": "https://lantern.example/ada"}, ()),
        (None, ()),
        (4711, ()),
    ],
)
def test_authors_of_any_shape_become_names(value: Any, names: tuple[str, ...]) -> None:
    assert people([value]) == names


@given(st.text(max_size=200))
def test_names_are_tidy_whatever_the_line(line: str) -> None:
    for name in names_in(line):
        assert name == name.strip()
        assert "\n" not in name
        assert any(map(str.isalpha, name))
        assert len(name) <= 80 + 10


def authors(head: str, body: str = "") -> tuple[str, ...]:
    return read_metadata(_page(head, body), URL).authors


def _page(head: str, body: str) -> HtmlElement:
    site = '<meta property="og:site_name" content="The Lantern">'
    return document_fromstring(f"<html><head>{site}{head}</head><body><h1>Seals return home</h1>{body}</body></html>")


def story(author: str) -> str:
    node = f'{{"@type": "NewsArticle", "headline": "Seals return home", "author": {author}}}'
    return f'<script type="application/ld+json">{node}</script>'


META = '<meta name="author" content="Mary Shelley">'
BYLINE = '<p class="byline">By <a href="/author/jane-roe">Jane Roe</a></p>'


def test_linked_data_goes_before_meta_tags_and_these_before_the_byline() -> None:
    assert authors(story('{"name": "Ada Byron"}') + META, BYLINE) == ("Ada Byron",)
    assert authors(META, BYLINE) == ("Mary Shelley",)
    assert authors("", BYLINE) == ("Jane Roe",)


def test_people_go_before_the_name_of_the_site() -> None:
    assert authors(story('{"@type": "Organization", "name": "Lantern"}'), BYLINE) == ("Jane Roe",)
    assert authors(story('[{"name": "The Lantern"}, {"name": "Ada Byron"}]'), BYLINE) == ("Ada Byron",)


def test_who_signs_where_no_person_does_is_kept() -> None:
    assert authors(story('{"name": "dpa"}')) == ("dpa",)
    assert authors(story('{"name": "The Lantern"}')) == ("The Lantern",)
    assert authors("", '<div class="byline">Associated Press</div>') == ("Associated Press",)


def test_an_agency_that_shares_a_story_is_kept_beside_people() -> None:
    assert authors(story('[{"name": "Reuters"}, {"name": "Ada Byron"}]')) == ("Reuters", "Ada Byron")


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ('<a rel="author" href="/x">Ada Byron</a>', ("Ada Byron",)),
        ('<span itemprop="author">Ada Byron</span>', ("Ada Byron",)),
        ('<p>von <a href="/autoren/ada">Dr. Ada Byron</a></p>', ("Dr. Ada Byron",)),
        ('<ul><li><a href="/author/a">Ada Byron</a></li><li><a href="/author/m">Mary Shelley</a></li></ul>',
         ("Ada Byron", "Mary Shelley")),
        ('<p><a href="/author/a">Ada Byron</a> and <a href="/author/m">Mary Shelley</a></p>',
         ("Ada Byron", "Mary Shelley")),
        ('<div data-testid="byline"><b>Ada Byron</b> Deputy Hub Director</div>', ("Ada Byron",)),
        ("<p>By Ada Byron</p>", ("Ada Byron",)),
        ("<p>By the old harbour wall, seals return every spring</p>", ()),
        ('<figure><span class="author">Pho Tographer</span></figure>', ()),
        ('<footer><a rel="author" href="/x">Web Master</a></footer>', ()),
        ('<div class="author-bio">Ada Byron writes about seals</div>', ()),
        (f'<p>{"The mayor was glad. " * 8}<a href="/people/mayor">Maud Mayor</a></p>', ()),
        (f"<p>{'The mayor was glad. ' * 8}</p>" * 4 + '<p class="byline">By Later Teaser</p>', ()),
    ],
)  # fmt: skip
def test_a_byline_under_the_headline_is_read(body: str, names: tuple[str, ...]) -> None:
    assert authors("", body) == names
