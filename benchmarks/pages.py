"""How long a browser takes from a page's answer to the first result on the screen, and what a page weighs.

    python benchmarks/pages.py INDEX [--query TEXT …] [--repeat N] [--json FOLDER]

Needs Chromium (or $CHROMIUM) and Playwright. `painted_ms` is the time from the last byte of a page to its largest
contentful paint, which on a page of results is the text of the first one, where the page is the second of a visit, as
results are: the first was the home page. `alone_ms` is the same in a browser that has been nowhere before, with an
empty cache. The baseline, in the same run, is the same answer as one bare paragraph without style or script, from a
server that does nothing else: what this machine and this browser take for any page.
"""

import argparse
import html
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
      bytes: files.reduce((sum, file) => sum + file.encodedBodySize, 0),
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
    with sync_playwright() as playwright, plain_server(bare) as plain:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])

        def visited(*addresses: str) -> dict[str, Any]:
            """What was measured of the last of these, opened one after the other."""
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            page = context.new_page()
            for one in addresses:
                page.goto(one, wait_until="load")
            found: dict[str, Any] = page.evaluate(MEASURE)
            context.close()
            return found

        wanted = {"baseline": [(plain, plain)]} | {
            name: [(address, address + path) for path in paths] for name, paths in pages.items()
        }
        for name, visits in wanted.items():
            after = [visited(*visit) for visit in visits for _ in range(repeat)]
            alone = [visited(last) for _, last in visits for _ in range(repeat)]
            figures[name] = {
                "painted_ms": round(median(one["painted"] for one in after), 1),
                "painted_worst_ms": round(max(one["painted"] for one in after), 1),
                "alone_ms": round(median(one["painted"] for one in alone), 1),
                "bytes": max(one["bytes"] for one in alone),
            }
        browser.close()
    return figures


@contextmanager
def plain_server(text: str) -> Iterator[str]:
    """The address of a page that is one paragraph."""
    body = f"<!doctype html><title>bare</title><p>{html.escape(text)}".encode()

    class Plain(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Plain) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


if __name__ == "__main__":
    main()
