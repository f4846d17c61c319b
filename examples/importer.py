"""Publish a STIX 2.1 bundle: what could not be carried is named, a second run sends nothing twice.

python examples/importer.py [FILE]
"""

from __future__ import annotations

import asyncio
import sys
from importlib import resources
from pathlib import Path

from rsc_share import Draft, Node, PolicyDenied, RemoteError
from rsc_share.stix import StixImport, read_bundle
from rsc_share.testing import Framework

OURS = resources.files("rsc_share.demo").joinpath("data", "cyber.stix.json")


async def publish(node: Node, found: StixImport) -> int:
    """Queue every message, or none; then wait for the proof that each is in the log."""
    channel = node.channel("main")
    drafts = [Draft(body, label="TLP:AMBER REL TO @members", key=body.stix_id) for body in found]
    try:
        submissions = await channel.publish_all(drafts, must_reach=["LVA"])
    except PolicyDenied as denied:
        for outcome in denied.plan.withheld:
            print("withheld:", outcome.member, outcome.portion, outcome.code, outcome.rule, file=sys.stderr)
        return 3
    for submission in submissions:
        print("logged", (await submission.receipt()).reference)
    return 0


async def main(source: bytes) -> int:
    try:
        found = read_bundle(source)
    except RemoteError as error:  # what was sent to us is wrong: nothing is half imported
        print(error, file=sys.stderr)
        return 2
    for line in found.loss:
        print("not carried:", line, file=sys.stderr)
    async with Framework.create("EST", "LVA", "FIN") as framework:
        code = await publish(framework.node("EST"), found)
        return code or await publish(framework.node("EST"), found)  # the same keys: the same messages


if __name__ == "__main__":
    given = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else OURS.read_bytes()
    sys.exit(asyncio.run(main(given)))
