"""`python -m driftline` is the command `driftline`."""

from driftline.cli.main import main

main()
