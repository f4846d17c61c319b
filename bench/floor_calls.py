"""The calls without the program: what publisher, relay and reader cannot leave out, one library call after the other.

No policy, no rules, no objects of ours, no loop, nothing looked up that does not stand in the same run. What is made is
what the library makes, byte for byte; what is read is checked as docs/protocol.md asks each party to check it.
"""

from __future__ import annotations

import os
from base64 import b64encode
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from floor_entries import Run
from floor_line import FORMS, HASHES, ROWS, SEALING, SIGNATURES, Laps, decode, encode
from floor_party import NONCE, Party, counter, levels, same

from rsc_share.crypto.bodies import padded_size

ID, SALT, COUNTER_SALT = 10, 32, 16


class Publisher(Party):
    def compose(self, run: Run, laps: Laps) -> bytes:
        """The body of the call `submit`; durable here, for its outcome will be unknown."""
        contents = [encode([0, encode(text.value)]) for text in run.texts]
        laps(self.name, FORMS)
        bodies, parts = self._sealed(run, contents, laps)
        counters = self._counters(run, laps)
        headers, hashes = self._headers(run, counters, parts, laps)
        blocks = self._signed_together(hashes, laps)
        openings = [item.openings for item in run.submissions]
        entries = [
            [header, block, opened, [], [body]]
            for header, block, opened, body in zip(headers, blocks, openings, bodies, strict=True)
        ]
        self.handed_in = list(zip(headers, blocks, strict=True))
        body = encode([self.known.log, entries])
        laps(self.name, FORMS)
        self.rows.keep_in_turn(run.first, body, len(entries), self.together)
        laps(self.name, ROWS)
        return body

    def _sealed(self, run: Run, contents: list[bytes], laps: Laps) -> tuple[list[bytes], list[dict[str, Any]]]:
        """Ciphertexts, and what the headers say of them."""
        os.urandom(len(contents) * (ID + SALT + COUNTER_SALT * len(self.places)))  # those used were recorded
        laps(self.name, SEALING)
        named = list(zip(run.texts, contents, strict=True))
        commits = [self.commitment(text.id, text.salt, content) for text, content in named]
        laps(self.name, HASHES)
        bodies = [
            AESGCM(self.key(text.id, commit)).encrypt(NONCE, _padded(text.salt, content), self.place(text.id))
            for (text, content), commit in zip(named, commits, strict=True)
        ]
        laps(self.name, SEALING)
        digests = [sha256(body).digest() for body in bodies]
        media = "application/vnd.rsc-share+msgpack"
        found = zip(commits, digests, bodies, strict=True)
        parts = [{"commit": c, "digest": d, "media": media, "size": len(body)} for c, d, body in found]
        laps(self.name, HASHES)
        return bodies, parts

    def _counters(self, run: Run, laps: Laps) -> list[list[list[Any]]]:
        named = list(zip(self.known.readers, self.places, strict=True))
        found = [
            [
                [node, counter(opened.salt, place, opened.n)]
                for (node, place), opened in zip(named, item.openings, strict=True)
            ]
            for item in run.submissions
        ]
        laps(self.name, HASHES)
        return found

    def _headers(
        self, run: Run, counters: list[list[list[Any]]], parts: list[dict[str, Any]], laps: Laps
    ) -> tuple[list[bytes], list[bytes]]:
        """Each names the hash of the one before. What is the same in a whole run is taken from its first header."""
        header: dict[str, Any] = decode(run.submissions[0].header)
        laps.begin()
        packed, hashes, seq, prev = [], [], header["seq"], header["prev"]
        for text, to, part in zip(run.texts, counters, parts, strict=True):
            header["id"], header["seq"], header["prev"] = text.id, seq, prev
            header["to"], header["parts"] = to, [part]
            packed.append(encode(header))
            prev = sha256(b"\0" + packed[-1]).digest()
            hashes.append(prev)
            seq += 1
        laps(self.name, FORMS)
        return packed, hashes

    def _signed_together(self, hashes: list[bytes], laps: Laps) -> list[bytes]:
        rows = levels(hashes)
        laps(self.name, HASHES)
        signature = self.sign_run(len(hashes), rows[-1][0])
        laps(self.name, SIGNATURES)
        found = self.blocks(rows, signature)
        laps(self.name, FORMS)
        return found

    def receipts(self, answer: bytes, laps: Laps) -> None:
        """Its own leaves stand in the tree that the log has signed: its own edge says so, no proof is walked."""
        outcomes = decode(answer)
        named = zip(self.handed_in, outcomes, strict=True)
        entries = [encode([1, *made, encode([logged[2], logged[3]])]) for made, logged in named]
        note = outcomes[0][4]
        laps(self.name, FORMS)
        self.grown(entries, laps)
        size, root = self.signed_tree(note, laps)
        same((size, root), (self.tree.size, self.tree.root()))
        laps(self.name, HASHES)


