"""News whose every field would like to be more than text, and questions that would, too."""

import json
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

PROBE = "xss-probe"
"""The name of the element and the attributes that payloads try to make."""

_BREAK_OUT = (
    f"<{PROBE} onmouseover=window.pwned=1>", "<script>window.pwned=1</script>", "<img src=x onerror=window.pwned=1>",
    "<svg/onload=window.pwned=1>", "</title></textarea></style></script></svg><script>window.pwned=1</script>",
    f"\" {PROBE}=1 onfocus=window.pwned=1 autofocus x=\"", f"' {PROBE}=1 onfocus=window.pwned=1 autofocus x='",
    f"` {PROBE}=1 onfocus=window.pwned=1 x=`", "--><script>window.pwned=1</script><!--",
    "]]><script>window.pwned=1</script><![CDATA[", f"&lt;{PROBE}&gt; &#60;script&#62;window.pwned=1&#60;/script&#62;",
    "{{ 7*7 }}{% raw %}${7*7}#{7*7}<%= 7*7 %>", "javascript:window.pwned=1", "\u2028\u2029\x85",
    "<style>*{display:none}</style><base href=//evil.example><meta http-equiv=refresh content=0;url=//evil.example>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe><object data=x></object><form action=//evil.example>",
)  # fmt: skip
PAYLOAD = " zeppelin ".join(_BREAK_OUT)
SHORT = f"\"'><{PROBE} onfocus=window.pwned=1 autofocus><script>window.pwned=1</script>"
URLS = (
    "javascript:window.pwned=1", "JaVaScRiPt:window.pwned=1//", " javascript:window.pwned=1",
    "\x01javascript:window.pwned=1",
    "java\tscript:window.pwned=1", "java\nscript:window.pwned=1", "javascript&colon;window.pwned=1",
    "&#106;avascript:window.pwned=1", "data:text/html,<script>parent.pwned=1</script>", "vbscript:window.pwned=1",
    "//evil.example/a", "\\\\evil.example\\a", "file:///etc/passwd", "blob:https://evil.example/a",
    f"https://news.example/\" {PROBE}=1 onmouseover=window.pwned=1", f"https://news.example/'><{PROBE}>",
    "https://user:javascript@news.example/a", "http://news.example/a\r\nX-Injected: 1",
)  # fmt: skip

EVERYTHING = "/?q=zeppelin&collapse=article&size=50"


def articles() -> list[dict]:
    """One article for each address, and a few whose ids are the payload."""
    fields = {
        "title": f"Zeppelin {PAYLOAD}", "text": f"The zeppelin {PAYLOAD} landed.\n\nAnother zeppelin {PAYLOAD} rose.",
        "source": SHORT, "authors": [SHORT, PAYLOAD[:200]], "section": SHORT, "language": f"en\" {PROBE}=1 x=\"",
        "published": "2025-03-04", "updated": SHORT, "extra": {SHORT: PAYLOAD},
    }  # fmt: skip
    by_url = [{**fields, "id": f"url {n}", "url": url, "title": f"{n} {fields['title']}",
               "text": f"Number {n}. {' '.join(f'w{n}x{m}' for m in range(60))} {fields['text']}"}
              for n, url in enumerate(URLS)]  # fmt: skip
    by_id = [{**fields, "id": id, "text": f"{' '.join(f'i{n}x{m}' for m in range(60))} {fields['text']}"}
             for n, id in enumerate(ids())]  # fmt: skip
    return by_url + by_id


def ids() -> list[str]:
    return [SHORT, "../../etc/passwd", "a\\..\\b", "javascript:window.pwned=1", "//evil.example/a", "a?b#c&d=e%2e%2e/f"]


def write(path: Path) -> Path:
    path.write_text("".join(json.dumps(article) + "\n" for article in articles()), "utf-8")
    return path


