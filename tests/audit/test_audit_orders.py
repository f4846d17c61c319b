"""Bodies that went on an order behind the end of an export: an honest relay is believed, a losing one is not."""

from __future__ import annotations

import pytest
from audit_world import CT, World

from rsc_share.audit import layout
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.findings import Grade
from rsc_share.audit.orders import Order, Orders, orders_of, pack_orders, read_orders
from rsc_share.audit.replay import Replay, replay
from rsc_share.audit.source import cut_to
from rsc_share.envelope.contents import ErasureContent, RecallContent
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.envelope.parts import Ref, Refs
from rsc_share.errors import LocalError, RemoteError
from rsc_share.value import replace


class Cut:
    """A world whose export ends before its newest entries, as `relay export` ends a log that grows."""

    def __init__(self) -> None:
        self.world = World()
        self.officer = self.world.officer("EST/duty-1")
        grant = self.world.grant("EST/mod-1")
        self.first = self.world.message("EST/mod-1", grant)
        self.second = self.world.message("EST/mod-1", grant, payload=b"other")
        self.size = len(self.world.logs[CT].entries)
        self.end = self.world.note(CT)

    def recall(self, index: int, sender: str = "EST/mod-1", **changes) -> int:
        refs = Refs(target=self.world.ref(index))
        to = self.world.others(sender)
        return self.world.quiet(sender, "recall", to, refs=refs, content=RecallContent(None), **changes)

    def digest(self, index: int) -> bytes:
        return UnverifiedEntry.parse(self.world.logs[CT].entries[index]).header.parts[0].digest

    def orders(self) -> Orders | None:
        log = self.world.logs[CT]
        return orders_of(log.tree, self.size, log.entries[self.size :], self.world.note(CT, witnesses=()))

    def source(self, orders: Orders | None, *lost: int, reason: str = "recalled"):
        log = self.world.logs[CT]
        found = self.world.source()
        gone = [self.digest(index) for index in lost]
        beside = {i: openings for i, openings in log.openings.items() if i < self.size}
        cut = [
            replace(item, entries=item.entries[: self.size], note=self.end, openings=beside, orders=orders)
            if item.origin == CT
            else item
            for item in found.logs
        ]
        bodies = {digest: body for digest, body in found.bodies.items() if digest not in gone}
        return replace(found, logs=cut, bodies=bodies, absent=dict.fromkeys(gone, reason))

    def audit(self, orders: Orders | None, *lost: int, reason: str = "recalled") -> Replay:
        return self.replay(whole_export(self.source(orders, *lost, reason=reason)))

    def replay(self, files: dict[str, bytes], **outside: bytes) -> Replay:
        return replay(MemoryFiles(files), Anchors(self.world.id, outside or {"a member": self.end}))


def grave(result: Replay) -> list[tuple[str, int | None]]:
    return [(f.code, f.index) for f in result.findings if f.grade is not Grade.OBSERVATION]


@pytest.fixture
def cut() -> Cut:
    return Cut()


def test_a_recall_behind_the_end_explains_the_body_that_went(cut: Cut) -> None:
    index = cut.recall(cut.first)
    orders = cut.orders()
    found = cut.audit(orders, cut.first)
    assert grave(found) == []
    (told,) = [f for f in found.findings if f.code == "order-behind"]
    assert (told.who, told.evidence["index"], told.index) == ("EST/mod-1", index, None)
    assert sum(found.classes[CT].counts().values()) == cut.size, "it is none of the entries of this export"
    assert found.bodies.counts(found.newest)[CT]["erased"] == 1
    wrong = cut.audit(orders, cut.first, reason="expired")
    assert grave(wrong) == [("body-reason", cut.first)], "the reason given is still held against what the log shows"


def test_an_erasure_behind_the_end_likewise(cut: Cut) -> None:
    content = ErasureContent((cut.digest(cut.second),), "court order 3/2026")
    cut.world.quiet("EST/mod-1", "erasure", cut.world.others("EST/mod-1"), officer=cut.officer, content=content)
    assert grave(cut.audit(cut.orders(), cut.second, reason="erased")) == []


def test_a_member_sees_the_order_in_its_view_and_nobody_elses(cut: Cut) -> None:
    cut.recall(cut.first)
    for member in ("EST", "FIN"):
        view = cut_to(cut.source(cut.orders(), cut.first), member)
        assert grave(cut.replay(whole_export(view))) == []
    assert cut_to(cut.source(cut.orders()), "HUB").logs[-1].orders is None


# the relay that loses bodies


def test_relay_without_an_order_to_show_is_not_believed(cut: Cut) -> None:
    cut.recall(cut.first)
    assert grave(cut.audit(None, cut.first)) == [("body-missing", cut.first)]
    assert grave(cut.audit(cut.orders(), cut.first, cut.second)) == [("body-missing", cut.second)], "not of that one"


