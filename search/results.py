"""Search results as the JSON that the command line and the API share."""

from typing import Any

from index.article import Article, Copy
from search.hits import Counts, Hit, SearchResult, Similar
from search.query import Interpreted


def result_json(result: SearchResult) -> dict[str, Any]:
    """The whole answer, in the shape of the API's contract."""
    request, facets = result.request, result.facets
    return {
        "query": request.query,
        "interpreted": _interpreted_json(result.interpreted),
        "took_ms": result.took_ms,
        "generation": result.generation,
        "page": request.page,
        "size": request.size,
        "total": result.total,
        "total_relation": "eq" if result.total_is_exact else "gte",
        "gate": result.gate,
        "results": [_hit_json(hit, explain=request.explain) for hit in result.hits],
        "facets": {
            "source": _counts_json(facets.sources),
            "year": _counts_json(facets.years),
            "author": _counts_json(facets.authors),
            "language": _counts_json(facets.languages),
        },
        "timeline": [{"date": month, "count": count} for month, count in facets.months],
    }


def _interpreted_json(interpreted: Interpreted) -> dict[str, Any]:
    filters, period = interpreted.filters, interpreted.period
    return {
        "text": interpreted.text,
        "phrases": list(filters.phrases),
        "excluded": list(filters.excluded),
        "title": list(filters.title),
        "from": filters.first_day,
        "to": filters.last_day,
        "date_words": period.words if period else None,
        "sources": list(filters.sources),
        "excluded_sources": list(filters.excluded_sources),
        "authors": list(filters.authors),
        "corrections": [{"typed": typed, "meant": meant} for typed, meant in interpreted.corrections],
        "notes": list(interpreted.notes),
    }


def _counts_json(counts: Counts) -> list[dict[str, Any]]:
    return [{"value": value, "count": count} for value, count in counts]


def similar_json(similar: Similar) -> dict[str, Any]:
    """An article that is near another one."""
    return {**article_summary(similar.article), "score": similar.score}


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
        found |= {"signals": hit.signals, "shares": hit.shares}
    return found
