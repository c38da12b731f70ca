"""The story in a text that may be a whole page, copied with everything around the story."""

from index.cleaning.page import CleanedPage, clean_page

__all__ = ["CleanedPage", "clean_page"]
