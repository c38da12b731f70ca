"""The headline of an article, out of the titles that a page has for readers, search engines and friends."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from index.extraction.linked import plain
from index.extraction.people import folded

# Between a headline and the name of the site. A hyphen without spaces belongs to a word.
_JOINT = re.compile(r"\s+(?:[|–—·•»«›:]|::|-{1,2}|//|/|\+\+\+)\s+|\s*[|｜»]\s*|\s*：\s*(?=[^：]{1,20}$)|(?<=\w):\s+")
_ENDING_JOINTS = re.compile(r"\s+(?:[|–—·•»›]|::|-{1,2}|//)\s+|\s*[|｜»]\s*|\s*：\s*(?=[^：]{1,20}$)")
_LONGEST_SITE_NAME = 60
_LONGEST_TITLE = 600
_INVISIBLE = re.compile(r"[\xad\u200b-\u200f\u2060\ufeff]")


def tidy_title(title: str) -> str:
    """A title without entities, tags, soft hyphens and line breaks."""
    return " ".join(_INVISIBLE.sub("", plain(title[: 2 * _LONGEST_TITLE])).split())[:_LONGEST_TITLE]


def without_site(title: str, sites: Iterable[str], headlines: Sequence[str] = ()) -> str:
    """`title` without the name of the site, and its section, before or behind it.

    A part goes when it is one of the names in `sites`, or when what is left is one of the `headlines`
    that the page has elsewhere.
    """
    names = {squeezed(site) for site in sites} - {""}
    known = {squeezed(headline) for headline in headlines} - {""}
    while joints := list(_JOINT.finditer(title)):
        first, last = joints[0], joints[-1]
        tail, head = title[last.end() :], title[: first.start()]
        if _ENDING_JOINTS.fullmatch(last[0]) and (_is_site(tail, names) or _is_longer_site(tail, names)):
            title = title[: last.start()]
        elif _is_site(head, names):
            title = title[first.end() :]
        else:
            break
    if known and squeezed(title) not in known:
        for joint in _JOINT.finditer(title):
            for part in (title[: joint.start()], title[joint.end() :]):
                if squeezed(part) in known and len(part) * 2 > len(title):
                    return part.strip()
    return title.strip()


def squeezed(text: str) -> str:
    """Letters and digits only, to compare names that are written with and without spaces."""
    return folded(unicodedata.normalize("NFKC", text)).replace(" ", "")


def _is_site(part: str, names: set[str]) -> bool:
    return len(part) <= _LONGEST_SITE_NAME and squeezed(part) in names


def _is_longer_site(part: str, names: set[str]) -> bool:
    """Whether a part of a title is a site's name and a word more: "Lantern Entertainment" on lantern.example."""
    key = squeezed(part)
    return len(part.split()) <= _SITE_WORDS and any(
        len(name) >= _LONG_SITE_NAME and key.startswith(name) for name in names
    )


_SITE_WORDS, _LONG_SITE_NAME = 3, 6


def choose_title(
    linked: str | None, headings: Sequence[str], social: str | None, search: str | None, sites: Iterable[str]
) -> str | None:
    """The headline, out of the linked data's, the page's own, the one for sharing and the <title>.

    The linked data's is the newsroom's, unless all the others agree against it. Without linked data,
    what two of the others agree on goes, else the page's own.
    """
    sites = list(sites)
    own = [tidy_title(heading) for heading in headings]
    known = [title for title in (tidy_title(linked or ""), *own, tidy_title(social or "")) if title]
    linked, social, search = (
        without_site(tidy_title(title), sites, known) if title else "" for title in (linked, social, search)
    )
    own = [heading for heading in own if heading and not _is_site(heading, {squeezed(site) for site in sites})]
    heading = _best_heading(own, [title for title in (linked, social, search) if title])
    if linked:
        if heading and _same(heading, social) and _same(heading, search) and not _same(heading, linked):
            return heading
        return _longer_of_cut(linked, (heading, social, search))
    if social and search and _same(social, search):
        return _longer_of_cut(social, (heading,))
    return heading or social or search or None


def _best_heading(headings: Sequence[str], others: Sequence[str]) -> str:
    """The heading that another title repeats, else the only one there is."""
    for other in others:
        for heading in headings:
            if _same(heading, other):
                return heading
    return headings[0] if len(headings) == 1 and len(headings[0].split()) >= _HEADLINE_WORDS else ""


# A heading of fewer words that nothing confirms is a section or the name of the site.
_HEADLINE_WORDS = 3


def _same(one: str, other: str) -> bool:
    """Whether two titles are one headline, of which one may have a kicker or lack its end."""
    first, second = squeezed(one), squeezed(other)
    if not first or not second:
        return False
    shorter, longer = sorted((first, second), key=len)
    return shorter in longer and 2 * len(shorter) >= len(longer)


def _longer_of_cut(title: str, others: Iterable[str]) -> str:
    """`title`, or the whole of it where a limit on its length has cut it off."""
    cut = squeezed(title)
    if title.endswith(("…", "...")) or len(title) >= _SHORTEST_CUT:
        for other in others:
            if other and squeezed(other).startswith(cut) and len(squeezed(other)) > len(cut):
                return other
    return title


# Search engines asked for headlines of at most 110 characters; systems cut at 100 and above.
_SHORTEST_CUT = 95
