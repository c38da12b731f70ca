"""How long a browser takes from a page's answer to the first result on the screen, and what a page weighs.

    python benchmarks/pages.py INDEX [--query TEXT …] [--repeat N] [--json FOLDER]

Needs Chromium (or $CHROMIUM) and Playwright. Each page is opened with an empty cache. `painted_ms` is the time from
the last byte of the page to its largest contentful paint, which on a page of results is the text of the first one;
`first_paint_ms` to the first thing painted. The baseline, in the same run, is the same answer as one bare paragraph
without style or script: what this machine and this browser take for any page.
"""

import argparse
import html
import os
import shutil
import sys
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote_plus

from playwright.sync_api import sync_playwright
from report import save
from served import Server

QUERIES = ("Canada peacekeeping", "ferry strike", "bank of canada rate", "election results", "flood damage")
MEASURE = """() => new Promise(tell => {
  new PerformanceObserver(list => {
    const page = performance.getEntriesByType("navigation")[0];
    const files = [page, ...performance.getEntriesByType("resource")];
    const largest = list.getEntries().at(-1);
    tell({
      painted: largest.startTime - page.responseEnd,
      first: performance.getEntriesByName("first-contentful-paint")[0].startTime - page.responseEnd,
      bytes: files.reduce((sum, file) => sum + file.encodedBodySize, 0),
      element: largest.element ? largest.element.className || largest.element.tagName : "",
    });
  }).observe({ type: "largest-contentful-paint", buffered: true });
})"""


def main() -> None:
    """Opens pages, prints what was measured and keeps it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--query", action="append", help="What to search for; may be repeated.")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="Write pages.json there.")
    told = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        sys.exit("Chromium is not installed: install it, or set $CHROMIUM.")
    queries = told.query or QUERIES
    with Server(told.index) as server:
        address = f"http://127.0.0.1:{server.port}"
        article = server.search(queries[0], size=1)["results"][0]["article"]["id"]
        pages = {
            "home": ["/"],
            "results": [f"/?q={quote_plus(query)}" for query in queries],
            "article": [f"/article/{article}?q={quote_plus(queries[0])}"],
        }
        bare = "".join(result["passage"]["text"] for result in server.search(queries[0])["results"])
        figures = measured(chromium, address, pages, bare, told.repeat)
    for name, found in figures.items():
        print(f"{name:9} " + "  ".join(f"{key} {value}" for key, value in found.items()))
    if told.json:
        save("pages", {"repeat": told.repeat, "pages": figures}, told.json)


def measured(chromium: str, address: str, pages: dict[str, list[str]], bare: str, repeat: int) -> dict[str, Any]:
    """Medians by page; `bare` is the text of the baseline."""
    figures: dict[str, Any] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])

        def opened(path: str, body: str | None = None) -> dict[str, Any]:
            context = browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)
            page = context.new_page()
            if body is not None:
                page.route("**/*", lambda route: route.fulfill(content_type="text/html", body=body))
            page.goto(address + path, wait_until="load")
            found: dict[str, Any] = page.evaluate(MEASURE)
            context.close()
            return found

        plain = f"<!doctype html><title>bare</title><p>{html.escape(bare)}"
        runs = {"baseline": [opened("/bare", plain) for _ in range(repeat)]}
        for name, paths in pages.items():
            runs[name] = [opened(path) for path in paths for _ in range(repeat)]
        browser.close()
    for name, found in runs.items():
        figures[name] = {
            "painted_ms": round(median(one["painted"] for one in found), 1),
            "painted_worst_ms": round(max(one["painted"] for one in found), 1),
            "first_paint_ms": round(median(one["first"] for one in found), 1),
            "bytes": max(one["bytes"] for one in found),
        }
    return figures


if __name__ == "__main__":
    main()
