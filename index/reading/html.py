"""The former place of `index.extraction.read_page`."""

from index.extraction import read_page as read_html

__all__ = ["read_html"]
