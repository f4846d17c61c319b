"""What the pure core costs: sealing, signing, admitting, deciding, replaying, proving, starting.

    python bench/core.py                        the whole table, about a minute
    python bench/core.py --quick                smaller logs
    python bench/core.py --only replay --json - one part, as JSON

Every figure is CPU time of one core. The logs are made by `synthetic.py` and pass every check.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from itertools import count, cycle, islice

from measure import Row, command, in_turn, least, microseconds, print_table, write_json
from synthetic import STATES, TYPE, Synthetic

from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.replay import Anchors, replay
from rsc_share.collector import few_collections
from rsc_share.compiled import described
from rsc_share.crypto.bodies import open_part, seal_part
from rsc_share.crypto.sealing import Prekey, grant_check, grant_info, open_key, seal_key
from rsc_share.crypto.signing import PrivateKey, Suite, verify
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.header import Header, header_hash
from rsc_share.envelope.signature import SignatureBlock, sign_batch, verify_block
from rsc_share.log.merkle import leaf_hash
from rsc_share.log.proofs import verify_consistency, verify_inclusion
from rsc_share.log.tree import MemoryTree
from rsc_share.messages.portions import write_payload
from rsc_share.policy.cache import DecisionCache
from rsc_share.policy.decide import decide
from rsc_share.policy.subject import Facets

PAYLOAD = write_payload({"text": "x" * 980}, TYPE)


@cache
def log_of(entries: int, batch: int) -> Synthetic:
    made = Synthetic()
    made.fill(entries, batch)
    return made


def messages(quick: bool) -> list[Row]:
    """One message from the header in memory to the bytes on the wire, and back."""
    world, rows = log_of(640, 1), []
    raw = [raw for raw in world.entries if UnverifiedEntry.parse(raw).header.kind == "message"]
    signed = [UnverifiedEntry.parse(entry).signed for entry in raw][:256]
    for batch in (1, 64):
        rows += _sending(world, [item.header for item in signed], batch)
    rows.append(Row("parse an entry", microseconds(in_turn(lambda i: UnverifiedEntry.parse(raw[i]), 256)), "us"))
    return rows


def _sending(world: Synthetic, headers: list[Header], batch: int) -> list[Row]:
    key = world.senders[0].key
    fid, gk = world.founded.framework_id, bytes(32)
    place = {"framework_id": fid, "log": world.origin, "realm": "operational", "sender": "EST/mod-1"}

    def seal_and_sign() -> None:
        packed = []
        for header in headers[:batch]:
            seal_part(gk, **place, id=header.id, part=0, salt=os.urandom(32), payload=PAYLOAD)
            packed.append(header.pack())
        sign_batch(key, fid, "operational", packed)

    packed = [header.pack() for header in headers[:batch]]
    blocks = sign_batch(key, fid, "operational", packed)
    sealed = [
        seal_part(gk, **place, id=header.id, part=0, salt=bytes(32), payload=PAYLOAD) for header in headers[:batch]
    ]

    def verify_and_open() -> None:
        cache = VerifyCache()
        for data, block, part, header in zip(packed, blocks, sealed, headers, strict=False):
            Header.parse(data)
            found = SignatureBlock.parse(block)
            verify_block(found, header_hash(data), key.public, fid, "operational", cache)
            open_part(gk, part.body, part.commit, **place, id=header.id, part=0)

    times = max(1, 256 // batch)
    return [
        Row(f"seal + sign, batch {batch}", microseconds(least(seal_and_sign, times=times) / batch), "us/message"),
        Row(f"verify + open, batch {batch}", microseconds(least(verify_and_open, times=times) / batch), "us/message"),
    ]


def signatures(quick: bool) -> list[Row]:
    """The walls everything else stands on."""
    rows = []
    for suite, times in ((Suite.ED25519, 200), (Suite.HYBRID, 10), (Suite.ML_DSA_44, 20)):
        key = PrivateKey.generate(suite, seed=b"bench")
        made = key.sign(PAYLOAD)
        sign = least(lambda key=key: key.sign(PAYLOAD), times=times)
        check = least(lambda key=key, made=made: verify(key.public, PAYLOAD, made), times=times)
        rows.append(Row(f"{suite.name} sign", microseconds(sign), "us"))
        rows.append(Row(f"{suite.name} verify", microseconds(check), "us"))
    return rows


def grants(quick: bool) -> list[Row]:
    """A key hand-out grows linearly with its recipients."""
    keys = [Prekey.generate(seed=bytes([i])) for i in range(25)]
    gk = bytes(32)
    check = grant_check(gk)
    made = {"framework_id": check, "log": "h/f/c", "realm": "operational", "sender": "EST/mod-1", "grant_id": bytes(16)}
    infos = [grant_info(**made, node=f"EST/mod-{i}", prekey_id=key.id, check=check) for i, key in enumerate(keys)]
    rows = []
    for recipients in (1, 5, 25):
        pairs = list(zip(keys, infos, strict=True))[:recipients]
        seconds = least(lambda pairs=pairs: [seal_key(key.public, gk, info) for key, info in pairs])
        rows.append(Row(f"seal a grant key to {recipients}", microseconds(seconds), "us"))
    sealed = seal_key(keys[0].public, gk, infos[0])
    rows.append(
        Row("open a grant key", microseconds(least(lambda: open_key(keys[0], sealed, infos[0]), times=20)), "us")
    )
    return rows


def deciding(quick: bool) -> list[Row]:
    """`decide` over 240 labels and six nodes: every question new, the same label in turn, and remembered."""
    world = log_of(640, 1)
    view, now = world.view, world.now
    bundle, channel = view.bundle(now), view.channel_facts(world.origin, now)
    labels = [label for sender in world.senders for label in sender.labels]
    subjects = [view.subject(node, now) for node in view.active_nodes(world.origin, now)]
    facets = [Facets(now, channel, code, "threat", TYPE) for code in STATES]
    asked = list(islice(zip(cycle(labels), cycle(subjects), cycle(facets), count()), 6000))
    grouped = [(label, subject, facets[i % 6]) for i, label in enumerate(labels) for subject in subjects]
    cached = DecisionCache()

    def new(i: int) -> None:
        label, subject, facet, _ = asked[i]
        decide(bundle, label, subject, "receive", facet)

    def in_order(i: int) -> None:
        label, subject, facet = grouped[i]
        decide(bundle, label, subject, "receive", facet)

    def remembered(i: int) -> None:
        label, subject, facet, _ = asked[i]
        cached.decide(bundle, label, subject, "receive", facet)

    return [
        Row("decide, another label every time", microseconds(in_turn(new, len(asked))), "us", target="< 2"),
        Row("decide, one label for six nodes", microseconds(in_turn(in_order, len(grouped))), "us", target="< 2"),
        Row("decide, from the cache", microseconds(in_turn(remembered, len(asked))), "us"),
    ]


def admitting(quick: bool) -> list[Row]:
    """The relay's verdict on one entry: parsed, verified, judged. Taken while the logs are made."""
    size = 2_000 if quick else 6_400
    return [
        Row(f"admit, batch {batch}", microseconds(made.admit_seconds / len(made.entries)), "us/entry")
        for batch in (1, 64)
        for made in [log_of(size, batch)]
    ]


