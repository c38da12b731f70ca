"""`python -m search`: the commands of `python -m index`, and searching."""

from search.cli import main

main()
