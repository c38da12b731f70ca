"""Articles from web pages: invented pages in the markup of many publishers, and pages that are no articles."""

from pathlib import Path

import pytest

from index.errors import SourceError
from index.extraction import read_page

PAGES = Path(__file__).parent / "data" / "pages"
URL = "https://paper.example/2024/05/a-story-with-a-name"

FILLER = "The harbour board met on Tuesday evening and talked about the pier until the lamps went out. "
PARAGRAPHS = [f"{FILLER}It was meeting number {number} of the year, and not the last one." for number in range(1, 6)]


def page(body: str, *, title: str = "Harbour board meets", head: str = "", language: str = "en") -> str:
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><title>{title}</title>{head}</head>'
        f"<body><h1>{title}</h1>{body}</body></html>"
    )


def story(*between: str) -> str:
    """Five paragraphs in an article, with what is given between the second and the third."""
    paragraphs = [f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS]
    return f'<article><div class="text">{"".join([*paragraphs[:2], *between, *paragraphs[2:]])}</div></article>'


def paragraphs(text: str) -> list[str]:
    return text.split("\n\n")


@pytest.mark.parametrize("name", sorted(path.stem for path in PAGES.glob("*.html")))
def test_a_page_gives_exactly_its_story(name):
    article = read_page((PAGES / f"{name}.html").read_bytes(), url=URL)
    assert article.text == (PAGES / f"{name}.txt").read_text("utf-8").strip()


REFUSED = {
    "consent": "a consent page for cookies",
    "empty": "no article text in the page",
    "error": 'an error page ("Sorry, this page does not exist")',
    "front": "a list of articles, not an article",
    "login": "a login page",
    "robot": 'an error page ("Just a moment...")',
    "script": "the page shows its text only with JavaScript",
    "tag": "a list of articles, not an article",
}


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_a_page_that_is_no_article_is_refused_with_a_reason(name, reason):
    with pytest.raises(SourceError) as refusal:
        read_page((PAGES / "refused" / f"{name}.html").read_bytes(), url="https://paper.example/")
    assert str(refusal.value) == reason


def test_every_refused_page_is_tested():
    assert {path.stem for path in (PAGES / "refused").glob("*.html")} == set(REFUSED)


@pytest.mark.parametrize(
    "title",
    [
        "404 goats found on motorway",
        "Access denied: how the council kept its minutes secret",
        "Your privacy, your cookies: what the new law says",
        "Sign in, sit down, sing: the choir that meets by password",
        "JavaScript is required reading for council clerks",
    ],
)
def test_a_story_about_such_pages_is_an_article(title):
    article = read_page(page(story(), title=title), url=URL)
    assert article.title == title
    assert paragraphs(article.text) == PARAGRAPHS


def test_a_short_brief_is_an_article():
    article = read_page(
        page("<article><p>A man was rescued from the Ayle on Friday. He is well.</p></article>"), url=URL
    )
    assert article.text == "A man was rescued from the Ayle on Friday. He is well."


def test_a_short_brief_among_many_links_is_an_article_where_its_page_is_signed():
    links = "".join(f'<li><a href="/{n}">Another story with a long headline {n}</a></li>' for n in range(30))
    head = '<meta property="og:type" content="article"><meta name="author" content="Ora Finch">'
    brief = "<article><p>A man was rescued from the Ayle on Friday. He is well and has asked for soup.</p></article>"
    article = read_page(page(f"{brief}<ul>{links}</ul>", head=head), url=URL)
    assert article.text == "A man was rescued from the Ayle on Friday. He is well and has asked for soup."


