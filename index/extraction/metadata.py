"""What a page says of its article outside the text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from index.extraction.bylines import near_headline, shown_people, shown_signatures
from index.extraction.language import declared_language
from index.extraction.linked import ARTICLE_RANK, Node, kinds, linked_data, microdata, plain, rank, text, texts
from index.extraction.moments import find_moments
from index.extraction.people import is_collective, people
from index.extraction.publisher import canonical_url, publisher, publisher_names, site_names
from index.extraction.tags import PageTags, read_tags
from index.extraction.titles import choose_title, squeezed, tidy_title

if TYPE_CHECKING:
    from lxml.html import HtmlElement


@dataclass(frozen=True, slots=True)
class PageMetadata:
    """Unknown is None or empty. `published` and `updated` are ISO 8601, `language` a BCP 47 tag.

    `types` are the schema.org and OpenGraph types that the page gives itself ("NewsArticle",
    "LiveBlogPosting", "website"); `free` is whether the publisher says that everybody may read it
    all; `bodies` are the article texts that its linked data carries.
    """

    title: str | None = None
    url: str | None = None
    published: str | None = None
    updated: str | None = None
    authors: tuple[str, ...] = ()
    source: str | None = None
    language: str | None = None
    section: str | None = None
    summary: str | None = None
    types: frozenset[str] = frozenset()
    free: bool | None = None
    bodies: tuple[str, ...] = ()


# Names of meta tags that carry authors, the most reliable first.
_AUTHOR_TAGS = """
    parsely-author sailthru.author cxenseparse:author mrf:authors article:author_name article:author og:article:author
    author dc.creator dcterms.creator dc.contributor citation_author byl articleauthor author_name authors
    sailthru.authors rnews:author schema:author creator byline cxenseparse:recs:author
