"""When two web addresses are the address of one article.

Feeds, newsletters, social sites and search engines each hang their own marks on a link; phones and
AMP get hosts and paths of their own. `normalised_url` takes off what does not change the article.
It never fetches anything, and where a mark might name the article itself, it stays: two copies of
an article are found as near-duplicates later, an article mistaken for another is lost.
"""

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

LONGEST_ADDRESS = 8192
"""Characters; what web servers take (RFC 9110, 4.1, asks for 8,000 octets at least)."""
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# Names that only ever say how a reader came to the page; from the lists that AdGuard (TrackParamFilter),
# ClearURLs and Firefox (query stripping) publish.
_TRACKING = re.compile(
    r"utm_\w+|mtm_\w+|pk_\w+|matomo_\w+|hsa_\w+|itm_\w+|oly_\w+|vero_\w+|ga_\w+|__\w+|_hs\w+|_ga|_gl|_ke|"
    r"at_(?:medium|campaign|custom\d?|link_\w+|ptr_name|bbc_team|format)|"
    r"[a-z]{0,3}clid|gbraid|wbraid|gclsrc|dclid|igshid?|mc_[ce]id|mkt_tok|s_cid|smid|smtyp|sfmc_\w+|"
    r"ns_(?:mchannel|source|campaign|linkname|fee)|cmpid|ocid|ncid|icid|xtor|fb_(?:action_\w+|ref|source)|"
    r"(?:at|guce)_refer\w*|guccounter|guce_\w+|referr?er|wt_mc\w*|wt\.\w+|partner|taid|tblci|outputtype|"
    r"share(?:d|type|token)?|amp|amp_\w+|output_?type|ref_?src|ref_?url|soc_\w+|sr_share\w*|trk\w*|wprov",
    re.IGNORECASE,
)
# Names that track on one site and name the article on another: there the value is a number.
_AMBIGUOUS = re.compile(r"cid|ref|src|source|cmp|mod|mode|campaign|rss|feed|from|via|origin|medium", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")

_DEVICE_HOST = re.compile(r"^(?:www\d?|m|mobile|touch|amp)\.(?=[^.]+\.[^.]+)")
# The page itself under /amp, story.amp.html, /amp/story.
_AMP_PATH = re.compile(r"(?:/amp|[./]amp\.html?|\.amp)/?$|^/amp(?=/.)", re.IGNORECASE)
_AMP_CACHE = re.compile(
    r"(?:www\.)?google\.[a-z.]+/amp/(?:s/)?|[\w-]+\.cdn\.ampproject\.org/[a-z]/(?:s/)?", re.IGNORECASE
)
_INDEX_FILE = re.compile(r"/(?:index|default)\.(?:html?|php|aspx?|jsp)$", re.IGNORECASE)
_SLASHES = re.compile(r"/{2,}")
_SAFE = "/:@!$&'()*+,;=~-._"


def normalised_url(url: str) -> str:
    """`url` without what does not change the article; what is no web address comes back as it is.

    Scheme, letter case of the host, "www." and its like, default port, fragment, tracking parameters,
    the order of the others, AMP, a closing slash or index file.
    """
    url = url.strip()
    if len(url) > LONGEST_ADDRESS:
        return url
    try:
        # What is taken off may uncover more of it, such as a cache within a cache.
        while (less := _without_marks(url)) != url:
            url = less
    except ValueError:
        pass
    return url


def _without_marks(url: str) -> str:
    """`url` without one layer of marks. Raises ValueError for what only looks like a web address."""
    parts = urlsplit(url)
    if parts.scheme.lower() not in _DEFAULT_PORTS or not parts.netloc:
        return url
    if cached := _AMP_CACHE.match(inner := url.partition("//")[2]):
        return f"https://{inner[cached.end() :]}"
    host = parts.netloc.rpartition("@")[2].lower().rstrip(".").removesuffix(_DEFAULT_PORTS[parts.scheme.lower()])
    host = _DEVICE_HOST.sub("", host)
    path = _INDEX_FILE.sub("", _AMP_PATH.sub("", _SLASHES.sub("/", parts.path))).rstrip("/")
    path = quote(unquote(path, errors="surrogateescape"), safe=_SAFE, errors="surrogateescape")
    return urlunsplit(("https", host, path or "/", _query(parts.query), ""))


def is_web_address(source: str) -> bool:
    """Whether this is something to fetch, not the name of a file."""
    return source[:8].lower().startswith(("http://", "https://"))


def _query(query: str) -> str:
    kept = [
        (name, value)
        for name, value in parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
        if not (_TRACKING.fullmatch(name) or (_AMBIGUOUS.fullmatch(name) and not _NUMBER.fullmatch(value)))
    ]
    return urlencode(sorted(kept), errors="surrogateescape")