class Relay(Party):
    def judge(self, run: Run, asked: bytes, laps: Laps) -> bytes:
        """The answer of `submit`. What is in it is durable."""
        _, self._entries = decode(asked)
        first, stamp = self.tree.size, encode(run.outcomes[0].stamp)
        headers, blocks = [item[0] for item in self._entries], [item[1] for item in self._entries]
        found = self.parts(headers, laps)
        self.signed_run(headers, blocks, laps)
        self._true(found, laps)
        self._raw = [encode([1, header, block, stamp]) for header, block in zip(headers, blocks, strict=True)]
        laps(self.name, FORMS)
        self.grown(self._raw, laps)
        self._keep(first, laps)
        self._note = self._signed_note(laps)
        proofs = [outcome.proof for outcome in run.outcomes]
        packed = encode([["logged", at, *decode(stamp), self._note, proof] for at, proof in enumerate(proofs, first)])
        laps(self.name, FORMS)
        return packed

    def _true(self, headers: list[Any], laps: Laps) -> None:
        """Counters and bodies are those that the headers commit to."""
        for header, (_, _, openings, _, bodies) in zip(headers, self._entries, strict=True):
            for (_, c), place, (salt, n) in zip(header.to, self.places, openings, strict=True):
                same(counter(salt, place, n), c)
            same(sha256(bodies[0]).digest(), header.parts[0].digest)
        laps(self.name, HASHES)

    def _keep(self, first: int, laps: Laps) -> None:
        """Entries with what travels beside them, and the head."""
        named = enumerate(zip(self._raw, self._entries, strict=True), first)
        rows = [(at, raw, encode(entry[2]), entry[4][0]) for at, (raw, entry) in named]
        self.rows.keep([*rows, (-1, self.tree.state(), b"", b"")])
        laps(self.name, ROWS)

    def _signed_note(self, laps: Laps) -> bytes:
        log, root = self.known.log, self.tree.root()
        text = f"{log}\n{self.tree.size}\n{b64encode(root).decode()}\n".encode()
        laps(self.name, HASHES)
        line = b64encode(self.log_key_id + self.sign_tree(text))
        laps(self.name, SIGNATURES)
        return b"%s\n\xe2\x80\x94 %s %s\n" % (text, log.encode(), line)

    def shown(self, reader: int, laps: Laps) -> bytes:
        """The tail for one reader: every entry of the run, with what opens its own counter."""
        named = zip(self._raw, self._entries, strict=True)
        items = [[raw, entry[2][reader], [], entry[4]] for raw, entry in named]
        tail = encode([self.known.log, self.tree.size - len(items), items, self._note])
        laps(self.name, FORMS)
        return tail


class Reader(Party):
    def read(self, shown: bytes, laps: Laps) -> list[Any]:
        """What the messages say. Where this reader stands is durable."""
        _, _, items, note = decode(shown)
        laps(self.name, FORMS)
        size, root = self.signed_tree(note, laps)
        self.grown([item[0] for item in items], laps)
        same((size, root), (self.tree.size, self.tree.root()))
        laps(self.name, HASHES)
        entries = [decode(item[0]) for item in items]
        same([encode(entry) for entry in entries], [item[0] for item in items])
        same({entry[3] for entry in entries}, {encode(decode(entries[0][3]))})
        headers = [entry[1] for entry in entries]
        found = self.parts(headers, laps)
        self.signed_run(headers, [entry[2] for entry in entries], laps)
        contents = self._opened(found, items, laps)
        values = [decode(decode(content)[1]) for content in contents]
        laps(self.name, FORMS)
        self.rows.keep([(0, self.tree.state(), note, b"")])
        laps(self.name, ROWS)
        return values

    def _opened(self, headers: list[Any], items: list[Any], laps: Laps) -> list[bytes]:
        """The digest of a body is not made again: what opens, and is what was committed to, has only one ciphertext."""
        at = self.known.readers.index(self.name)
        place = self.places[at]
        for header, (_, (salt, n), _, _) in zip(headers, items, strict=True):
            same((self.name, counter(salt, place, n)), header.to[at])
        laps(self.name, HASHES)
        plains = [
            AESGCM(self.key(header.id, header.parts[0].commit)).decrypt(NONCE, item[3][0], self.place(header.id))
            for header, item in zip(headers, items, strict=True)
        ]
        laps(self.name, SEALING)
        return self._committed(headers, plains, laps)

    def _committed(self, headers: list[Any], plains: list[bytes], laps: Laps) -> list[bytes]:
        """AES-GCM does not commit to its key, so every reader makes the commitment again."""
        contents = []
        for header, plain in zip(headers, plains, strict=True):
            end = 4 + int.from_bytes(plain[:4], "big")
            same((len(plain), plain.count(0, end)), (padded_size(end), len(plain) - end))
            salt, content = decode(plain[4:end])
            same(self.commitment(header.id, salt, content), header.parts[0].commit)
            contents.append(content)
        laps(self.name, HASHES)
        return contents


def _padded(salt: bytes, content: bytes) -> bytes:
    packed = encode([salt, content])
    plain = len(packed).to_bytes(4, "big") + packed
    return plain.ljust(padded_size(len(plain)), b"\0")