def test_relay_cannot_order_it_itself(cut: Cut) -> None:
    cut.recall(cut.first, "HUB/mod-1", forced=True)
    assert grave(cut.audit(cut.orders(), cut.first)) == [("file", None), ("body-missing", cut.first)]


def test_relay_cannot_forge_the_senders_hand(cut: Cut) -> None:
    header, openings = cut.world.header(
        "EST/mod-1",
        "recall",
        cut.world.others("EST/mod-1"),
        refs=Refs(target=cut.world.ref(cut.first)),
        content=RecallContent(None),
    )
    cut.world.submit(header, openings, signer=cut.world.signing("HUB/mod-1"), forced=True)
    assert grave(cut.audit(cut.orders(), cut.first)) == [("file", None), ("body-missing", cut.first)]


def test_erasure_without_the_officer_whom_the_charter_names_orders_nothing(cut: Cut) -> None:
    content = ErasureContent((cut.digest(cut.first),), "no court order")
    cut.world.quiet("HUB/mod-1", "erasure", cut.world.others("HUB/mod-1"), forced=True, content=content)
    found = cut.audit(cut.orders(), cut.first, reason="erased")
    assert grave(found) == [("file", None), ("body-missing", cut.first)]


def test_recall_of_what_is_not_here_orders_nothing(cut: Cut) -> None:
    """A node passes what it does not hold; an auditor who has the log does not."""
    nowhere = Refs(target=Ref(CT, cut.first, bytes(32)))
    cut.world.quiet("EST/mod-1", "recall", (), refs=nowhere, content=RecallContent(None), forced=True)
    assert grave(cut.audit(cut.orders(), cut.first)) == [("file", None), ("body-missing", cut.first)]


def test_order_that_the_log_never_signed_is_none(cut: Cut) -> None:
    """A genuine recall the relay was given, erased on, and did not log."""
    cut.recall(cut.first)
    orders = cut.orders()
    assert orders is not None
    (row,) = orders.rows
    for name, changed in {
        "another place": replace(orders, rows=(replace(row, index=row.index + 1),)),
        "no proof": replace(orders, rows=(replace(row, proof=()),)),
        "no consistency": replace(orders, consistency=()),
        "another entry": replace(orders, rows=(replace(row, entry=row.entry[:-1] + b"\0"),)),
        "an entry of the export": replace(orders, rows=(Order(cut.first, row.entry, row.proof),)),
        "a note of the exported tree": replace(orders, note=cut.end),
        "a note nobody signed": replace(orders, note=orders.note.replace(b"\n\n", b"\n\n", 1)[:-8] + b"AAAAAA=\n"),
        "a note of another log": replace(orders, note=cut.world.note(cut.world.logs[CT].origin[:-2] + "directory")),
        "a message": replace(orders, rows=(replace(row, entry=cut.world.logs[CT].entries[cut.first]),)),
    }.items():
        found = grave(cut.audit(changed, cut.first))
        assert found == [("file", None), ("body-missing", cut.first)], name


def test_order_that_is_gone_from_the_next_export_is_a_fork(cut: Cut) -> None:
    """The relay shows a genuine recall to explain a loss, and afterwards logs something else in its place."""
    cut.recall(cut.first)
    shown = cut.orders()
    assert shown is not None
    assert grave(cut.audit(shown, cut.first)) == []
    other = Cut()  # the same keys: the log as the relay goes on with it
    other.world.heartbeat("FIN/mod-1", {})
    files = whole_export(other.world.source())
    assert ("fork", None) in grave(other.replay(files, earlier=shown.note))
    cut.world.heartbeat("FIN/mod-1", {})
    honest = cut.source(None, cut.first)
    log = next(log for log in cut.world.source().logs if log.origin == CT)
    whole = replace(honest, logs=[log if item.origin == CT else item for item in honest.logs])
    assert grave(cut.replay(whole_export(whole), earlier=shown.note)) == []


def test_orders_in_files_that_are_no_orders(cut: Cut) -> None:
    cut.recall(cut.first)
    files = whole_export(cut.source(cut.orders(), cut.first))
    path = layout.orders_file("ct")
    data = files[path]
    for changed in (b"", data[:-1], data + b"\0", b"\x93\xc0\x90\x90"):
        with pytest.raises(RemoteError):
            read_orders(changed)
    assert pack_orders(read_orders(data)) == data
    row = read_orders(data).rows[0]
    many = Orders(b"n", (), tuple(replace(row, index=i) for i in range(layout.MAX_ORDER_ROWS + 1)))
    with pytest.raises(LocalError, match="export again"):
        pack_orders(many)
