"""Trafilatura: the extraction that ours starts from. The one module that knows it."""

import logging
from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# It reports each page that it cannot read; here the caller's reason says so.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)


def baseline_paragraphs(tree: "HtmlElement") -> list[str]:
    """The paragraphs that trafilatura takes for the article; [] where it finds none or fails.

    Its own extractor in recall mode, without the two others that it runs for comparison: on the
    development pages that loses nothing once `body` has chosen among the paragraphs, and takes half the
    time. The tree is left as it is.
    """
    from trafilatura import bare_extraction

    try:
        found = bare_extraction(tree, fast=True, favor_recall=True, include_comments=False)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - lists nested a thousand deep and the like: the page's own markup must do
        return []
    return [line for line in (found.text or "").split("\n") if line.strip()] if found else []


def baseline_metadata(tree: "HtmlElement", url: str | None = None) -> Mapping[str, Any]:
    """What trafilatura reads of title, author, sitename, description and so on; not its date, which is slow."""
    from trafilatura.metadata import extract_metadata

    found = extract_metadata(copy(tree), url, {"extensive_search": False}, True)
    return {name: value for name, value in found.as_dict().items() if value}
