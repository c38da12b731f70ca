"""How responses travel: compressed, and kept by browsers where they never change.

The one module that knows flask-compress.
"""

import hashlib
from functools import cache, lru_cache
from pathlib import Path

from flask import Flask, Response, current_app, request
from flask_compress import Compress
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

ENCODINGS = ("br", "gzip")
"""Ways to compress, the better first."""

# Below, headers weigh more than what is saved.
_LEAST_BYTES = 500
_MORE_TEXTS = ("text/csv", "application/jsonl", "application/x-ndjson", "application/opensearchdescription+xml")
# What is asked for with its version in the address is another file when it changes.
_FOR_GOOD = "public, max-age=31536000, immutable"
_A_WHILE = "public, max-age=300"


def register(app: Flask) -> None:
    """Makes `app` compress text and say how long its files last."""
    app.config.update(
        COMPRESS_ALGORITHM=list(ENCODINGS), COMPRESS_ALGORITHM_STREAMING=list(ENCODINGS), COMPRESS_MIN_SIZE=_LEAST_BYTES
    )
    Compress(app).compress_mimetypes_set.update(_MORE_TEXTS)
    app.jinja_env.globals["asset"] = asset
    app.after_request(_lasting)  # runs before what was registered before


@lru_cache(maxsize=256)
def encoding_for(accept: str) -> str:
    """How to compress for a client with this Accept-Encoding header; nothing for not at all."""
    best = parse_accept_header(accept, Accept).best_match([*ENCODINGS, "identity"])
    return best if best in ENCODINGS else ""


def asset(name: str) -> str:
    """The address of a static file, another one whenever the file has changed: it may be kept forever."""
    return f"{current_app.static_url_path}/{name}?v={_version(Path(current_app.static_folder or '') / name)}"


@cache
def _version(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _lasting(response: Response) -> Response:
    """Says how long a file lasts, and reads it: files are short, and only what has been read is closed again."""
    if request.endpoint == "static" and response.status_code in (200, 304):
        file = Path(current_app.static_folder or "") / (request.view_args or {})["filename"]
        response.headers["Cache-Control"] = _FOR_GOOD if request.args.get("v") == _version(file) else _A_WHILE
        response.direct_passthrough = False
        response.get_data()
    return response
