"""Articles from web pages."""

from index.extraction.page import read_page

__all__ = ["read_page"]
