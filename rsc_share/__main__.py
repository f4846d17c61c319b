"""`python -m rsc_share`: the command line, for whoever has no `rsc-share` on the path."""

from rsc_share.cli.start import run

run()
