"""Judging the orders that stand behind an export's end: whether a body may be gone on them.

Each must stand in a tree that its log signed and that extends the exported one, and pass every row of the rulebook that
a node applies which is shown some entries only: what lies between is not here. So a relay cannot make one up (somebody
entitled has signed it), nor take it back later (it has signed where it stands).
"""

from __future__ import annotations

from collections.abc import Iterator

from rsc_share.audit import layout
from rsc_share.audit.beside_checks import Place
from rsc_share.audit.findings import Finding, Grade, file_finding
from rsc_share.audit.heads import knowing, verify_head
from rsc_share.audit.orders import Order, Orders, read_orders
from rsc_share.audit.setting import Setting
from rsc_share.audit.walk import Walk
from rsc_share.envelope.contents import ERASING
from rsc_share.envelope.entry import UnverifiedEntry
from rsc_share.errors import RemoteError, RscError
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.rulebook.admit import Void, judge
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.view import Party, Source, View


def orders_behind(walk: Walk, setting: Setting) -> Iterator[Finding]:
    """Take down what was ordered behind the end of `walk`, which has been walked; findings about the file.

    An order that is taken is an observation: k members have not seen it, so the next export must show it again.
    """
    path = layout.orders_file(walk.folder)
    if not setting.export.has(path) or walk.tree.tree is None or not setting.usable:
        return
    try:
        data = setting.export.read(path, layout.MAX_ORDERS)
        orders = read_orders(data or b"")
        head = _head(walk, setting, orders)
    except RscError as error:
        yield file_finding(path, f"cannot be used: {error.what}", "orders in a tree that the log signed")
        return
    for row in orders.rows:
        yield from _take(walk, setting, head, row, path)


def _head(walk: Walk, setting: Setting, orders: Orders) -> Checkpoint:
    """The verified checkpoint behind the end. Raises `RemoteError`."""
    directory = setting.trust.directory
    now = directory.logged_at(setting.usable - 1)
    head, _ = verify_head(orders.note, knowing(directory, walk.origin), walk.origin, now)
    exported = setting.export.logs[walk.origin].checkpoint
    orders.verify(head.checkpoint, exported.size, exported.root)
    return head.checkpoint


def _take(walk: Walk, setting: Setting, head: Checkpoint, row: Order, path: str) -> Iterator[Finding]:
    try:
        entry = UnverifiedEntry.parse(row.entry)
        _judge(walk, setting, head, row.index, entry)
    except RscError as error:
        yield file_finding(path, f"holds entry {row.index}, which orders nothing: {error.what}", "an admitted order")
        return
    h = entry.header
    setting.book.order(h)
    place = Place(walk.origin, row.index, entry.stamp.logged_at, setting.member)
    what = f"{h.sender} ordered a {h.kind} in entry {row.index}, behind the end of this export: signed by the log, and"
    what += " not part of what k members have witnessed here. The next export must show it again."
    evidence = {"index": row.index, "size": head.size, "root": head.root, "header": entry.signed.header_hash}
    yield Finding(
        Grade.OBSERVATION, "order-behind", what, log=place.log, who=h.sender, when=place.when, evidence=evidence
    )


def _judge(walk: Walk, setting: Setting, head: Checkpoint, index: int, entry: UnverifiedEntry) -> None:
    """Raises `Refused` with the row that fails, `RemoteError` for what is no order or names what cannot be found."""
    h = entry.header
    if h.kind not in ERASING:
        raise RemoteError(f"it is a {h.kind}")
    walk.asks(entry.stamp)
    own = walk.roots()
    view = View(
        party=Party.NODE,
        log=walk.origin,
        directory=setting.trust.directory,
        directory_root=setting.directory_roots,
        witnessed=setting.usable,
        facts=walk.facts,
        size=index,
        last=walk.last,
        root_at=lambda size: head.root if size == head.size else own(size),
        signatures=setting.signatures,
        known=walk.known,
        decide=setting.opinion,
    )
    verdict = judge(Case(view, entry.signed, entry.stamp))
    if isinstance(verdict, Void):
        raise verdict.refused
    if h.refs.target is not None and not isinstance(walk.known(h.refs.target), Source):
        raise RemoteError("what it recalls is not in this export")


__all__ = ["orders_behind"]
