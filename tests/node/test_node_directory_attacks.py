"""Attacks on a node by the relay that keeps its directory: what it logs there need not prove anything."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from node_world import Bench

from rsc_share import codec
from rsc_share.charter.certificate import OfficerCertificate, certify
from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.errors import Refused
from rsc_share.testing import Framework
from rsc_share.testing import adversaries as adv

MB = 1 << 20
OBJECTS = 24


def body(number: int) -> bytes:
    """Half a megabyte, made when it is asked for."""
    return number.to_bytes(4, "big") * (MB // 8)


def charter(first: int) -> bytes:
    """A charter that nobody signed, with three such bodies."""
    digests = [hashlib.sha256(body(first + i)).digest() for i in range(3)]
    content = {"version": 2, **dict(zip(("text", "keys", "signatures"), digests, strict=True))}
    return codec.pack(["charter", codec.pack(content), []])


class Generous(adv.Lie):
    """A relay that has every body it has ever named, and sends others along."""

    def __init__(self, fw: Framework, member: str, count: int) -> None:
        super().__init__(fw, member)
        self.numbers = {hashlib.sha256(body(number)).digest(): number for number in range(count)}

    async def bodies(self, log: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        found = {digest: body(self.numbers[digest]) for digest in digests if digest in self.numbers}
        return {**found, **{bytes([i]): bytes([i]) * MB for i in range(4)}}


async def test_attack_a_directory_that_names_megabytes_of_bodies_is_read_an_entry_at_a_time(tmp_path: Path) -> None:
    """A tail has 512 entries, each of which may name 16 MB: a node held all of them before it looked at one."""
    async with Bench.create(tmp_path) as bench:
        node = await bench.started()
        bench.fw.relay.cut_off("EST")
        relay = adv.CheatingRelay(bench.fw)
        for number in range(OBJECTS):
            await relay.log_object(charter(3 * number))
        bench.fw.relay.reconnect("EST")
        lie = Generous(bench.fw, "EST", 3 * OBJECTS)
        before = node.engine.trust.size
        tracemalloc.start()
        try:
            await node.engine.feed.follow(lie)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert node.engine.trust.size == before + OBJECTS
        assert peak < OBJECTS * MB * 3 // 4
        lie.stop()


async def test_attack_a_stolen_authority_certifies_in_front_of_an_entry_that_cannot_be_read() -> None:
    """Both in one tail: the certificate counted, and the node of its member was never told of it."""
    async with Framework.create("EST", "LVA", "FIN", seed=3) as fw:
        fw.relay.cut_off("FIN")
        party, engine = fw.party("FIN"), fw.node("FIN").engine
        thief = PrivateKey.generate(Suite.ED25519, seed=b"thief")
        now = fw.clock.now
        stolen = OfficerCertificate("FIN/thief-1", thief.public, frozenset({"approve"}), (now, now + 10**9), now)
        await fw.relay_service.submit_object(certify(stolen, fw.founded.framework_id, party.authority), {})
        await adv.CheatingRelay(fw).log_object(charter(0))
        fw.relay.reconnect("FIN")
        with pytest.raises(Refused, match="text is not here"):
            await engine.feed.follow(engine.port(engine.directory_log))
        told = [alarm.fields["node"] for alarm in engine.alarms.all() if alarm.code == "unexpected-certificate"]
        assert told == ["FIN/thief-1"]
