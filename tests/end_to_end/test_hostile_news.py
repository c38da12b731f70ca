"""News that would like to run in a real browser, and does not."""

from urllib.parse import quote

import hostile_news
import pytest
from sample import FakeEncoder
from test_browser import CHROMIUM, DESK, browser, served  # noqa: F401 - a fixture

from index.build import rebuild
from search.engine import Engine
from web.app import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium here: install it, or set $CHROMIUM")
ATTACK = f"zeppelin {hostile_news.SHORT}"
PAGES = (
    "/", hostile_news.EVERYTHING, f"/?q={quote(ATTACK)}", f"/?q=zeppelin&source={quote(hostile_news.SHORT)}",
    f"/compare?q={quote(ATTACK)}&source={quote(hostile_news.SHORT)}", "/compare?q=zeppelin",
    *(f"/article/{quote(id, safe='')}?q={quote(ATTACK)}" for id in (*hostile_news.ids(), "url 0", "url 14")),
    f"/embed/{quote('url 0')}?q={quote(ATTACK)}", f"/{quote(hostile_news.SHORT)}", f"/?q=zeppelin&from={quote(ATTACK)}",
    f"/api/docs?q={quote(ATTACK)}",
)  # fmt: skip
AS_DATA = (
    f"/api/v1/search?q={quote(ATTACK)}", f"/suggest.json?q={quote(ATTACK)}", "/feed.atom?q=zeppelin",
    f"/api/v1/{quote(hostile_news.SHORT)}", "/api/v1/articles/url%200",
)  # fmt: skip
# Tells of code that ran: a flag of the page, a dialog, or a window that was left. What the policy stopped would
# mean that markup was made of text, and that only the policy was in its way.
WATCH = """
window.stopped = [];
addEventListener("securitypolicyviolation", (event) => window.stopped.push(event.violatedDirective));
"""
INJECTIONS = (
    'const script = document.createElement("script"); script.append("window.pwned = 1"); document.body.append(script);',
    'const link = document.createElement("a"); link.setAttribute("onclick", "window.pwned = 1"); link.click();',
    "document.body.innerHTML += \"<img src=x onerror='window.pwned = 1'>\";",
    'const frame = document.createElement("iframe"); frame.src = "javascript:parent.pwned = 1";'
    " document.body.append(frame);",
    'location = "javascript:window.pwned = 1";',
    'const far = document.createElement("script"); far.src = "http://127.0.0.1:9/a.js"; document.body.append(far);',
)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    rebuild(folder / "index", [str(hostile_news.write(folder / "news.jsonl"))], lambda name: FakeEncoder())
    engine = Engine.open(folder / "index", lambda name: FakeEncoder())
    with served(create_app(lambda: engine, folder / "index")) as found:
        yield found
    engine.close()


@pytest.fixture
def page(browser, address):  # noqa: F811
    """A page that notes whatever should not happen."""
    context = browser.new_context(viewport={"width": DESK[0], "height": DESK[1]})
    context.add_init_script(WATCH)
    shown = context.new_page()
    shown.happened = []
    shown.on("dialog", lambda dialog: (shown.happened.append(f"dialog {dialog.message}"), dialog.dismiss()))
    shown.on("pageerror", lambda error: shown.happened.append(f"error {error}"))
    shown.on("popup", lambda other: shown.happened.append(f"popup {other.url}"))
    shown.on(
        "request",
        lambda asked: None if asked.url.startswith(address) else shown.happened.append(f"asked {asked.url}"),
    )  # fmt: skip
    yield shown
    context.close()


def settled(page):
    """What has happened on a page, once whatever loads with it has loaded."""
    page.wait_for_load_state("load")
    found = [*page.happened, *page.evaluate("window.stopped")]
    return found + ["pwned"] * bool(page.evaluate("window.pwned"))


def test_nothing_in_a_page_runs_asks_elsewhere_or_is_stopped_in_trying(page, address):
    for path in PAGES:
        page.goto(address + path)
        assert settled(page) == [], path
        assert page.locator(hostile_news.PROBE).count() == 0, path
        assert page.locator("iframe, object, embed, base, img, [style], [onfocus], [onerror]").count() == 0, path
        for link in page.locator("a[href]").evaluate_all("links => links.map(link => link.protocol)"):
            assert link.startswith(("http:", "https:")), (path, link)


def test_what_programs_ask_for_is_not_shown_as_a_page(page, address):
    for path in AS_DATA:
        page.goto(address + path)
        assert settled(page) == [], path
        assert page.locator(f"{hostile_news.PROBE}, script:not([src^='chrome'])").count() == 0, path


def test_suggestions_are_text(page, address):
    page.goto(address)
    page.locator("#q").press_sequentially("zepp", delay=20)
    page.locator("#suggestions li").first.wait_for()
    assert "<script>" in page.locator("#suggestions").inner_text()
    page.locator("#q").press("ArrowDown")
    assert page.locator(f"#suggestions {hostile_news.PROBE}").count() == 0
    assert settled(page) == []


def test_the_policy_would_stop_a_script_if_one_got_in(page, address):
    """The second wall holds by itself: markup that is put into a page cannot run."""
    page.goto(f"{address}/?q=zeppelin")
    for attempt in INJECTIONS:
        page.evaluate(f"() => {{ try {{ {attempt} }} catch (refused) {{ window.stopped.push(String(refused)); }} }}")
    page.wait_for_timeout(100)
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("window.stopped.length") >= len(INJECTIONS)


def test_other_sites_cannot_show_our_pages_in_a_frame_but_cards(page, address):
    with served(lambda environ, start: (start("200 OK", [("Content-Type", "text/html")]), [b"<body>"])[1]) as elsewhere:
        page.goto(elsewhere)
        framed = """(source) => new Promise(done => {
            const frame = document.createElement("iframe");
            frame.src = source;
            frame.onload = () => done();
            document.body.append(frame);
        })"""
        for path in ("/?q=zeppelin", "/article/url%200", "/embed/url%200"):
            page.evaluate(framed, address + path)
    shown = [frame.url for frame in page.frames[1:]]
    assert sum("/embed/" in url for url in shown) == 1
    assert all(url.startswith("chrome-error:") for url in shown if "/embed/" not in url)