def replaying(quick: bool) -> list[Row]:
    """A whole audit on one core: six members, 240 labels, no decision cache, a second opinion on every decision.

    Beside the rate stands what an entry takes in signature checks, which a slow hour of the machine changes less.
    """
    rows = []
    one = _one_verification()
    for batch, target in ((1, ">= 8,000"), (64, ">= 20,000")):
        world = log_of(2_000 if quick else 20_000, batch)
        files, entries = MemoryFiles(whole_export(world.source())), len(world.entries)
        anchors = Anchors(charter_digest=world.founded.framework_id)
        gc.collect()
        with few_collections():  # as the command line does; the log's maker is none of an auditor's memory
            found = replay(files, anchors)
            assert not found.findings, found.findings[:3]
            seconds = least(lambda files=files, anchors=anchors: replay(files, anchors))
        one = min(one, _one_verification())
        signed = "singly signed" if batch == 1 else f"signed by {batch}"
        each = f"{seconds / entries / one:.2f} checks each"
        note = f"{entries:,} entries, {found.decisions:,} decisions, {described()}, {each}"
        rows.append(Row(f"replay, {signed}", round(entries / seconds), "entries/s", note, target))
    rows.append(Row("one Ed25519 verification beside it", microseconds(one), "us"))
    return rows


