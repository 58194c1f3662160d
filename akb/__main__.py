"""`python -m akb` is `akb`."""

from akb.cli.app import main

main()
