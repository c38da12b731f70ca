"""Pages that are no articles, and articles that are only the beginning of one.

A page wrongly refused is an article lost, so no single sign refuses one: error, login and consent
pages are short besides what they say, and lists of articles hold next to no text of their own.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from index.extraction import phrases
from index.extraction.blocks import Block, Layout, letters_in
from index.extraction.phrases import compiled

if TYPE_CHECKING:
    from index.extraction.metadata import PageMetadata

# Texts on error and login pages are shorter, those on consent pages too, with their small print.
_SHORT_LETTERS, _CONSENT_LETTERS = 800, 2_500
# Less than a sentence is no article, unless the page says that it is one.
_LEAST_LETTERS = 25
# So many headlines that are links (a date may stand beside them), and no more text than this besides.
_LIST_LINKS, _LIST_LETTERS = 8, 600
_LIST_LINK_SHARE, _LIST_LINK_LENGTH = 0.6, 20
_HEAD = 5
# "Access denied: how the council kept its minutes secret" is a headline.
_ERROR_WORDS = 8
# The publisher closes the article, or the page asks to subscribe, and there is no more than this of it.
_STUB_LETTERS = 1_800

_ERROR = compiled(phrases.ERROR)
_SCRIPT_NEEDED = compiled(phrases.SCRIPT_NEEDED)
_LOGIN = compiled(phrases.LOGIN)
_CONSENT = compiled(phrases.CONSENT)
_CONSENT_HITS = 4
_PAYWALL = compiled(phrases.PAYWALL)
_ARTICLE_TYPES = re.compile(r"(?:Article|BlogPosting|Posting|Report|Review|Column|article)$")
_LIST_TYPES = frozenset(
    {"CollectionPage", "SearchResultsPage", "ItemList", "ProfilePage", "WebSite", "website", "Blog"}
)
_SLUG_WORDS = 3


def refusal(layout: Layout, text: str, stated: "PageMetadata", url: str | None) -> str | None:
    """Why a page is no article, or None where it may be one. `text` is what was taken for its story."""
    letters = letters_in(text)
    article = any(_ARTICLE_TYPES.search(kind) for kind in stated.types)
    signed = bool(stated.published and stated.authors)
    head = [stated.title or "", *(block.text for block in layout.blocks if block.tag == "h1")][:_HEAD]
    reason = None
    if letters < _SHORT_LETTERS and not signed:
        reason = _no_article(layout, text, head, article=article)
    if reason is None and letters < _CONSENT_LETTERS and not (article or signed) and _is_consent(text, head):
        reason = "a consent page for cookies"
    if reason is None and _is_list(layout, text, stated, url, article=article):
        reason = "a list of articles, not an article"
    if reason is None and letters < _LEAST_LETTERS and not article:
        reason = "no article text in the page"
    return reason


def _no_article(layout: Layout, text: str, head: Sequence[str], *, article: bool) -> str | None:
    """What a page with little text is instead of an article, by its headline or what it asks for."""
    error = next((line for line in head if len(line.split()) <= _ERROR_WORDS and _ERROR.search(line)), None)
    if error is not None:
        return f"an error page ({_quoted(error)})"
    shown = text or " ".join(block.text for block in layout.blocks[:_SHOWN_BLOCKS])
    if letters_in(shown) < _SHORT_LETTERS and _SCRIPT_NEEDED.search(shown):
        return "the page shows its text only with JavaScript"
    if layout.password and not article and any(map(_LOGIN.search, [*head, text])):
        return "a login page"
    return None


_SHOWN_BLOCKS = 30


def is_paywalled(layout: Layout, text: str, stated: "PageMetadata") -> bool:
    """Whether the page holds only the beginning of an article and keeps the rest for subscribers."""
    if letters_in(text) >= _STUB_LETTERS:
        return False
    return stated.free is False or any(
        len(block.text) <= _PAYWALL_LINE and _PAYWALL.search(block.text) for block in layout.blocks
    )


_PAYWALL_LINE = 400


def _is_consent(text: str, head: Sequence[str]) -> bool:
    paragraphs = [part for part in text.split("\n\n") if part.strip()]
    about = sum(_CONSENT.search(part) is not None for part in paragraphs)
    hits = len(_CONSENT.findall(text))
    asked = any(map(_CONSENT.search, head)) or not any(head)
    return asked and hits >= _CONSENT_HITS and about * 2 >= len(paragraphs)


def _is_list(layout: Layout, text: str, stated: "PageMetadata", url: str | None, *, article: bool) -> bool:
    """Whether a page leads to articles and has next to no text of its own."""
    links = {block.text for block in layout.blocks if _is_link(block)}
    if len(links) < _LIST_LINKS:
        return False
    shown = {line.removeprefix("- ") for line in text.split("\n")}
    if sum(map(letters_in, shown - links)) >= _LIST_LETTERS:
        return False
    signs = (
        _is_section(stated.url or url),
        bool(stated.types & _LIST_TYPES) and not article,
        not stated.published,
        not stated.authors,
    )
    return sum(signs) >= (4 if article else 3)


def _is_link(block: Block) -> bool:
    return block.link_share >= _LIST_LINK_SHARE and block.linked >= _LIST_LINK_LENGTH


def _is_section(url: str | None) -> bool:
    """Whether an address is that of a front page or a section: no number and no words of a headline at its end."""
    if not url:
        return False
    try:
        path = urlsplit(url).path.rstrip("/")
    except ValueError:
        return False
    last = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return not re.search(r"\d{4,}", path) and len(re.split(r"[-_]", last)) < _SLUG_WORDS


def _quoted(text: str) -> str:
    short = " ".join(text.split())
    return f'"{short[:60]}…"' if len(short) > 60 else f'"{short}"'
