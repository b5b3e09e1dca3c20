"""``python -m livewell``."""

from livewell.cli import main

main()
