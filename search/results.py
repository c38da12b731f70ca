"""Search results as the JSON that the command line and the API share."""

from typing import Any

from index.article import Article, Copy
from search.engine import Hit, SearchResult


def result_json(result: SearchResult) -> dict[str, Any]:
    """The whole answer, in the shape of the API's contract."""
    request, interpreted = result.request, result.interpreted
    return {
        "query": request.query,
        "interpreted": {
            "text": interpreted.text,
            "phrases": list(interpreted.phrases),
            "excluded": list(interpreted.excluded),
            "from": request.filters.first_day,
            "to": request.filters.last_day,
            "sources": list(request.filters.sources),
            "notes": list(interpreted.notes),
        },
        "took_ms": result.took_ms,
        "generation": result.generation,
        "page": request.page,
        "size": request.size,
        "total": result.total,
        "total_relation": "eq" if result.total_is_exact else "gte",
        "results": [_hit_json(hit, explain=request.explain) for hit in result.hits],
        "facets": {
            "source": [{"value": value, "count": count} for value, count in result.sources],
            "year": [{"value": value, "count": count} for value, count in result.years],
        },
        "timeline": [{"date": month, "count": count} for month, count in result.months],
    }


def article_summary(article: Article) -> dict[str, Any]:
    """What a result says of its article."""
    return {
        "id": article.id,
        "title": article.title,
        "url": article.url,
        "source": article.source,
        "published": article.published,
        "authors": list(article.authors),
        "language": article.language,
    }


def copy_json(copy: Copy) -> dict[str, Any]:
    """Another copy of a result's story."""
    return {
        "id": copy.id, "title": copy.title, "source": copy.source, "url": copy.url, "published": copy.published,
    }  # fmt: skip


def _hit_json(hit: Hit, *, explain: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "rank": hit.rank,
        "score": hit.score,
        "article": article_summary(hit.article),
        "passage": {
            "id": hit.passage_id,
            "text": hit.text,
            "start": hit.passage.start,
            "end": hit.passage.end,
            "highlights": [list(span) for span in hit.highlights],
            "best_sentence": list(hit.best_sentence),
        },
        "more_passages": hit.more_passages,
        "duplicates": [copy_json(copy) for copy in hit.copies],
    }
    if explain:
        found["signals"] = hit.signals
    return found
