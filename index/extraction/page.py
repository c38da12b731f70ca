"""The article of a web page: its text from the paragraphs, the rest from what the page states."""

import re

from index.article import Article, make_article
from index.errors import SourceError
from index.extraction.baseline import baseline_paragraphs
from index.extraction.blocks import Block, layout_of, letters_in
from index.extraction.body import Story, find_story
from index.extraction.frame import Evidence
from index.extraction.kinds import is_paywalled, refusal
from index.extraction.language import settled_language
from index.extraction.markup import decoded_page, has_markup, parsed
from index.extraction.metadata import PageMetadata, read_metadata

# A body in the linked data counts instead of the page's paragraphs where it is so much longer: the
# page is drawn by a script.
_LONGER_BODY = 3
# Half a million words; the longest of the development pages has 10,000, live reports ten times that.
_LONGEST_TEXT = 3_000_000
# The depths of all boxes added up: 60,000 boxes 80 deep. Much of trafilatura's time goes with it.
_MOST_NESTING = 5_000_000
# Characters of markup. Trafilatura searches every attribute many times; the longest development page
# has 1.7 million.
_LONGEST_FOR_BASELINE = 8_000_000
_BLANK_LINE = re.compile(r"\n\s*\n")


def read_page(page: bytes | str, url: str | None = None, charset: str | None = None) -> Article:
    """The article of a web page.

    `url` is where it was found, `charset` the encoding that its server declared. Raises SourceError
    with the reason where there is no article in it.
    """
    text = decoded_page(page, charset)
    if not has_markup(text):
        return make_article(text, url=url, language=settled_language(None, text))
    tree = parsed(text)
    stated = read_metadata(tree, url)
    layout = layout_of(tree)
    if sum(len(block.text) for block in layout.blocks) > _LONGEST_TEXT:
        raise SourceError("too much text to be an article")
    if sum(box.depth for box in layout.boxes) > _MOST_NESTING:
        raise SourceError("too deeply nested to be an article")
    baseline = baseline_paragraphs(tree) if len(text) <= _LONGEST_FOR_BASELINE else ()
    evidence = Evidence(baseline, stated.bodies, stated.title or "", stated.summary or "", stated.authors)
    story = find_story(layout, evidence, live="LiveBlogPosting" in stated.types)
    text = _written(story)
    if letters_in(text) * _LONGER_BODY < letters_in(body := _stated_body(stated)):
        text = body
    if (reason := refusal(layout, text, stated, url)) is not None:
        raise SourceError(reason)
    return make_article(
        text,
        title=stated.title or "",
        url=stated.url or url,
        published=stated.published,
        updated=stated.updated,
        authors=stated.authors,
        source=stated.source,
        language=settled_language(stated.language, text),
        section=stated.section,
        summary=stated.summary,
        extra={"paywalled": True} if is_paywalled(layout, text, stated) else {},
    )


def _written(story: Story) -> str:
    """The text of a story: a blank line between paragraphs, the items of a list and the rows of a table together."""
    pieces: list[str] = []
    before: Block | None = None
    for block in story.blocks:
        if before is not None:
            pieces.append("\n" if before.tag == block.tag and block.tag in _TOGETHER else "\n\n")
        pieces.append(f"- {block.text}" if block.tag == "li" and not story.live else block.text)
        before = block
    return "".join(pieces)


_TOGETHER = ("li", "tr")


def _stated_body(stated: PageMetadata) -> str:
    """The article's text as the linked data has it; the updates of a live report one after the other."""
    if "LiveBlogPosting" in stated.types:
        return "\n\n".join(stated.bodies)
    return "\n\n".join(_BLANK_LINE.split(max(stated.bodies, key=len, default="")))
