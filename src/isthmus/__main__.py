"""`python -m isthmus` is the command."""

from isthmus.cli.main import run

run()
