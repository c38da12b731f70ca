"""Searches as files: every match, streamed row by row, as CSV for people and JSON lines for programs."""

import csv
import json
import logging
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from io import StringIO
from itertools import chain

from flask import Blueprint, Response, request

from search.hits import Hit
from search.query import SearchRequest
from search.results import hit_json
from web.addresses import asked_for
from web.current import current_engine
from web.schemas import SearchParameters

log = logging.getLogger(__name__)
exports = Blueprint("exports", __name__)

# Rows go out in parts: single rows would cost a system call each, long parts would let memory show them.
_PART_BYTES = 32 * 1024
_LONGEST_SLUG = 40
COLUMNS = (
    "rank", "score", "title", "source", "published", "authors", "language", "url", "article_id", "passage_id",
    "passage", "best_sentence", "copies",
)  # fmt: skip
# Spreadsheets take UTF-8 for their own code page unless the file begins with this; programs have JSON lines.
_BYTE_ORDER_MARK = "\ufeff"
# Control characters and half characters; those that separate words or lines are left for spaces to take their place.
_STRAY = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
# What makes a spreadsheet calculate a cell, in any width; nothing that can be seen stands before it. The minus sign of
# typography is among them because some programs read it as a hyphen.
_FORMULA = re.compile(
    r"[\s\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*(?=[=+\-@＝﹦＋﹢－﹣−＠﹫])"
)
# Some programs end a line at these too.
_OTHER_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}

Row = Callable[[Hit], str]


@exports.get("/export.csv")
def export_csv() -> Response:
    """Every match of a search as a row of a table."""
    table = _Table()
    return _streamed(_asked(), "csv", "text/csv; charset=utf-8", table.row, _BYTE_ORDER_MARK + table.line(COLUMNS))


@exports.get("/export.jsonl")
def export_jsonl() -> Response:
    """Every match of a search as a line of JSON, in the shape of the API's results."""
    asked = _asked()
    return _streamed(asked, "jsonl", "application/jsonl; charset=utf-8", partial(_json_line, explain=asked.explain))


def _asked() -> SearchRequest:
    """The search that is asked for; it has no pages here."""
    return replace(SearchParameters.model_validate(asked_for()).request(), page=1)


def _streamed(asked: SearchRequest, ending: str, content_type: str, row: Row, head: str = "") -> Response:
    """The rows of a search. What is wrong with it is raised before anything is sent."""
    engine = current_engine()
    matches = engine.matches(asked)
    rows: Iterator[bytes] = iter(())
    if request.method != "HEAD":
        parts = _in_parts(map(row, matches.hits), head)
        rows = _told_of_failure(chain([next(parts)], parts))
    response = Response(rows, content_type=content_type)
    name = f"dateline-{_slug(asked.query)}-{date.today().isoformat()}.{ending}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _in_parts(rows: Iterator[str], head: str) -> Iterator[bytes]:
    """Rows as bytes, many at a time, the first alone so that it comes at once; at least one part."""
    yield (head + next(rows, "")).encode("utf-8", "backslashreplace")
    part = bytearray()
    for row in rows:
        part += row.encode("utf-8", "backslashreplace")
        if len(part) >= _PART_BYTES:
            yield bytes(part)
            part.clear()
    if part:
        yield bytes(part)


def _told_of_failure(parts: Iterator[bytes]) -> Iterator[bytes]:
    """`parts`, and a word in the log if they break off.

    The failure goes on to the web server, which cuts the connection: nobody takes half a file for a whole one.
    """
    try:
        yield from parts
    except Exception:
        log.exception("an export broke off")
        raise


class _Table:
    """Lines of CSV (RFC 4180), one a hit. Cells hold no line breaks and nothing that a spreadsheet calculates."""

    def __init__(self) -> None:
        self._buffer = StringIO()
        self._writer = csv.writer(self._buffer)

    def line(self, cells: tuple[str | int | float, ...]) -> str:
        """One line, its end included."""
        self._writer.writerow(cells)
        line = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return line

    def row(self, hit: Hit) -> str:
        """The line of a hit."""
        article = hit.article
        texts = (
            article.title, article.source or "", article.published or "", "; ".join(article.authors),
            article.language or "", article.url or "", article.id, hit.passage_id, hit.text,
            hit.text[slice(*hit.best_sentence)],
        )  # fmt: skip
        return self.line((hit.rank, hit.score, *map(safe_cell, texts), len(hit.copies)))


def safe_cell(text: str) -> str:
    """`text` on one line, without control characters, and with an apostrophe before what would be a formula.

    Some spreadsheets take a semicolon for the end of a cell, so what follows one begins a cell too.
    """
    cell = " ".join(_STRAY.sub("", text).split())
    return ";".join(map(_said_as_text, cell.split(";")))


def _said_as_text(part: str) -> str:
    blank = _FORMULA.match(part)
    return f"{blank.group()}'{part[blank.end() :]}" if blank else part


def _json_line(hit: Hit, *, explain: bool) -> str:
    line = json.dumps(hit_json(hit, explain=explain), ensure_ascii=False)
    return line.translate(_OTHER_LINE_ENDS) + "\n"


def _slug(query: str) -> str:
    """What of a query can stand in any file name."""
    plain = unicodedata.normalize("NFKD", query).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_SLUG].strip("-") or "search"
