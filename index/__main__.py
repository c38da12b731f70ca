"""`python -m index`: the commands that fill and tend an index."""

from index.cli import main

main()