def _one_verification() -> float:
    """Seconds."""
    key = PrivateKey.generate(Suite.ED25519, seed=b"bench")
    made = key.sign(PAYLOAD[:120])
    return least(lambda: verify(key.public, PAYLOAD[:120], made), times=400)


def proving(quick: bool) -> list[Row]:
    """Proofs grow with the logarithm of the log."""
    rows = []
    for exponent in (10, 14, 17) if quick else (10, 14, 17, 20):
        size = 1 << exponent
        tree = MemoryTree(leaf_hash(i.to_bytes(4, "big")) for i in range(size + 1))
        index, root, old = size // 3, tree.root(), size // 2 + 1
        proof, growth = tree.inclusion(index), tree.consistency(old)
        leaf, before = tree.leaf(index), tree.root(old)
        make = least(lambda tree=tree, index=index: tree.inclusion(index), times=200)
        check = least(lambda a=(index, size + 1, leaf, proof, root): verify_inclusion(*a), times=200)
        grow = least(lambda a=(old, size + 1, before, root, growth): verify_consistency(*a), times=200)
        rows.append(Row(f"inclusion, n = 2^{exponent}: make", microseconds(make), "us", f"{len(proof)} hashes"))
        rows.append(Row(f"inclusion, n = 2^{exponent}: verify", microseconds(check), "us"))
        rows.append(Row(f"consistency, n = 2^{exponent}: verify", microseconds(grow), "us", f"{len(growth)} hashes"))
    return rows


def starting(quick: bool) -> list[Row]:
    """What a command waits for before it begins."""
    python, tool = sys.executable, os.path.join(os.path.dirname(sys.executable), "rsc-share")
    bare = command(python, "-c", "pass")
    rows = [
        Row("python -c pass", round(bare * 1000, 1), "ms"),
        Row(
            "import rsc_share",
            round((command(python, "-c", "import rsc_share") - bare) * 1000, 1),
            "ms",
            target="< 150",
        ),
    ]
    if os.path.exists(tool):
        rows.append(Row("rsc-share --help", round(command(tool, "--help") * 1000, 1), "ms", target="< 400"))
    return rows


PARTS: dict[str, tuple[str, Callable[[bool], Sequence[Row]]]] = {
    "signatures": ("Signatures, 1 KiB", signatures),
    "messages": ("Messages of 1 KiB", messages),
    "grants": ("Grants", grants),
    "decide": ("Policy", deciding),
    "admit": ("Admission", admitting),
    "replay": ("Audit replay, one core", replaying),
    "proofs": ("Proofs", proving),
    "start": ("Starting", starting),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="What the pure core costs.")
    parser.add_argument("--only", action="append", choices=sorted(PARTS), help="one part, or several")
    parser.add_argument("--quick", action="store_true", help="smaller logs")
    parser.add_argument("--json", metavar="PATH", help="also write JSON; - for standard output instead of the table")
    asked = parser.parse_args()
    tables: dict[str, Sequence[Row]] = {}
    for name in asked.only or PARTS:
        title, measure = PARTS[name]
        tables[name] = measure(asked.quick)
        if asked.json != "-":
            print_table(title, tables[name])
    if asked.json:
        write_json(tables, asked.json)


if __name__ == "__main__":
    main()
