"""Finding passages: `open_engine("dateline-index").search("Canada peacekeeping logistics", size=5)`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.engine import Engine, open_engine
    from search.hits import Hit, SearchResult
    from search.query import SearchRequest

__all__ = ["Engine", "Hit", "SearchRequest", "SearchResult", "open_engine"]


def __getattr__(name: str) -> Any:
    """The public names, loaded when first used: importing this package loads no heavy library."""
    if name == "SearchRequest":
        from search.query import SearchRequest

        return SearchRequest
    if name in ("Hit", "SearchResult"):
        from search import hits

        return getattr(hits, name)
    if name in __all__:
        from search import engine

        return getattr(engine, name)
    raise AttributeError(f"module 'search' has no attribute {name!r}")
