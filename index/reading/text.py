"""Articles from plain text and from Markdown."""

from typing import Any

from index.article import Article, from_record, make_article
from index.cleaning import clean_page
from index.errors import SourceError
from index.reading.decoding import decoded

# What the front matter of site generators calls our fields.
_FRONT_MATTER_NAMES = {
    "date": "published", "lastmod": "updated", "author": "authors", "lang": "language",
    "category": "section", "description": "summary", "canonical": "url", "publisher": "source",
}  # fmt: skip
# "War and Peace" has 66,000 lines. Cleaning looks at each, at 40,000 a second.
_MOST_LINES = 200_000
_FENCE = "---"
_YAML_NOTHING = ("", "null", "~")


def read_text(data: bytes) -> Article:
    """The article of a plain text file, which may be a page copied whole. Raises SourceError."""
    page = clean_page(_of_bearable_length(decoded(data)))
    return make_article(
        page.text,
        title=page.title,
        published=page.published,
        updated=page.updated,
        authors=page.authors,
        source=page.source,
    )


def read_markdown(data: bytes) -> Article:
    """The article of a Markdown file: front matter gives the fields, markup goes. Raises SourceError."""
    fields, body = _front_matter(_of_bearable_length(decoded(data)))
    title, text = _plain(body)
    if title and not fields.get("title"):
        fields["title"] = title
    elif title:
        text = f"{title}\n\n{text}" if title != fields["title"] else text
    return from_record({**fields, "text": text})


def _of_bearable_length(text: str) -> str:
    if text.count("\n") > _MOST_LINES:
        raise SourceError(f"more than {_MOST_LINES:,} lines, no article")
    return text


def _front_matter(text: str) -> tuple[dict[str, Any], str]:
    import yaml

    lines = text.split("\n")
    if lines[0].strip() != _FENCE or _FENCE not in (line.strip() for line in lines[1:]):
        return {}, text
    end = next(number for number, line in enumerate(lines[1:], start=1) if line.strip() == _FENCE)
    try:
        # Text only: a date that does not exist, or a binary tag, is no reason to lose the article.
        stated = yaml.load("\n".join(lines[1:end]), Loader=yaml.BaseLoader) or {}
    except (yaml.YAMLError, RecursionError) as error:
        raise SourceError(f"the front matter is not YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(stated, dict):
        return {}, text  # two rules with prose between them
    fields = {_FRONT_MATTER_NAMES.get(str(key), str(key)): value for key, value in stated.items()}
    return {key: value for key, value in fields.items() if value not in _YAML_NOTHING}, "\n".join(lines[end + 1 :])


def _plain(markdown: str) -> tuple[str, str]:
    """The first top heading, and the blocks of text without markup."""
    from markdown_it import MarkdownIt

    title = ""
    blocks: list[str] = []
    heading = ""
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        if token.type == "heading_open":
            heading = token.tag
        elif token.type in ("fence", "code_block"):
            blocks.append(token.content)
        elif token.type == "inline":
            words = "".join(_inline(child) for child in token.children or ())
            if heading == "h1" and not title and not blocks:
                title = words
            else:
                blocks.append(words)
            heading = ""
    return title, "\n\n".join(blocks)


def _inline(token: Any) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return " " if token.type == "softbreak" else "\n"
    return "" if token.type in ("html_inline", "image") else str(token.content)
