"""What answers look like: shown with the description of the API, and checked against it."""

from typing import Any

ARTICLE: dict[str, Any] = {
    "id": "canada-joins-nato-talks",
    "title": "Canada’s top soldier joins NATO talks",
    "url": "https://news.example.org/canada-joins-nato-talks",
    "source": "The Canadian Press",
    "published": "2025-08-20T15:07:00",
    "authors": ["Jane Doe"],
    "language": "en-CA",
}

_COPY = {
    "id": "nato-talks", "title": "Top soldier in NATO talks", "source": "Harbour Wire", "url": None,
    "published": "2025-08-21",
}  # fmt: skip

_TEXT = "Canada would most likely help with logistics. It has done so before."

SEARCH: dict[str, Any] = {
    "query": "canada peacekeeping logistics last month",
    "interpreted": {
        "text": "canada peacekeeping logistics", "phrases": [], "excluded": [], "title": [], "from": "2025-08-01",
        "to": "2025-08-31", "date_words": "last month", "sources": [], "excluded_sources": [], "authors": [],
        "corrections": [], "notes": ['Read "last month" as 1–31 August 2025.'],
    },
    "took_ms": 8.1,
    "generation": "20250901T060000Z-7cd510.12",
    "page": 1,
    "size": 1,
    "total": 37,
    "total_relation": "eq",
    "gate": 0.41,
    "results": [
        {
            "rank": 1,
            "score": 0.83,
            "article": ARTICLE,
            "passage": {
                "id": "canada-joins-nato-talks:1893-1961", "text": _TEXT, "start": 1893, "end": 1961,
                "highlights": [[0, 6], [35, 44]], "best_sentence": [0, 45],
            },
            "more_passages": 2,
            "duplicates": [_COPY],
        }
    ],
    "next_cursor": "AAAAAXtF2S-hCpo2sdxi",
    "facets": {
        "source": [{"value": "The Canadian Press", "count": 9}], "year": [{"value": "2025", "count": 37}],
        "author": [{"value": "Jane Doe", "count": 4}], "language": [{"value": "en-CA", "count": 37}],
    },
    "timeline": [{"date": "2025-08", "count": 37}],
}  # fmt: skip

WHOLE_ARTICLE: dict[str, Any] = {
    **ARTICLE,
    "updated": None,
    "section": "Politics",
    "summary": None,
    "length": len(_TEXT),
    "offset": 0,
    "next_offset": None,
    "text": _TEXT,
    "extra": {},
    "passages": [{"id": "canada-joins-nato-talks:0-68", "start": 0, "end": len(_TEXT)}],
    "duplicates": [_COPY],
}

SIMILAR: dict[str, Any] = {"similar": [{**ARTICLE, "score": 0.71}]}

SUGGESTIONS: dict[str, Any] = {
    "suggestions": [{"text": "Harbour Wire", "kind": "source", "query": 'source:"Harbour Wire"'}]
}

STATS: dict[str, Any] = {
    "generation": "20250901T060000Z-7cd510.12", "created": "2025-09-01T06:00:00+00:00", "articles": 4884,
    "passages": 21702, "stories": 4790, "set_aside": 3, "first_day": "2012-01-04", "last_day": "2025-08-31",
    "sources": {"The Canadian Press": 1210}, "languages": {"en-CA": 4002}, "model": "all-MiniLM-L6-v2",
    "dimension": 384, "passage_words": 150, "dense_search": {"kind": "exact"}, "bytes": 61234567,
}  # fmt: skip

ERROR: dict[str, Any] = {
    "error": {"code": "bad_query", "message": "'from' should be a date such as 2025-08-20.", "field": "from"}
}
