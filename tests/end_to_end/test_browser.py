"""The search page in a real browser."""

import os
import shutil
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from web.app import create_app

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium here: install it, or set $CHROMIUM")


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(engine, seeds_index):
    with make_server("127.0.0.1", 0, create_app(lambda: engine, seeds_index), handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["desk", "phone"])
def page(request, browser):
    width, height = request.param
    # Without scripts, as the page must work.
    context = browser.new_context(viewport={"width": width, "height": height}, java_script_enabled=False)
    hosts: set[str] = set()
    page = context.new_page()
    page.on("request", lambda asked: hosts.add(asked.url.split("/")[2].split(":")[0]))
    yield page
    assert hosts == {"127.0.0.1"}
    context.close()


def fits(page):
    return page.locator("body").bounding_box()["width"] <= page.viewport_size["width"]


def test_from_the_search_box_to_the_marked_passage(page, address):
    page.goto(address)
    page.get_by_role("searchbox").fill("Canada peacekeeping logistics")
    page.get_by_role("searchbox").press("Enter")
    first = page.locator(".hits li").first
    assert (
        "Canada would most likely help with logistics" in first.locator(".best").first.inner_text() + first.inner_text()
    )
    assert fits(page)
    first.get_by_role("link").first.click()
    answer = page.locator(".answer")
    assert "Canada would most likely help with logistics" in answer.inner_text()
    # The link leads to the passage, not to the top of the article.
    assert 0 <= answer.bounding_box()["y"] < page.viewport_size["height"]
    assert fits(page)


def test_filters_narrow_and_come_off_again(page, address):
    page.goto(f"{address}/?q=mayor")
    before = page.locator(".hits li").count()
    page.get_by_role("link", name="2024", exact=True).click()
    assert "from=2024-01-01" in page.url
    assert all("2024" in text for text in page.locator(".hits time").all_inner_texts())
    page.get_by_role("link", name="Any date").click()
    assert page.locator(".hits li").count() == before


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/", "Find the paragraph"),
        ('/?q="purple walrus"', "Nothing found"),
        ("/?q=ferry&from=never", "That search cannot be run"),
        ("/article/nobody", "Not found"),
        ("/api/docs", "The API"),
    ],
)
def test_every_other_state_has_its_own_page(page, address, path, heading):
    page.goto(address + path)
    assert page.get_by_role("heading", level=1).inner_text() == heading
    assert fits(page)
