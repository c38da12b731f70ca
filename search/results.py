"""Search results as the JSON that the command line and the API share; the API's models check it."""

from typing import Any, Literal

from index.article import Article, Copy
from search.excerpts import inside
from search.hits import ArticleView, Counts, Hit, SearchResult, Similar, Span, Suggestion
from search.query import Interpreted

Interval = Literal["day", "month", "year"]


def result_json(result: SearchResult, interval: Interval = "month") -> dict[str, Any]:
    """The whole answer, in the shape of the API's contract; `interval` is what the timeline counts by."""
    request, facets = result.request, result.facets
    counts = {"day": facets.days, "month": facets.months, "year": facets.years}[interval]
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
        "results": [hit_json(hit, explain=request.explain) for hit in result.hits],
        "facets": {
            "source": _counts_json(facets.sources),
            "year": _counts_json(facets.years),
            "author": _counts_json(facets.authors),
            "language": _counts_json(facets.languages),
        },
        "timeline": [{"date": date, "count": count} for date, count in counts],
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


def article_json(view: ArticleView, window: Span) -> dict[str, Any]:
    """An article with what lies in `window` of its text: there, with the passages that begin there.

    All offsets but `offset` itself count in the whole text.
    """
    article, (start, end) = view.article, window
    scores = view.scores or (None,) * len(view.passages)
    passages = [
        {"id": f"{article.id}:{passage.start}-{passage.end}", "start": passage.start, "end": passage.end}
        | ({} if score is None else {"score": round(score, 4)})
        for passage, score in zip(view.passages, scores, strict=True)
        if start <= passage.start < end
    ]
    marks = {"highlights": [[start + low, start + high] for low, high in inside(view.highlights, window)]}
    return {
        **article_summary(article),
        "updated": article.updated,
        "section": article.section,
        "summary": article.summary,
        "length": len(article.text),
        "offset": start,
        "next_offset": end if end < len(article.text) else None,
        "text": article.text[start:end],
        **(marks if view.scores else {}),
        "extra": dict(article.extra),
        "passages": passages,
        "duplicates": [copy_json(copy) for copy in view.copies],
    }


def suggestion_json(suggestion: Suggestion) -> dict[str, Any]:
    """What somebody may be about to type."""
    return {"text": suggestion.text, "kind": suggestion.kind, "query": suggestion.query}


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


def hit_json(hit: Hit, *, explain: bool) -> dict[str, Any]:
    """One result."""
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
