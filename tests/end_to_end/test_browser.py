"""The pages in a real browser: with and without scripts, by keyboard alone, on a phone, and as axe sees them."""

import gzip
import os
import re
import shutil
import threading
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from sample import ARTICLES, FakeEncoder, write_jsonl

from index.build import rebuild, remove
from index.generation import writer_lock
from search.engine import Engine
from web.app import create_app
from web.live import NotReady

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK, TABLET, PHONE = (1280, 900), (768, 1024), (390, 844)
MOST_BYTES = 60_000
# Every size in both themes takes axe a minute and a half; the suite looks at two that differ in both.
SHOWN = [(DESK, "light"), (PHONE, "dark")]
if os.environ.get("DATELINE_EVERY_SIZE"):
    SHOWN = [(size, theme) for size in (DESK, TABLET, PHONE) for theme in ("light", "dark")]
# WCAG 2.2 AA and what axe recommends besides.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = {
    "home": "/",
    "results": "/?q=Canada+peacekeeping",
    "chips": "/?q=ferry+%22gannet+spit%22+-strike+in+2024&source=Coastline+Press",
    "corrected": "/?q=canda+peacekeping",
    "copies": "/?q=ferry+runs+aground&collapse=article&size=3&page=2",
    "article": "/article/{article}?q=Canada+peacekeeping+logistics",
    "compare": "/compare?q=ferry&from=2024-01-01&to=2024-12-31&from2=2025-01-01&to2=2025-12-31",
    "compare, empty": "/compare",
    "nothing": "/?q=%22purple+walrus%22&source=Harbour+Wire",
    "beyond": "/?q=ferry&page=40",
    "bad": "/?q=ferry&from=never",
    "lost": "/article/nobody",
    "docs": "/api/docs",
}

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium here: install it, or set $CHROMIUM")


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(app):
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def address(engine, seeds_index):
    with served(create_app(lambda: engine, seeds_index)) as found:
        yield found


