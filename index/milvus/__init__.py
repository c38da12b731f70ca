"""A vector server in the place of files: what one machine derives from its catalog, published for many to search."""
