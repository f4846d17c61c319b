"""Lines that a relay writes under a log's own name beside the one that the log signed."""

from __future__ import annotations

from collections.abc import Sequence

from attack_bench import admitted

from rsc_share.log.note import Note, NoteSignature
from rsc_share.messages import Indicator
from rsc_share.session.frames import Logged, Outcome, Submission, Tail
from rsc_share.testing import Framework
from rsc_share.testing import adversaries as adv
from rsc_share.value import replace


class Beside(adv.Lie):
    """Puts a line before the log's own: by the log's name, by a key that nobody knows."""

    def _with(self, note: bytes) -> bytes:
        found = Note.parse(note)
        origin = found.text.split(b"\n")[0].decode()
        return Note(found.text, (NoteSignature(origin, b"????", bytes(64)), *found.signatures)).encode()

    async def read(self, log: str, start: int, limit: int) -> Tail | None:
        tail = await super().read(log, start, limit)
        return tail and replace(tail, note=self._with(tail.note))

    async def witnessed(self, log: str) -> bytes | None:
        note = await super().witnessed(log)
        return note and self._with(note)

    async def submit(self, log: str, entries: Sequence[Submission]) -> list[Outcome]:
        outcomes = await super().submit(log, entries)
        return [replace(each, note=self._with(each.note)) if isinstance(each, Logged) else each for each in outcomes]


async def test_relay_cannot_make_a_node_repeat_a_signature_that_the_log_never_made(fw: Framework) -> None:
    """The node would sign it, as `seen`, and everybody else would call its entries void."""
    Beside(fw, "EST")
    fw.clock.advance(seconds=60)
    await fw.settle()
    for number in range(3):
        sent = (
            await fw.node("EST")
            .channel("main")
            .publish(Indicator(pattern="p", stix_id=f"{number}"), label="REGIONAL RESTRICTED REL TO @members")
        )
        place = (await sent.receipt()).place
        await fw.settle()
        assert admitted(fw.node("LVA").engine, fw.node("EST").channel("main").line.log, place.index)
    engine = fw.node("EST").engine
    held = {log: line.follower.newest.head for log, line in engine.lines.items()}
    for log, head in {**held, engine.directory_log: engine.trust.newest.head}.items():
        assert head is not None
        await engine.port(log).offers({}, {log: head})


async def test_the_line_beside_is_one_that_a_note_may_have(fw: Framework) -> None:
    lie = Beside(fw, "EST")
    tail = await lie.read(lie.engine.directory_log, 0, 1)
    assert tail is not None
    lines = Note.parse(tail.note).signatures
    assert (lines[0].name, lines[0].blob) == (lie.engine.directory_log, bytes(64))