@pytest.fixture(scope="module")
def starting(tmp_path_factory):
    """A server whose index is not open yet."""

    def engine():
        raise NotReady("The index is being opened. Try again in a moment.")

    with served(create_app(engine, tmp_path_factory.mktemp("none"))) as found:
        yield found


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A server over an index without articles, to which somebody is writing."""
    root = tmp_path_factory.mktemp("empty")
    rebuild(root, [str(write_jsonl(root / "one.jsonl", ARTICLES[:1]))], lambda name: FakeEncoder())
    remove(root, [ARTICLES[0]["id"]])
    engine = Engine.open(root, lambda name: FakeEncoder())
    with writer_lock(root), served(create_app(lambda: engine, root)) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser):
    """Opens a page that may ask nobody but the server, and on which no script fails."""
    contexts, hosts, failures = [], set(), []

    def open_page(size, **settings):
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda asked: hosts.add(asked.url.split("/")[2].split(":")[0]))
        page.on("pageerror", lambda error: failures.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert hosts <= {"127.0.0.1"}
    assert not failures


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(request, opened):
    """Without scripts, as the pages must work."""
    return opened(request.param, java_script_enabled=False)


@pytest.fixture
def live_page(opened):
    return opened(DESK)


@pytest.fixture(scope="module")
def article(engine):
    return engine.search("Canada peacekeeping logistics").hits[0].article.id


def fits(page):
    return page.locator("body").bounding_box()["width"] <= page.viewport_size["width"]


def asked(page):
    return parse_qs(urlsplit(page.url).query)


def follow(page, link):
    """Click, and wait for the page that it leads to: what is counted before that was counted in half a page."""
    with page.expect_navigation():
        link.click()


def test_from_the_search_box_to_the_marked_passage(page, address):
    page.goto(address)
    page.get_by_role("searchbox").fill("Canada peacekeeping logistics")
    with page.expect_navigation():
        page.get_by_role("searchbox").press("Enter")
    first = page.locator(".hits li").first
    assert "Canada would most likely help with logistics" in first.inner_text()
    assert first.locator(".best").count()
    assert fits(page)
    follow(page, first.get_by_role("link").first)
    answer = page.locator(".answer")
    assert "Canada would most likely help with logistics" in answer.inner_text()
    # The link leads to the passage, not to the top of the article.
    assert 0 <= answer.bounding_box()["y"] < page.viewport_size["height"]
    assert fits(page)
    follow(page, page.get_by_role("link", name="Results for “Canada peacekeeping logistics”"))
    assert page.locator(".hits").is_visible()


def test_filters_narrow_and_come_off_again(page, address):
    page.goto(f"{address}/?q=mayor")
    before = page.locator(".hits li").count()
    follow(page, page.get_by_role("link", name="2024", exact=True))
    assert asked(page)["from"] == ["2024-01-01"]
    assert all("2024" in text for text in page.locator(".hits time").all_inner_texts())
    follow(page, page.get_by_role("link", name=re.compile("^2024.*take it off")))
    assert page.locator(".hits li").count() == before
    source = page.locator(".hits .source").first.inner_text()
    follow(page, page.locator("aside").get_by_role("link", name=source))
    assert set(page.locator(".hits .source").all_inner_texts()) == {source}
    follow(page, page.locator("aside").get_by_role("link", name=re.compile(f"{source}.*take it off")))
    assert page.locator(".hits li").count() == before


def test_dates_can_be_picked_and_a_new_search_keeps_them(page, address):
    page.goto(f"{address}/?q=mayor&source=Maddern+Port+Observer")
    page.get_by_label("From").fill("2024-01-01")
    follow(page, page.get_by_role("button", name="Apply"))
    assert asked(page)["q"] == ["mayor"]
    assert asked(page)["from"] == ["2024-01-01"]
    assert asked(page)["source"] == ["Maddern Port Observer"]


def test_pages_turn_and_the_way_back_leads_to_the_same_page(page, address):
    page.goto(f"{address}/?q=ferry&size=3")
    follow(page, page.get_by_role("link", name="Next →"))
    ranks = page.locator(".hits").get_attribute("start")
    title = page.locator(".hits h2").first.inner_text()
    follow(page, page.locator(".hits h2 a").first)
    follow(page, page.get_by_role("link", name="Results for"))
    assert ranks == page.locator(".hits").get_attribute("start") == "4"
    assert page.locator(".hits h2").first.inner_text() == title


def test_a_bar_of_the_timeline_is_a_link_and_so_is_its_row(page, address):
    page.goto(f"{address}/?q=mayor")
    page.get_by_text("Timeline as a table").click()
    row = page.locator(".timeline table tbody tr").first
    follow(page, row.get_by_role("link"))
    assert asked(page)["from"]
    page.goto(f"{address}/?q=mayor")
    bar = page.locator(".timeline svg a").last
    expected = bar.get_attribute("data-from")
    follow(page, bar.locator(".hit"))
    assert asked(page)["from"] == [expected]


def test_two_years_side_by_side(page, address):
    page.goto(address + PAGES["compare"])
    assert page.locator(".sides h2").all_inner_texts() == ["2024", "2025"]
    left, right = page.locator(".sides > section").all()
    assert all("2024" in text for text in left.locator(".hits time").all_inner_texts())
    assert all("2025" in text for text in right.locator(".hits time").all_inner_texts())
    assert fits(page)


def test_dragging_over_the_timeline_chooses_a_time(live_page, address):
    live_page.goto(f"{address}/?q=mayor")
    bars = live_page.locator(".timeline svg a")
    first, last = bars.nth(0), bars.nth(bars.count() // 2)
    expected = [first.get_attribute("data-from")], [last.get_attribute("data-to")]
    begin, end = (bar.locator(".hit").bounding_box() for bar in (first, last))
    live_page.mouse.move(begin["x"] + 1, begin["y"] + 20)
    live_page.mouse.down()
    live_page.mouse.move(end["x"] + end["width"] / 2, end["y"] + 25, steps=4)
    with live_page.expect_navigation():
        live_page.mouse.up()
    assert (asked(live_page)["from"], asked(live_page)["to"]) == expected


def test_everything_by_keyboard(live_page, address):
    keys = live_page.keyboard
    live_page.goto(f"{address}/?q=mayor")
    keys.press("/")
    keys.type("Canada peacekeeping logistics")
    with live_page.expect_navigation():
        keys.press("Enter")
    links = live_page.locator(".hits h2 a")
    # The box has the focus that it had, and the first result is one arrow away.
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    keys.press("ArrowUp")
    assert links.nth(0).evaluate("link => link === document.activeElement")
    with live_page.expect_navigation():
        keys.press("Enter")
    keys.press("n")
    assert live_page.locator(":focus").evaluate("one => one.matches('section.match')")
    keys.press("Escape")
    assert live_page.locator("#q").input_value() == ""
    assert live_page.locator("#q").evaluate("box => box === document.activeElement")


def test_keys_of_one_character_can_be_turned_off(live_page, address):
    live_page.goto(f"{address}/?q=mayor")
    live_page.locator("footer summary").click()
    live_page.get_by_label("Keys of one character are on").uncheck()
    live_page.reload()
    live_page.keyboard.press("/")
    assert not live_page.locator("#q").evaluate("box => box === document.activeElement")
    # Arrows scroll, unless the box or a result has the focus.
    live_page.keyboard.press("ArrowDown")
    assert not live_page.locator(".hits a:focus").count()
    live_page.locator("footer summary").click()
    assert not live_page.get_by_label("Keys of one character are on").is_checked()


def test_suggestions_while_typing(live_page, address):
    live_page.goto(address)
    live_page.locator("#q").press_sequentially("harb")
    options = live_page.get_by_role("option")
    options.first.wait_for()
    assert "Harbour Wire" in options.first.inner_text()
    live_page.keyboard.press("ArrowDown")
    assert live_page.locator("#q").input_value() == 'source:"Harbour Wire"'
    assert live_page.locator("#q").get_attribute("aria-activedescendant") == options.first.get_attribute("id")
    live_page.keyboard.press("Escape")
    assert live_page.locator("#q").input_value() == "harb"
    assert options.count() == 0
    live_page.keyboard.type("o")
    options.last.wait_for()
    follow(live_page, options.last)
    assert asked(live_page)["q"][0] != "harbo"


def test_addresses_hold_only_what_was_chosen(live_page, address):
    live_page.goto(f"{address}/?q=mayor")
    with live_page.expect_navigation():
        live_page.locator("#q").press("Enter")
    assert asked(live_page) == {"q": ["mayor"]}


def test_a_citation_and_a_link_to_the_passage_can_be_copied(opened, address, article):
    page = opened(DESK, permissions=["clipboard-read", "clipboard-write"])
    page.goto(address + PAGES["article"].format(article=article))
    page.get_by_role("button", name="Copy the citation").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#citation").inner_text()
    link = page.locator(".answer").get_by_role("link", name="Link to this passage")
    expected = link.get_attribute("href")
    link.click()
    page.get_by_text("Copied").nth(1).wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == expected
    page.goto(expected)
    assert 0 <= page.locator(".answer").bounding_box()["y"] < DESK[1]


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/", "Find the paragraph"),
        ('/?q="purple walrus"', "Nothing found"),
        ("/?q=ferry&from=never", "That search cannot be run"),
        ("/article/nobody", "Not found"),
        ("/compare", "Two periods or two sources, side by side"),
        ("/api/docs", "The API"),
    ],
)
def test_every_other_state_has_its_own_page(page, address, path, heading):
    page.goto(address + path)
    assert page.get_by_role("heading", level=1).inner_text() == heading
    assert fits(page)


def test_a_server_without_articles_or_without_an_index_says_what_is_the_matter(page, empty, starting):
    page.goto(empty)
    assert page.get_by_role("heading", level=1).inner_text() == "Nothing here yet"
    assert "is being written to" in page.get_by_role("status").inner_text()
    assert fits(page)
    page.goto(f"{starting}/?q=ferry")
    assert page.get_by_role("heading", level=1).inner_text() == "Not ready yet"
    assert page.locator("#q").input_value() == "ferry"
    assert fits(page)


@pytest.mark.parametrize(
    ("size", "theme"), SHOWN, ids=lambda value: str(value[0]) if isinstance(value, tuple) else value
)
def test_axe_finds_nothing_on_any_page(opened, address, empty, starting, article, size, theme):
    from axe_playwright_python.sync_playwright import Axe

    # axe is a script of another origin than the pages allow.
    page = opened(size, color_scheme=theme, bypass_csp=True, reduced_motion="reduce")
    found = {}
    pages = {name: address + path.format(article=article) for name, path in PAGES.items()}
    for name, where in (pages | {"empty": empty, "starting": starting}).items():
        page.goto(where)
        for details in page.locator("details").all():
            details.evaluate("one => { one.open = true }")
        result = Axe().run(page, options={"runOnly": RULES})
        if result.violations_count:
            found[name] = result.generate_report()
        if not fits(page):
            found[name, "width"] = page.evaluate("document.documentElement.scrollWidth")
    assert not found


def test_pages_weigh_little(opened, address, article):
    page = opened(DESK)
    bodies = []
    page.on("response", lambda answer: bodies.append(answer.body()) if answer.status == 200 else None)
    weights = {}
    for name in ("home", "results", "copies", "article", "compare"):
        bodies.clear()
        page.goto(address + PAGES[name].format(article=article), wait_until="networkidle")
        weights[name] = sum(len(gzip.compress(body)) for body in bodies)
    assert max(weights.values()) < MOST_BYTES
