"""What a response holds, out of its gzip file where it is one."""

import zlib

from index.article import Receipt
from index.errors import SourceError
from index.fetching.client import BODY_HASH, Response
from index.fetching.feeds import MAX_FEED_BYTES
from index.fetching.kinds import START_BYTES, Kind, is_json_feed, kind_of
from index.fetching.settings import MIB
from index.fetching.sitemaps import unpacked


def kind_of_response(response: Response) -> Kind:
    """What a response is, packed in a gzip file or not. Raises SourceError."""
    kind = kind_of(_start(response, START_BYTES), response.content_type)
    if kind == "json feed" and not is_json_feed(unpacked_body(response, MAX_FEED_BYTES)):
        return "json"
    return kind


def unpacked_body(response: Response, limit: int) -> bytes:
    """The body, out of its gzip file where it is one. Raises SourceError when it is damaged or too large."""
    data = _start(response, limit + 1)
    if len(data) > limit:
        raise SourceError(f"larger than {limit / MIB:.3g} MiB")
    return data


def _start(response: Response, size: int) -> bytes:
    try:
        data = unpacked(response.body).read(size)
    except (EOFError, OSError, zlib.error) as error:
        raise SourceError("a damaged gzip file") from error
    response.body.seek(0)
    return data


def same_body(response: Response, earlier: Receipt | None) -> bool:
    """Whether the body is that of an earlier run, where the server sends no validators of its own."""
    etag = response.etag or ""
    return etag.startswith(BODY_HASH) and earlier is not None and earlier.etag == etag