@pytest.mark.parametrize(
    "furniture",
    [
        '<div class="c-related-links"><p>Goat rescued from the bell tower a third time, and not the last</p></div>',
        '<div class="NewsletterBox"><p>Get all the news of the harbour in your letter box on Fridays.</p></div>',
        '<aside><p>The harbour board has eleven members, of whom nine are called Finch.</p></aside>',
        '<p><a href="/goat">Goat rescued from the bell tower for the third time</a></p>',
        '<p><b>Lees ook:</b> <a href="/goat">Geit voor de derde keer uit de toren gered</a></p>',
        '<div><h3><a href="/goat">Goat rescued from the bell tower</a></h3><p>It was the third time.</p></div>',
        "<figure><img><figcaption>The harbour board, photographed at its last meeting but one.</figcaption></figure>",
        "<p>Photograph: Jo Marsh/Harbour Wire</p>",
        "<p>Advertisement</p>",
        "<p>Sign up for our free morning newsletter and read it before the gulls do.</p>",
        "<p>If you buy something through links in this story, we may earn a commission.</p>",
        "<p>Follow us on Instagram and tell your friends.</p>",
        '<div style="display: none"><p>This paragraph is for machines, which are told to look away.</p></div>',
    ],
)  # fmt: skip
def test_furniture_between_paragraphs_is_dropped(furniture):
    assert paragraphs(read_page(page(story(furniture)), url=URL).text) == PARAGRAPHS


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<h2>A pier in pieces</h2>", "A pier in pieces"),
        ("<blockquote><p>A pier is a promise made of wood.</p></blockquote>", "A pier is a promise made of wood."),
        ("<p>No.</p>", "No."),
        ("<ul><li>Oak</li><li>Tar</li></ul>", "- Oak\n- Tar"),
        ("<p>Lamps, ropes<br>and tar</p>", "Lamps, ropes\nand tar"),
        ('<p>See <a href="/x">the minutes</a> for what was said.</p>', "See the minutes for what was said."),
        ("<figure><blockquote><p>I was told to sit down.</p></blockquote></figure>", "I was told to sit down."),
        ("<table><tr><td>Oak</td><td>12</td></tr><tr><td>Tar</td><td>3</td></tr></table>", "Oak | 12\nTar | 3"),
    ],
)  # fmt: skip
def test_what_belongs_to_the_story_is_kept_in_its_place(markup, text):
    assert paragraphs(read_page(page(story(markup)), url=URL).text) == [*PARAGRAPHS[:2], text, *PARAGRAPHS[2:]]


def test_names_under_which_the_story_stands_do_not_set_it_apart():
    wrapped = f'<div class="paywall content-with-sidebar">{story()}</div>'
    assert paragraphs(read_page(page(wrapped), url=URL).text) == PARAGRAPHS


def test_a_name_that_the_whole_article_bears_still_sets_a_small_box_apart():
    box = '<div class="author-box"><p>Ora Finch has covered the harbour board since before it had a harbour.</p></div>'
    named = f'<div class="post author-ora-finch category-harbour">{story(box)}</div>'
    assert paragraphs(read_page(page(named), url=URL).text) == PARAGRAPHS


def test_a_paragraph_with_an_advert_before_it_is_story():
    marked = f'<p class="paragraph has-ad">{FILLER}Nobody noticed the advert.</p>'
    assert f"{FILLER}Nobody noticed the advert." in read_page(page(story(marked)), url=URL).text


def test_the_title_does_not_stand_at_the_head_of_the_text():
    body = f"<article><h2>Harbour board meets</h2>{story()}</article>"
    assert paragraphs(read_page(page(body), url=URL).text) == PARAGRAPHS


def test_byline_and_date_above_the_story_are_dropped():
    head = "<p>By Ora Finch</p><p>Pellworth, 3 May 2024</p><p>Updated 3 May 2024 at 9:15</p>"
    assert paragraphs(read_page(page(f"<article>{head}{story()}</article>"), url=URL).text) == PARAGRAPHS


@pytest.mark.parametrize(
    "standfirst",
    [
        '<div class="article-standfirst">The pier is to be mended, but not this year.</div>',
        "<p>The pier of Pellworth is to be mended at last, but not this year and not by the board.</p>",
        '<h2 class="deck">The pier is to be mended</h2>',
    ],
)
def test_a_standfirst_outside_the_story_comes_first(standfirst):
    text = read_page(page(f'<header>{standfirst}<p class="byline">By Ora Finch</p></header>{story()}'), url=URL).text
    assert paragraphs(text)[0].startswith("The pier")
    assert paragraphs(text)[1:] == PARAGRAPHS


