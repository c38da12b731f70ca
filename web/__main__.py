"""`python -m web`: every command of `dateline`."""

from web.cli import main

main()
