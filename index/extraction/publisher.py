"""Where an article is published: its canonical address and the name of its publisher."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

from index.extraction.linked import Node, plain, rank, texts
from index.extraction.tags import PageTags
from index.extraction.titles import squeezed
from index.urls import normalised_url

_LONGEST_URL = 2_000
_LONGEST_NAME = 100
_SITE_TAGS = "og:site_name application-name apple-mobile-web-app-title dc.publisher publisher cre".split()
_HOST_PREFIX = re.compile(r"^(?:www\d?|m|mobile|amp|edition|touch)\.(?=[^.]+\.[^.]+)")
_TOP_LEVEL = re.compile(r"(?:\.(?:co|com|org|net|gov|ac|or|ne|go))?\.[a-z]{2,24}$")
_PROFILE = re.compile(r"^(?:https?:)?//|^@|^\d+$", re.IGNORECASE)


def canonical_url(tags: PageTags, stories: Sequence[Node], url: str | None) -> str | None:
    """The address that the page gives its article, or where it was found.

    A home page, another publisher's page and what is no web address are not believed.
    """
    base = url or tags.links.get("canonical") or tags.value("og:url") or ""
    for candidate in _candidates(tags, stories):
        absolute = _absolute(candidate, base)
        if absolute and not _is_home(absolute) and (url is None or _related(absolute, url)):
            return absolute
    return _absolute(url, url) if url else None


def _candidates(tags: PageTags, stories: Sequence[Node]) -> Iterator[str]:
    if canonical := tags.links.get("canonical"):
        yield canonical
    yield from tags.values("og:url")
    for node in stories:
        entity: Any = node.get("mainEntityOfPage")
        for value in (entity.get("@id") or entity.get("url") if isinstance(entity, dict) else entity, node.get("url")):
            if isinstance(value, str):
                yield value


def _absolute(address: str, base: str) -> str | None:
    if len(address) > _LONGEST_URL:
        return None
    try:
        absolute = urljoin(base, address.strip())
        parts = urlsplit(absolute)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or "." not in (parts.hostname or "") or re.search(r"[\s<>{}\"]", absolute):
        return None
    return absolute.partition("#")[0] if not parts.fragment.startswith(("!", "/")) else absolute


def _is_home(url: str) -> bool:
    parts = urlsplit(url)
    return parts.path in ("", "/") and not parts.query


def _related(one: str, other: str) -> bool:
    """Whether two addresses are of one site: example.org, www.example.org, amp.example.org, a cache of AMP pages."""
    return _site(one) == _site(normalised_url(other))


def _site(url: str) -> str:
    return squeezed(site_label(host_of(url) or ""))


def site_label(host: str) -> str:
    """What a host calls its site: "example" of news.example.co.uk."""
    return _TOP_LEVEL.sub("", host).rpartition(".")[2]


def host_of(url: str | None) -> str | None:
    """The host of an address without www."""
    try:
        host = urlsplit(url).hostname if url else None
    except ValueError:
        return None
    return _HOST_PREFIX.sub("", host) if host else None


def publisher_names(tags: PageTags, nodes: Sequence[Node]) -> list[str]:
    """The names that a page gives its publisher, the most trustworthy first."""
    stories = [node for node in nodes if rank(node) is not None]
    values = [
        *(name for node in stories for name in _names(node.get("publisher"))),
        *tags.values("og:site_name"),
        *(name for node in stories for name in _names(node.get("sourceOrganization"))),
        *(name for node in nodes for name in _own_name(node)),
        *tags.values(*_SITE_TAGS),
    ]
    names = (" ".join(plain(value).split()) for value in values)
    return list(dict.fromkeys(name for name in names if _is_name(name)))


def publisher(names: Sequence[str], url: str | None) -> str | None:
    """The name of the site: the one that its host repeats, else the first; else the host.

    Linked data may name the company or the agency, and og:site_name a section.
    """
    host = host_of(url)
    label = squeezed(site_label(host or ""))
    others = [name for name in names if not _AGENCY.fullmatch(name)]
    return next((name for name in names if _is_like(name, label)), None) or next(iter(others), host)


# Who sold the story is not who published it, unless the host is the agency's own.
_AGENCY = re.compile(
    r"(?:the )?(?:associated press|ap(?: news)?|reuters|agence france-presse|afp|dpa|apa|ansa|efe|pti|ians|ani|"
    r"canadian press|press association|pa media|upi|xinhua|tass|bloomberg|getty images|blogger)",
    re.IGNORECASE,
)


def _is_like(name: str, label: str) -> bool:
    """Whether a host's label is a name, a part of it, or its initials: bbc, nytimes, wsj."""
    key = squeezed(name)
    initials = "".join(word[0] for word in re.findall(r"[^\W_]+", name.casefold()))
    return bool(label) and (key in label or label in key or label in initials or initials in (label, f"the{label}"))


def _own_name(node: Node) -> Iterable[str]:
    return _names(node) if any("Organization" in kind or kind == "WebSite" for kind in _kinds(node)) else ()


def _kinds(node: Node) -> list[str]:
    value = node.get("@type")
    return [kind for kind in (value if isinstance(value, list) else [value]) if isinstance(kind, str)]


def _names(value: Any) -> list[str]:
    if isinstance(value, list):
        return [name for item in value[:5] for name in _names(item)]
    if isinstance(value, dict):
        value = value.get("name")
    return [name for name in texts(value) if not _PROFILE.search(name)][:1]


def _is_name(name: str) -> bool:
    return 1 < len(name) <= _LONGEST_NAME and not _PROFILE.search(name) and any(map(str.isalnum, name))


def site_names(names: Sequence[str], url: str | None) -> list[str]:
    """What titles may call the site: the publisher's names, with and without "The", and its host."""
    host = host_of(url) or ""
    label = site_label(host)
    found = [*names, host, label]
    found += [name[4:] for name in names if name.lower().startswith("the ")]
    found += [f"the {name}" for name in (*names, label)]
    return [name for name in found if name.strip() and name != "the "]
