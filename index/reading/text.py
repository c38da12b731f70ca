"""Articles from plain text and from Markdown."""

from typing import Any

from index.article import Article, from_record, make_article
from index.cleaning import clean_page
from index.errors import SourceError
from index.reading.decoding import decoded
from index.reading.translation import translated

# A novel of half a million words has 50,000 lines. Cleaning looks at each, at 40,000 a second.
_MOST_LINES = 200_000
_FENCE = "---"
# Front matter is a dozen lines; this much of it is read in a quarter of a second.
_LONGEST_FRONT_MATTER = 64 * 1024
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
    if not text.strip():
        raise SourceError("no text in it")
    return from_record(translated({**fields, "text": text}))


def _of_bearable_length(text: str) -> str:
    if max(text.count("\n"), text.count("\r")) > _MOST_LINES:
        raise SourceError(f"more than {_MOST_LINES:,} lines, no article")
    return text


def _front_matter(text: str) -> tuple[dict[str, Any], str]:
    lines = text.split("\n")
    if lines[0].strip() != _FENCE:
        return {}, text
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.strip() == _FENCE), 0)
    block = "\n".join(lines[1:end])
    if not end or len(block) > _LONGEST_FRONT_MATTER:
        return {}, text
    stated = _stated(block)
    if not isinstance(stated, dict):
        return {}, text  # two rules with prose between them
    known = {str(key): value for key, value in stated.items() if value not in _YAML_NOTHING}
    return known, "\n".join(lines[end + 1 :])


def _stated(block: str) -> Any:
    import yaml

    # Text only: a date that does not exist, or a binary tag, is no reason to lose the article.
    class Loader(yaml.BaseLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):  # a few lines of them stand for gigabytes
                raise SourceError("the front matter repeats itself with aliases")
            return super().compose_node(parent, index)

    try:
        return yaml.load(block, Loader=Loader) or {}
    except (yaml.YAMLError, RecursionError) as error:
        raise SourceError(f"the front matter is not YAML ({str(error).splitlines()[0]})") from None


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