def test_the_body_in_the_linked_data_brings_back_a_paragraph_that_is_set_apart():
    box = f'<div class="infobox"><p>{FILLER}So it says in the minutes.</p></div>'
    body = "\\n".join([*PARAGRAPHS[:2], f"{FILLER}So it says in the minutes.", *PARAGRAPHS[2:]])
    linked = f'<script type="application/ld+json">{{"@type": "NewsArticle", "articleBody": "{body}"}}</script>'
    assert f"{FILLER}So it says in the minutes." not in read_page(page(story(box)), url=URL).text
    assert f"{FILLER}So it says in the minutes." in read_page(page(story(box), head=linked), url=URL).text


def test_a_page_that_a_script_draws_is_read_from_its_linked_data():
    body = "\\n\\n".join(PARAGRAPHS)
    linked = f'<script type="application/ld+json">{{"@type": "NewsArticle", "articleBody": "{body}"}}</script>'
    article = read_page(page('<div id="app"></div><p>Please enable JavaScript.</p>', head=linked), url=URL)
    assert paragraphs(article.text) == PARAGRAPHS


def live_entry(clock: str, text: str) -> str:
    return f'<li class="ticker-entry"><span>{clock}</span><p>{text}</p></li>'


def test_a_live_report_is_known_by_its_entries_where_the_page_does_not_say_so():
    times = ["14.55 Uhr", "14.20 Uhr", "13.45 Uhr", "13.10 Uhr", "12.30 Uhr", "12.00 Uhr"]
    texts = [f"{FILLER}Entry number {number} says so." for number in range(len(times))]
    entries = "".join(live_entry(clock, text) for clock, text in zip(times, texts, strict=True))
    article = read_page(page(f'<main><ul class="live-ticker">{entries}</ul></main>'), url=URL)
    assert paragraphs(article.text) == [line for pair in zip(times, texts, strict=True) for line in pair]


def test_an_entry_of_a_live_report_that_has_no_text_but_a_headline_is_kept():
    entries = [
        f'<article class="update"><time>1{n}:00</time><h2>Board votes again</h2><p>{text}</p></article>'
        for n, text in enumerate(PARAGRAPHS)
    ]
    entries.insert(2, '<article class="update"><time>11:30</time><h2>Lamps go out in the board room</h2></article>')
    linked = (
        '<script type="application/ld+json">{"@type": "LiveBlogPosting", "headline": "Harbour board meets"}</script>'
    )
    text = read_page(page(f"<main>{''.join(entries)}</main>", head=linked), url=URL).text
    assert "11:30\n\nLamps go out in the board room" in text
    assert paragraphs(text)[:3] == ["10:00", "Board votes again", PARAGRAPHS[0]]


def test_a_free_article_is_not_marked_as_paywalled():
    assert "paywalled" not in read_page(page(story()), url=URL).extra


def test_a_stub_is_marked_where_only_the_page_says_so():
    stub = "<article><p>The first sign was the coffee, which was gone on Monday morning.</p></article>"
    article = read_page(page(f"{stub}<div><p>Subscribe to continue reading this story.</p></div>"), url=URL)
    assert article.extra == {"paywalled": True}
    assert article.text == "The first sign was the coffee, which was gone on Monday morning."


def test_a_fragment_without_head_and_body_is_all_story():
    fragment = "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS)
    assert paragraphs(read_page(fragment).text) == PARAGRAPHS


def test_a_text_without_any_markup_is_all_story():
    assert read_page(f"{PARAGRAPHS[0]}\n\n{PARAGRAPHS[1]}").text == f"{PARAGRAPHS[0]}\n\n{PARAGRAPHS[1]}"


def test_the_language_is_the_page_s_own_or_else_detected():
    german = (
        "<p>Der Gemeinderat hat beschlossen, alle öffentlichen Uhren abzuschalten, um im Jahr Strom zu sparen.</p>" * 3
    )
    assert read_page(page(story(), language="en-ZA"), url=URL).language == "en-ZA"
    undeclared = f"<html><head><title>Uhren</title></head><body><h1>Uhren</h1><article>{german}</article></body></html>"
    assert read_page(undeclared, url=URL).language == "de"
