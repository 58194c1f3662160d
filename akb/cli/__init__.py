"""The command line of akb."""
