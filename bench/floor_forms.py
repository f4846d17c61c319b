"""The same as `floor_calls` with the typed forms of this library on top: what an object costs. Still no rules, no
policy, no loop and no session."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from floor_entries import LABEL, Recorded, Run
from floor_line import FORMS, HASHES, ROWS, SEALING, SIGNATURES, Laps, Rows
from floor_party import same

from rsc_share import codec
from rsc_share.crypto.bodies import SealedPart, open_part, seal_part, to_commitment
from rsc_share.crypto.verify_cache import VerifyCache
from rsc_share.envelope.entry import Signed, UnverifiedEntry
from rsc_share.envelope.header import Header, header_hash
from rsc_share.envelope.parts import Opening
from rsc_share.envelope.signature import sign_batch, verify_block
from rsc_share.labels.label import Label
from rsc_share.log.checkpoint import Checkpoint, sign_checkpoint, verify_checkpoint
from rsc_share.log.merkle import CompactRange
from rsc_share.log.note import Note
from rsc_share.log.proofs import verify_inclusion
from rsc_share.messages import Indicator, assemble, split
from rsc_share.node.attachments import unwrap, wrap
from rsc_share.relay.store.protocol import Stored
from rsc_share.relay.store.rows import pack_beside
from rsc_share.session.calls import read_answer, read_arguments
from rsc_share.session.frames import Full, Logged, Submission, Tail
from rsc_share.session.table import MAX_MESSAGE
from rsc_share.value import replace


class Party:
    def __init__(self, recorded: Recorded, name: str, rows: Rows, together: int = 0) -> None:
        r = self.known = recorded
        self.name, self.rows, self.together = name, rows, together
        self.cache, self.tree = VerifyCache(), CompactRange()
        for leaf in r.leaves:
            self.tree.append(leaf)
        self.place = {"framework_id": r.framework_id, "log": r.log, "realm": r.realm, "sender": r.sender}

    def grown(self, entries: list[UnverifiedEntry], laps: Laps) -> None:
        for entry in entries:
            self.tree.append(entry.leaf)
        laps(self.name, HASHES)

    def signed_runs(self, signed: list[Signed], laps: Laps) -> None:
        key = self.known.signer.public
        for item in signed:
            verify_block(item.block, item.header_hash, key, self.known.framework_id, self.known.realm, self.cache)
        laps(self.name, SIGNATURES)

    def signed_tree(self, note: bytes, laps: Laps) -> Checkpoint:
        found = Note.parse(note)
        checkpoint = Checkpoint.parse(found.text)
        verify_checkpoint(checkpoint, found.signatures[0].blob, self.known.log_public, self.cache.verify)
        laps(self.name, SIGNATURES)
        return checkpoint

    def counter(self, node: str, opening: Opening) -> bytes:
        return to_commitment(log=self.known.log, sender=self.known.sender, node=node, n=opening.n, salt=opening.salt)

    def state(self) -> bytes:
        return codec.pack([self.tree.size, list(self.tree.edge)])


class Publisher(Party):
    def compose(self, run: Run, laps: Laps) -> bytes:
        messages = [Indicator.model_validate(text.value, strict=False) for text in run.texts]
        first = Header.parse(run.submissions[0].header)
        laps.begin()  # what the embedder makes, and what stands once for a run
        parts = self._sealed(run, messages, laps)
        headers = self._headers(first, run, parts, laps)
        blocks = sign_batch(self.known.signer, self.known.framework_id, self.known.realm, headers)
        laps(self.name, SIGNATURES)
        self._handed_in = [
            Submission(header, block, item.openings, (), (part.body,))
            for header, block, item, part in zip(headers, blocks, run.submissions, parts, strict=True)
        ]
        body = codec.pack([self.known.log, [entry.wire() for entry in self._handed_in]])
        laps(self.name, FORMS)
        self.rows.keep_in_turn(run.first, body, len(blocks), self.together)
        laps(self.name, ROWS)
        return body

    def _sealed(self, run: Run, messages: list[Indicator], laps: Laps) -> list[SealedPart]:
        contents = [wrap(0, split(message, LABEL)[0].payload) for message in messages]
        laps(self.name, FORMS)
        parts = [
            seal_part(self.known.gk, id=text.id, part=0, salt=text.salt, payload=content, **self.place)
            for text, content in zip(run.texts, contents, strict=True)
        ]
        laps(self.name, SEALING)
        return parts

    def _headers(self, header: Header, run: Run, parts: list[SealedPart], laps: Laps) -> list[bytes]:
        nodes = self.known.readers
        counters = [
            tuple((node, self.counter(node, opened)) for node, opened in zip(nodes, item.openings, strict=True))
            for item in run.submissions
        ]
        laps(self.name, HASHES)
        packed, (part,) = list[bytes](), header.parts
        for text, sealed, to in zip(run.texts, parts, counters, strict=True):
            named = type(part)(commit=sealed.commit, digest=sealed.digest, media=part.media, size=sealed.size)
            seq, prev = (header.seq + 1, header_hash(packed[-1])) if packed else (header.seq, header.prev)
            header = replace(header, id=text.id, seq=seq, prev=prev, to=to, parts=(named,))
            packed.append(header.pack())
        laps(self.name, FORMS)
        return packed

    def receipts(self, answer: bytes, laps: Laps) -> None:
        outcomes = read_answer("submit", answer)
        signed = [Signed.parse(entry.header, entry.block) for entry in self._handed_in]
        named = list(zip(signed, outcomes, strict=True))
        entries = [UnverifiedEntry.stamped(item, logged.stamp) for item, logged in named]
        laps(self.name, FORMS)
        checkpoint = self.signed_tree(outcomes[0].note, laps)
        for entry, logged in zip(entries, outcomes, strict=True):
            verify_inclusion(logged.index, checkpoint.size, entry.leaf, logged.proof, checkpoint.root)
        laps(self.name, HASHES)


class Relay(Party):
    def judge(self, run: Run, asked: bytes, laps: Laps) -> bytes:
        _, self._entries = read_arguments("submit", asked)
        signed = [Signed.parse(entry.header, entry.block) for entry in self._entries]
        laps(self.name, FORMS)
        self.signed_runs(signed, laps)
        self._true(signed, laps)
        stamp, first = run.outcomes[0].stamp, self.tree.size
        self._logged = [UnverifiedEntry.stamped(item, stamp) for item in signed]
        laps(self.name, FORMS)
        self.grown(self._logged, laps)
        self._keep(first, laps)
        self._note = self._signed_note(laps)
        proofs = (outcome.proof for outcome in run.outcomes)
        outcomes = [Logged(at, stamp, self._note, proof) for at, proof in enumerate(proofs, first)]
        packed = codec.pack([outcome.wire() for outcome in outcomes])
        laps(self.name, FORMS)
        return packed

    def _true(self, signed: list[Signed], laps: Laps) -> None:
        for item, entry in zip(signed, self._entries, strict=True):
            for (node, c), opened in zip(item.header.to, entry.openings, strict=True):
                same(self.counter(node, opened), c)
            same(sha256(entry.bodies[0]).digest(), item.header.parts[0].digest)
        laps(self.name, HASHES)

    def _keep(self, first: int, laps: Laps) -> None:
        rows = []
        for at, (logged, entry) in enumerate(zip(self._logged, self._entries, strict=True), first):
            openings = dict(zip(logged.header.nodes, entry.openings, strict=True))
            rows.append((at, logged.raw, pack_beside(Stored(logged.raw, openings, {})), entry.bodies[0]))
        self.rows.keep([*rows, (-1, self.state(), b"", b"")])
        laps(self.name, ROWS)

    def _signed_note(self, laps: Laps) -> bytes:
        checkpoint = Checkpoint(self.known.log, self.tree.size, self.tree.root())
        note = Note(checkpoint.text(), (sign_checkpoint(checkpoint, self.known.log_key),)).encode()
        laps(self.name, SIGNATURES)
        return note

    def shown(self, reader: int, laps: Laps) -> bytes:
        named = zip(self._logged, self._entries, strict=True)
        items = tuple(Full(logged.raw, entry.openings[reader], (), entry.bodies) for logged, entry in named)
        tail = Tail(self.known.log, self.tree.size - len(items), items, self._note)
        packed = codec.pack(tail.wire())
        laps(self.name, FORMS)
        return packed


class Reader(Party):
    def read(self, shown: bytes, laps: Laps) -> list[Any]:
        tail = Tail.from_wire(codec.unpack(shown, max_size=MAX_MESSAGE))
        laps(self.name, FORMS)
        checkpoint = self.signed_tree(tail.note, laps)
        items = [item for item in tail.items if isinstance(item, Full)]
        entries = UnverifiedEntry.parse_all([item.entry for item in items])
        laps(self.name, FORMS)
        self.grown(entries, laps)
        same((checkpoint.size, checkpoint.root), (self.tree.size, self.tree.root()))
        laps(self.name, HASHES)
        self.signed_runs([entry.signed for entry in entries], laps)
        contents = self._opened(entries, items, laps)
        found = [self._body(entry.header.label, content) for entry, content in zip(entries, contents, strict=True)]
        laps(self.name, FORMS)
        self.rows.keep([(0, self.state(), tail.note, b"")])
        laps(self.name, ROWS)
        return found

    def _opened(self, entries: list[UnverifiedEntry], items: list[Full], laps: Laps) -> list[bytes]:
        for entry, item in zip(entries, items, strict=True):
            assert item.opening is not None
            same(self.counter(self.name, item.opening), dict(entry.header.to)[self.name])
            same(sha256(item.bodies[0]).digest(), entry.header.parts[0].digest)
        laps(self.name, HASHES)
        gk, found = self.known.gk, []
        for header, item in zip((entry.header for entry in entries), items, strict=True):
            commit = header.parts[0].commit
            found.append(open_part(gk, item.bodies[0], commit, id=header.id, part=0, **self.place)[1])
        laps(self.name, SEALING)
        return found

    def _body(self, label: Label | None, content: bytes) -> Any:
        assert label is not None
        portion, payload, _ = unwrap(content)
        return assemble(Indicator, {portion: payload}, None, {}, {portion: label})