def addresses() -> Iterator[str]:
    """Every page, feed, file and error, asked with payloads wherever something can be asked."""
    parameters = (
        "q", "from", "to", "source", "exclude_source", "author", "language", "mode", "fusion", "sort", "collapse",
        "as_of", "page", "size", "date_words", "spelling", "cursor", "max_chars", "interval", "since", "order",
        "from2", "to2", "source2", "start", "end", "maxwidth", "format", "url", SHORT,
    )  # fmt: skip
    for path in ("/", "/compare", "/feed.atom", "/export.csv", "/export.jsonl", "/suggest.json", "/oembed",
                 "/api/v1/search", "/api/v1/suggest", "/api/v1/timeline"):  # fmt: skip
        yield f"{path}?{urlencode({'q': 'zeppelin'})}"
        for name in parameters:
            yield f"{path}?{urlencode({'q': 'zeppelin', name: PAYLOAD if name == 'q' else SHORT})}"
    for path in ("/", "/compare", "/opensearch.xml", "/api/v1/stats", "/api/docs", "/api/openapi.json", "/robots.txt",
                 "/healthz", "/nothing"):  # fmt: skip
        yield path
        yield f"{path}?{urlencode({'q': SHORT, SHORT: SHORT})}"
    yield EVERYTHING
    for words in ("source:{}", "author:{}", "intitle:{}", '"{}"', "-{}", "after:{}", "before:{}", "zeppelim {}"):
        yield f"/?{urlencode({'q': words.format(SHORT)})}"
    for id in [*ids(), *(f"url {n}" for n in range(len(URLS))), PAYLOAD]:
        for path in ("/article/", "/embed/", "/api/v1/articles/", "/api/v1/similar/"):
            yield f"{path}{quote(id, safe='')}?{urlencode({'q': f'zeppelin {SHORT}'})}"
        yield f"/oembed?{urlencode({'url': f'http://localhost/article/{quote(id)}'})}"
    yield f"/{quote(SHORT)}"


class Elements(HTMLParser):
    """What a piece of HTML is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, Mapping[str, str | None]]] = []
        self.inside: list[str] = []
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script" and data.strip():
            self.inside.append(data)


_LINKS = ("href", "src", "action", "formaction", "data", "srcdoc", "data-copy", "xlink:href", "poster")
_NEVER = {PROBE, "iframe", "object", "embed", "base", "img", "math", "template"}


def complaints(text: str, *, embedded: bool = False) -> list[str]:
    """What an HTML page has that only a payload could have put there."""
    elements = Elements(text)
    found = [f"script: {code}" for code in elements.inside]
    for tag, attributes in elements.found:
        if tag in _NEVER or (tag == "style" and not embedded):
            found.append(f"<{tag}>")
        if tag == "meta" and "http-equiv" in attributes:
            found.append(f"<meta http-equiv={attributes['http-equiv']}>")
        if tag == "script" and not (attributes.get("src") or "").startswith("/static/page.js?v="):
            found.append(f"<script {attributes}>")
        for name, value in attributes.items():
            if name.startswith("on") or name in (PROBE, "style", "srcdoc"):
                found.append(f"<{tag} {name}>")
            if name in _LINKS and not leads_somewhere_safe(value or "", copied=name == "data-copy"):
                found.append(f"<{tag} {name}={value!r}>")
        outward = (attributes.get("href") or "").startswith(("http://news", "https://"))
        if tag == "a" and outward and not {"noopener", "noreferrer"} <= set((attributes.get("rel") or "").split()):
            found.append(f"<a rel={attributes.get('rel')!r}> to {attributes['href']!r}")
    return found


def leads_somewhere_safe(address: str, *, copied: bool = False) -> bool:
    """Whether an address is one of this server, a web address, or a text to copy."""
    if copied or (address.startswith(("/", "?", "#")) and not address.startswith(("//", "/\\"))):
        return True
    try:
        return urlsplit(address).scheme in ("http", "https") and address.lower().startswith(("http://", "https://"))
    except ValueError:
        return address.lower().startswith(("http://", "https://"))
