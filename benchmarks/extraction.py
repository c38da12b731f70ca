"""Dateline's articles of labelled web pages beside those of plain trafilatura, in one run.

    python benchmarks/extraction.py [DATA] [--scorer SCRIPT] [--rounds N] [--json]

DATA holds folders with truth.jsonl (page, text and, where known, title, authors, published) and
html/PAGE.html.gz; the default is ../shared/data beside this repository. For each folder the scorer's
figures: text precision, recall and F1 over 4-word shingles, titles and days that agree, F1 of authors. Then
pages per second: Dateline in two reading processes as `dateline add` reads, their start counted,
against trafilatura.bare_extraction(with_metadata=True) in this process, warm. Ends with a line that
says why where there is no data.
"""

import argparse
import gzip
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trafilatura import bare_extraction

from index.errors import SourceError
from index.extraction import read_page
from index.reading.documents import Document
from index.reading.pool import read_all

SHARED = Path(__file__).parent.parent.parent / "shared"
SETS = ("pages", "publishers")
COLUMNS = ("precision", "recall", "f1", "title", "date", "authors")
WORKERS = 2
REPEATS = 2
"""Of all pages in one round: the start of the processes should not weigh more than it does in use."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """A labelled page as it was fetched."""

    name: str
    url: str | None
    data: bytes


def pages_of(folder: Path) -> list[Page]:
    """The pages that a folder has labels for."""
    labels = [json.loads(line) for line in (folder / "truth.jsonl").read_text("utf-8").splitlines()]
    return [
        Page(name := label["page"], label.get("url"), gzip.decompress((folder / f"html/{name}.html.gz").read_bytes()))
        for label in labels
    ]  # fmt: skip


def dateline(page: Page) -> Record:
    """What Dateline reads of a page; nothing where it refuses it."""
    try:
        article = read_page(page.data, page.url)
    except SourceError:
        return {}
    return {
        "text": article.text,
        "title": article.title,
        "authors": list(article.authors),
        "published": article.published,
    }


def trafilatura(page: Page) -> Record:
    """What trafilatura reads of a page."""
    found = bare_extraction(page.data, url=page.url, with_metadata=True)
    if found is None:
        return {}
    authors = [name.strip() for name in (found.author or "").split(";") if name.strip()]
    return {"text": found.text, "title": found.title, "authors": authors, "published": found.date}


def scored(folder: Path, pages: Sequence[Page], read: Callable[[Page], Record], scorer: Path) -> Record:
    """The scorer's figures for all pages of a folder."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as extracted:
        for page in pages:
            print(json.dumps({"page": page.name, **read(page)}), file=extracted)
        extracted.flush()
        command = [sys.executable, str(scorer), str(folder / "truth.jsonl"), extracted.name]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(shown))


def speeds(pages: Sequence[Page], rounds: int) -> Record:
    """Pages per second of both: the best of some rounds in turn, so that a busy machine harms both alike.

    And milliseconds of processor time for each page, which a busy machine changes less.
    """
    documents = [Document(page.name, "html", page.data, len(page.data), url=page.url) for page in pages] * REPEATS
    ours, theirs = Clock(), Clock()
    for _ in range(rounds):
        with ours.running(len(documents)):
            for _ in read_all(iter(documents), WORKERS):
                pass
        with theirs.running(len(documents)):
            for document in documents:
                bare_extraction(document.data, url=document.url, with_metadata=True)
    return {
        "pages": len(documents),
        "rounds": rounds,
        "dateline": round(ours.best, 1),
        "trafilatura": round(theirs.best, 1),
        "ratio": round(ours.best / theirs.best, 2),
        "dateline_cpu_ms": round(ours.least_work, 1),
        "trafilatura_cpu_ms": round(theirs.least_work, 1),
    }


@dataclass(slots=True)
class Clock:
    """The best of several runs: pages per second, and milliseconds of processor time for a page."""

    best: float = 0.0
    least_work: float = float("inf")

    @contextmanager
    def running(self, pages: int) -> Iterator[None]:
        """Times what is done within, for so many pages; work in other processes counts once they ended."""
        begin, work = time.perf_counter(), _processor_seconds()
        yield
        self.best = max(self.best, pages / (time.perf_counter() - begin))
        self.least_work = min(self.least_work, 1000 * (_processor_seconds() - work) / pages)


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main() -> None:
    """The tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=SHARED / "data")
    parser.add_argument("--scorer", type=Path, default=SHARED / "tools" / "score_extraction.py")
    parser.add_argument("--rounds", type=int, default=3, help="of measuring the speeds, in turn")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    folders = [folder for name in SETS if (folder := options.data / name).is_dir()]
    if not folders or not options.scorer.is_file():
        print(f"skipped: no labelled pages in {options.data} or no scorer at {options.scorer}")
        return
    sets = {folder: pages_of(folder) for folder in folders}
    readers = {"dateline": dateline, "trafilatura": trafilatura}
    figures = {
        folder.name: {name: scored(folder, pages, read, options.scorer) for name, read in readers.items()}
        for folder, pages in sets.items()
    }
    speed = speeds([page for pages in sets.values() for page in pages], options.rounds)
    if options.json:
        print(json.dumps({"quality": figures, "speed": speed}))
        return
    print(f"{'set':<12}{'reader':<13}" + "".join(f"{column:>11}" for column in COLUMNS))
    for folder_name, rows in figures.items():
        for name, row in rows.items():
            cells = (f"{row[column]:.4f}" if column in row else "-" for column in COLUMNS)
            print(f"{folder_name:<12}{name:<13}" + "".join(f"{cell:>11}" for cell in cells))
    print(f"\npages per second, best of {speed['rounds']} rounds of {speed['pages']} pages")
    print(f"dateline in {WORKERS} processes {speed['dateline']}, trafilatura in one {speed['trafilatura']}")
    print(f"ratio {speed['ratio']}")
    print(f"processor time a page: {speed['dateline_cpu_ms']} ms, {speed['trafilatura_cpu_ms']} ms")


if __name__ == "__main__":
    main()
