"""`rsc-share`, as an operator starts it, except where a test takes its syncs away."""

from no_sync import if_asked

if_asked()

from rsc_share.cli.start import run  # noqa: E402

run()