""".split()
_SECTION_TAGS = (
    "article:section parsely-section cxenseparse:recs:category section category og:section dc.subject".split()
)
_SUMMARY_TAGS = (
    "og:description description dc.description twitter:description dcterms.abstract sailthru.description".split()
)
_LONGEST_SUMMARY, _LONGEST_SECTION = 1_000, 100
_MOST_BODIES, _LONGEST_BODY = 20, 400_000
_FREE_TIERS, _CLOSED_TIERS = frozenset({"free"}), frozenset({"locked", "paid", "premium", "subscriber"})


def read_metadata(tree: "HtmlElement", url: str | None) -> PageMetadata:
    """The metadata of a page, merged from all that it states; `url` is where it was found.

    For each field the source counts that publishers keep most carefully: linked data, then the meta
    tags, then what readers see. The tree is left as it is.
    """
    tags = read_tags(tree)
    nodes = linked_data(tags.scripts)
    if not any(_is_story(node) for node in nodes):
        nodes += microdata(tree)
    stories, pages = _articles(nodes, tags)
    address = canonical_url(tags, stories, url)
    names = publisher_names(tags, [*stories, *nodes])
    sites = site_names(names, address or url)
    language = _language(tags, stories, pages)
    title = _title(tags, stories, pages, sites)

    @cache
    def near() -> Sequence["HtmlElement"]:  # only pages that state too little need it
        return near_headline(tree, title)

    published, updated = find_moments(tree, tags, stories, pages, address or url, near, language)
    return PageMetadata(
        title=title,
        url=address,
        published=published,
        updated=updated,
        authors=_authors(tags, stories, pages, sites, near),
        source=publisher(names, address or url),
        language=language,
        section=_section(tags, stories),
        summary=_summary(tags, stories),
        types=frozenset(kind for node in nodes for kind in kinds(node)) | frozenset(tags.values("og:type")),
        free=_free(tags, stories, pages),
        bodies=_bodies(stories),
    )


def _is_story(node: Node) -> bool:
    found = rank(node)
    return found is not None and found <= ARTICLE_RANK


def _articles(nodes: Sequence[Node], tags: PageTags) -> tuple[list[Node], list[Node]]:
    """The nodes that describe the page's article, the best first; and those that describe the page.

    A page may describe the articles that it links to as well. So the first story counts, or the one
    that has the page's headline, and others only where they have the same headline.
    """
    titles = [squeezed(tidy_title(title)) for title in (*tags.headings, *tags.values("og:title"), *tags.titles)]

    def has_headline(node: Node) -> bool:
        headline = squeezed(tidy_title(text(node, "headline", "name") or ""))
        return bool(headline) and any(headline in title or (title and title in headline) for title in titles)

    ranked = [node for node in nodes if _is_story(node)]
    ranked.sort(key=lambda node: (not has_headline(node), rank(node)))
    pages = [node for node in nodes if rank(node) is not None and not _is_story(node)]
    if not ranked:
        return [], pages
    best = ranked[0]
    headline = squeezed(text(best, "headline", "name") or "")
    return [best, *(node for node in ranked[1:] if squeezed(text(node, "headline", "name") or "") == headline)], pages


def _title(tags: PageTags, stories: Sequence[Node], pages: Sequence[Node], sites: Sequence[str]) -> str | None:
    linked = next((found for node in stories if (found := text(node, "headline", "name"))), None)
    social = tags.value("og:title", "twitter:title", "dc.title", "title", "cxenseparse:title", "parsely-title")
    search = tags.titles[0] if tags.titles else next((found for node in pages if (found := text(node, "name"))), None)
    return choose_title(linked, tags.headings, social, search, sites)


def _authors(
    tags: PageTags,
    stories: Sequence[Node],
    pages: Sequence[Node],
    sites: Sequence[str],
    near: Callable[[], Sequence["HtmlElement"]],
) -> tuple[str, ...]:
    """The people who sign the article; where none does, who is stated first: a desk, an agency, the site itself."""
    own = {squeezed(site) for site in sites}
    stated: tuple[str, ...] = ()
    for values in _signatures(tags, stories, pages, near):
        found = people(values)
        others = tuple(name for name in found if squeezed(name) not in own)
        if any(not is_collective(name) for name in others):
            return others
        stated = stated or found
    return stated


def _signatures(
    tags: PageTags, stories: Sequence[Node], pages: Sequence[Node], near: Callable[[], Sequence["HtmlElement"]]
) -> Iterator[Sequence[Any]]:
    """Who is named as author, the most reliable source first."""
    for node in stories:
        yield [node.get("author")]
    for name in _AUTHOR_TAGS:
        if values := list(tags.values(name)):
            yield values
    for node in stories:
        yield [node.get("creator")]
    yield shown_people(near())
    for node in pages:
        yield [node.get("author"), node.get("creator")]
    yield shown_signatures(near())


def _language(tags: PageTags, stories: Sequence[Node], pages: Sequence[Node]) -> str | None:
    return declared_language([
        tags.language,
        *(found for node in (*stories, *pages) for found in texts(node.get("inLanguage"))),
        *tags.values("og:locale", "content-language", "language", "dc.language", "dcterms.language", "lang"),
    ])  # fmt: skip


def _section(tags: PageTags, stories: Sequence[Node]) -> str | None:
    found = next((name for node in stories for name in texts(node.get("articleSection"))), None)
    found = found or tags.value(*_SECTION_TAGS)
    found = tidy_title(found) if found and "//" not in found else None
    return found if found and len(found) <= _LONGEST_SECTION and not found.isdigit() else None


def _summary(tags: PageTags, stories: Sequence[Node]) -> str | None:
    """The description; a whole one where one is cut off."""
    values = [*(found for node in stories for found in texts(node.get("description"))), *tags.values(*_SUMMARY_TAGS)]
    lines = [line for value in values if (line := " ".join(plain(value).split()))]
    found = [line for line in lines if len(line) <= _LONGEST_SUMMARY]
    if not found:  # the whole story, as some systems have it
        return f"{lines[0][:_LONGEST_SUMMARY].rsplit(' ', 1)[0]}…" if lines else None
    cut = found[0].rstrip("….[] ")
    return next((line for line in found if len(line) > len(found[0]) and line.startswith(cut)), found[0])


def _free(tags: PageTags, stories: Sequence[Node], pages: Sequence[Node]) -> bool | None:
    """Whether everybody may read it all; a part that costs money counts where nothing is said of the whole."""
    for node in (*stories, *pages):
        parts = node.get("hasPart")
        for part in (node, *(parts if isinstance(parts, list) else [parts])):
            if isinstance(part, Mapping) and (value := _truth(part.get("isAccessibleForFree"))) is not None:
                return value
    tier = (tags.value("article:content_tier") or "").lower()
    return True if tier in _FREE_TIERS else False if tier in _CLOSED_TIERS else None


def _truth(value: Any) -> bool | None:
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, str):
        return _TRUTH.get(value.strip().lower().rpartition("/")[2])
    return value if isinstance(value, bool) else None


_TRUTH = {"true": True, "false": False}


def _bodies(stories: Sequence[Node]) -> tuple[str, ...]:
    bodies: dict[str, None] = {}
    for node in stories[:_MOST_BODIES]:
        value = node.get("articleBody")
        for body in value if isinstance(value, list) else [value]:
            if isinstance(body, str) and (body := plain(body[:_LONGEST_BODY]).strip()) and len(bodies) < _MOST_BODIES:
                bodies[body] = None
    return tuple(bodies)
