"""Every check of rulebook 1 refuses what it is there for, in its row and code, and lets the honest neighbour pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import pytest
from rulebook_desk import BODY_BYTES, EST, FIN, LVA, MINUTE, SECRET, Bench, bench

from rsc_share.crypto.sealing import SEALED_SIZE
from rsc_share.crypto.signing import PrivateKey, Suite
from rsc_share.envelope.contents import (
    AcknowledgementContent,
    ErasureContent,
    GrantContent,
    HeartbeatContent,
    RecallContent,
)
from rsc_share.envelope.entry import Stamp
from rsc_share.envelope.parts import Opening, Part, Refs
from rsc_share.errors import Refused
from rsc_share.log.checkpoint import Checkpoint
from rsc_share.names import uuid7
from rsc_share.rulebook.admit import Admitted, Judging, Void, begin_all, judge
from rsc_share.rulebook.case import Case
from rsc_share.rulebook.facts import GrantFact, IdFact, grant_key, id_key
from rsc_share.rulebook.rules import RULES, Check
from rsc_share.rulebook.view import Party, Source
from rsc_share.value import replace

PARTIES = (Party.RELAY, Party.NODE, Party.AUDITOR)
Make = Callable[[Bench, Party], Case]
DAY = 86_400_000


@dataclass(frozen=True)
class Sample:
    """`bad` fails the named check with `code`; `good` is next to it and passes everything. `who`: its check's parties,
    or those of them that can see it."""

    check: str
    code: str
    bad: Make
    good: Make
    who: Party = Party.ALL


def plain(b: Bench, party: Party) -> Case:
    return b.case(b.message(), party)


def swapped_seen(b: Bench, party: Party) -> Case:
    pen = b.pen("EST")
    return b.case(b.message(seen=pen.engine.trust.head), party)


def forged_head(b: Bench, log: str, size: int) -> object:
    """A tree that the log never had, with the log's own signature: only its key can make one."""
    pen = b.pen("EST")
    root = sha256(b"another tree").digest()
    checkpoint = Checkpoint(log, size, root)
    signer = pen.framework.founded.log_keys[0]
    return replace(pen.line.follower.head, size=size, root=root, signature=signer.sign(checkpoint.text()))


def other_directory(b: Bench, party: Party) -> Case:
    pen = b.pen("EST")
    return b.case(b.message(directory=forged_head(b, pen.engine.directory_log, pen.engine.trust.size)), party)


def other_tree(b: Bench, party: Party) -> Case:
    return b.case(b.message(seen=forged_head(b, b.pen("EST").log, 2)), party)


def longer_tree(b: Bench, party: Party) -> Case:
    return b.case(b.message(seen=forged_head(b, b.pen("EST").log, b.ground.head.size + 1)), party)


def with_key_of(member: str) -> Make:
    def make(b: Bench, party: Party) -> Case:
        pen = b.pen("EST")
        pen.signer = b.pen(member).signer
        return b.case(pen.message(b.grants["EST"]), party)

    return make


def unknown_node(b: Bench, party: Party) -> Case:
    pen = b.pen("EST")
    pen.node = "EST/mod-9"
    return b.case(pen.message(b.grants["EST"]), party)


def not_of_the_channel(b: Bench, party: Party) -> Case:
    pen = b.pen("FIN")
    log = pen.log.replace("/main", "/second")
    entry = pen.heartbeat(log=log, seen=forged_head(b, log, 1))
    return b.case(entry, party, log=log)


def old_directory(by: int) -> Make:
    """Acted on what was there before the last directory entry; `by` ms after that entry was logged."""

    def make(b: Bench, party: Party) -> Case:
        directory = b.ground.directory
        size = directory.size - 1
        pen = b.pen("EST")
        origin = pen.engine.directory_log
        root = b.ground.directory_root(size)
        signer = pen.framework.founded.log_keys[0]
        head = replace(
            pen.engine.trust.head, size=size, root=root, signature=signer.sign(Checkpoint(origin, size, root).text())
        )
        now = directory.logged_at(size) + by
        fields = {"id": uuid7(now, bytes(10)), "directory": head}
        return b.case(pen.heartbeat(**fields), party, stamp=Stamp(now, directory.size), last=None)

    return make


def stamped(by: int, size: int) -> Make:
    """Stamped `by` ms after the last one, with a directory smaller by `size`."""

    def make(b: Bench, party: Party) -> Case:
        return b.case(b.message(), party, stamp=Stamp(b.now + by, b.ground.witnessed - size))

    return make


def lag_stamp(by: int) -> Make:
    """Stamped with the directory as it was before its last entry, `by` ms after that entry was logged."""

    def make(b: Bench, party: Party) -> Case:
        old = old_directory(by)(b, party)
        return replace(old, stamp=Stamp(old.stamp.logged_at, b.ground.directory.size - 1))

    return make


def composed(by: int) -> Make:
    def make(b: Bench, party: Party) -> Case:
        return b.case(b.message(id=uuid7(b.now + MINUTE + by, bytes(10))), party)

    return make


def expires(by: int) -> Make:
    def make(b: Bench, party: Party) -> Case:
        return b.case(b.message(expires_at=b.now + MINUTE + by), party)

    return make


def fields(**values) -> Make:
    def make(b: Bench, party: Party) -> Case:
        return b.case(b.message(**values), party)

    return make


def relabelled(**changes) -> Make:
    def make(b: Bench, party: Party) -> Case:
        made = b.message()
        return b.case(b.again("EST", made, label=replace(made.header.label, **changes)), party)

    return make


def used_id(same: bool) -> Make:
    def make(b: Bench, party: Party) -> Case:
        entry = b.message()
        used = entry.header.id if same else bytes(16)
        return b.case(entry, party, facts={id_key(EST, used): IdFact(0, bytes(32))})

    return make


def numbered(by: int) -> Make:
    def make(b: Bench, party: Party) -> Case:
        pen = b.pen("EST")
        return b.case(b.message(seq=pen.head.seq + 1 + by), party)

    return make


def counted(by: int) -> Make:
    def make(b: Bench, party: Party) -> Case:
        pen = b.pen("EST")
        pen.counters = {node: count + by for node, count in pen.counters.items()}
        return b.case(pen.message(b.grants["EST"]), party)

    return make


def without_openings(b: Bench, party: Party) -> Case:
    return b.case(b.message(), party, openings={FIN: Opening(bytes(16), 1)})


def granted(nodes: tuple[str, ...], to: tuple[str, ...], text: str, age: int = 0) -> Make:
    """A message to `to` under a grant to `nodes`, logged `age` ms before it."""

    def make(b: Bench, party: Party) -> Case:
        fact = GrantFact(0, b.now + MINUTE - age, nodes)
        grant_id = b.grants["EST"].header.id
        return b.case(b.message(to=to, label=text), party, facts={grant_key(EST, grant_id): fact})

    return make


def unknown_grant(b: Bench, party: Party) -> Case:
    return b.case(b.again("EST", b.message(), grant=uuid7(b.now, bytes(10))), party)


def grant(change: Callable[[GrantContent], GrantContent] | None = None, to: tuple[str, ...] = (FIN, LVA)) -> Make:
    def make(b: Bench, party: Party) -> Case:
        pen = b.pen("EST")
        entry = pen.grant(to)
        if change is not None:
            entry = b.again("EST", entry, content=change(entry.header.content))
        return b.case(entry, party)

    return make


def derived(text: str, to: tuple[str, ...], *, releases: tuple[str, ...] = (), until: int | None = None) -> Make:
    """LVA writes, from EST's secret, something labelled `text` for `to`; `releases`: whom EST has let have it."""

    def make(b: Bench, party: Party) -> Case:
        extra, refs = {}, Refs(derived_from=(b.ref("secret"),))
        if releases:
            entry = b.release("secret", releases, until=until)
            source = Source.of(99, entry.signed)
            extra, refs = {source.ref: source}, replace(refs, releases=(source.ref,))
        fact = {grant_key(LVA, b.grants["LVA"].header.id): GrantFact(0, b.now, to)}
        made = b.message("LVA", to, label=text, refs=refs)
        entry = b.again("LVA", made, label=replace(made.header.label, originators=("EST", "LVA")))
        return b.case(entry, party, extra=extra, facts=fact, me=to[0])

    return make


def from_nowhere(b: Bench, party: Party) -> Case:
    refs = Refs(derived_from=(replace(b.ref("secret"), index=0),))
    return b.case(b.message(refs=refs), party)


def about(kind: str, name: str, member: str, content, *officers: str, to: tuple[str, ...] | None = None) -> Make:
    def make(b: Bench, party: Party) -> Case:
        return b.case(b.about(kind, name, member, content, officers=officers, to=to), party)

    return make


def heartbeat(to: tuple[str, ...]) -> Make:
    def make(b: Bench, party: Party) -> Case:
        return b.case(b.pen("EST").entry("heartbeat", to, content=HeartbeatContent(())), party, me=to[0])

    return make


def erasure(member: str) -> Make:
    def make(b: Bench, party: Party) -> Case:
        pen = b.pen(member)
        made = pen.entry("erasure", pen.others, content=ErasureContent((bytes(32),), "court order 3/26"))
        return b.case(b.approved(b.pen(member), made, (member,)), party, me=pen.others[0])

    return make


def approved_by(key: PrivateKey | None, *, sign: bool = True) -> Make:
    def make(b: Bench, party: Party) -> Case:
        made = b.message()
        good = b.approved(b.pen("EST"), made, ("EST",)).header.approvals[0]
        row = good if sign and key is None else ((key.public.key_id if key else good[0]), bytes(64))
        return b.case(b.again("EST", made, approvals=(row,)), party)

    return make


def bodies(kind: str) -> Make:
    def make(b: Bench, party: Party) -> Case:
        entry = b.message() if kind in ("none", "size") else b.pen("EST").grant()
        held = {part.digest: part.size + 1 for part in entry.header.parts} if kind == "size" else {}
        if kind == "long key":
            held = {row[2]: SEALED_SIZE + 1 for row in entry.header.content.nodes}
        return b.case(entry, party, bodies=held)

    return make


def sized(*sizes: int) -> Make:
    """A message with parts of these sizes, all of them at hand."""

    def make(b: Bench, party: Party) -> Case:
        parts = tuple(Part(digest=bytes([n]) * 32, size=s, commit=bytes(32), media="x") for n, s in enumerate(sizes))
        return b.case(b.message(parts=parts), party)

    return make


ACKNOWLEDGED, STRANGER = AcknowledgementContent("acknowledged", None), PrivateKey.generate(Suite.ED25519, seed=b"x")
TO_LVA, TO_BOTH = "TLP:GREEN REL TO LVA", "TLP:GREEN REL TO @members"
SAMPLES = [
    Sample("openings-true", "malformed", without_openings, plain),
    Sample("right-log", "unknown-log", fields(log="relay.example/test-framework/second"), plain),
    Sample("heads-signed", "malformed", swapped_seen, plain),
    Sample("certified-sender", "unknown-sender", unknown_node, plain),
    Sample("certified-sender", "unknown-sender", with_key_of("LVA"), plain),
    Sample("sender-may-send-here", "role", not_of_the_channel, plain),
    Sample("directory-not-ahead", "directory-ahead", stamped(MINUTE, 1), plain),
    Sample("directory-same", "equivocation", other_directory, plain),
    Sample("directory-not-stale", "stale-directory", old_directory(21 * MINUTE), old_directory(9 * MINUTE)),
    Sample("id-is-new", "duplicate-id", used_id(same=True), used_id(same=False)),
    Sample("continues-sender", "stale-head", fields(prev=bytes(32)), plain),
    Sample("continues-sender", "stale-head", numbered(-1), plain),
    Sample("continues-sender", "stale-head", numbered(1), plain, who=Party.RELAY | Party.AUDITOR),
    Sample("counters-continue", "stale-head", counted(-1), plain),
    Sample("counters-continue", "stale-head", counted(1), plain, who=Party.RELAY | Party.AUDITOR),
    Sample("composed-in-time", "clock", composed(3 * MINUTE), composed(MINUTE)),
    Sample("composed-in-time", "clock", composed(-91 * DAY), composed(-89 * DAY)),
    Sample("not-expired", "clock", expires(0), expires(1)),
    Sample("label-valid", "label", relabelled(level="NO SUCH LEVEL"), relabelled(level="AMBER")),
    Sample("family-allowed", "label", fields(type="finance/report/1"), fields(type="threat/report/1")),
    Sample("sender-may-originate", "label", relabelled(originators=("LVA",)), relabelled(originators=("EST", "LVA"))),
    Sample(
        "recipients-active", "policy-denied", granted((FIN, "FIN/mod-9", LVA), (FIN, "FIN/mod-9", LVA), TO_BOTH), plain
    ),
    Sample("policy-permits", "policy-denied", granted((FIN, LVA), (FIN, LVA), TO_LVA), granted((LVA,), (LVA,), TO_LVA)),
    Sample(
        "circle-kept",
        "policy-denied",
        about("recall", "EST", "FIN", RecallContent(None), to=(LVA,)),
        about("recall", "EST", "EST", RecallContent(None), to=(FIN, LVA)),
    ),
    Sample(
        "circle-kept",
        "policy-denied",
        about("acknowledgement", "EST", "FIN", ACKNOWLEDGED, "FIN", to=(EST, LVA)),
        about("acknowledgement", "EST", "FIN", ACKNOWLEDGED, "FIN", to=(EST,)),
    ),
    Sample(
        "circle-kept",
        "policy-denied",
        about("acknowledgement", "secret", "FIN", ACKNOWLEDGED, "FIN", to=(EST,)),
        about("acknowledgement", "secret", "LVA", ACKNOWLEDGED, "LVA", to=(EST,)),
    ),
    Sample("grant-known", "dead-grant", unknown_grant, plain, who=Party.RELAY | Party.AUDITOR),
    Sample(
        "grant-lives",
        "dead-grant",
        granted((FIN, LVA), (FIN, LVA), TO_BOTH, age=60 * MINUTE),
        granted((FIN, LVA), (FIN, LVA), TO_BOTH, age=60 * MINUTE - 1),
    ),
    Sample("grant-fits", "over-granted", granted((FIN, LVA), (LVA,), TO_LVA), granted((LVA,), (LVA,), TO_LVA)),
    Sample("grant-fits", "under-granted", granted((LVA,), (FIN, LVA), TO_BOTH), plain),
    Sample("grant-rows-fit", "under-granted", grant(lambda c: replace(c, nodes=c.nodes[1:])), grant()),
    Sample(
        "grant-rows-fit",
        "dead-grant",
        grant(lambda c: replace(c, nodes=tuple((n, bytes(32), d) for n, _, d in c.nodes))),
        grant(to=(LVA,)),
    ),
    Sample("nobody-left-out", "under-granted", granted((LVA,), (LVA,), TO_BOTH), granted((LVA,), (LVA,), TO_LVA)),
    Sample("nobody-left-out", "under-granted", heartbeat((LVA,)), heartbeat((FIN, LVA))),
    Sample(
        "sources-kept", "third-party", derived("REGIONAL RESTRICTED REL TO EST, LVA", (EST,)), derived(SECRET, (EST,))
    ),
    Sample(
        "sources-kept",
        "third-party",
        derived("REGIONAL SECRET REL TO @members", (EST, FIN)),
        derived("REGIONAL SECRET REL TO @members", (EST, FIN), releases=("FIN",)),
    ),
    Sample(
        "sources-kept",
        "third-party",
        derived("REGIONAL SECRET REL TO @members", (EST, FIN), releases=("FIN",), until=1),
        derived("REGIONAL SECRET REL TO @members", (EST, FIN), releases=("FIN",), until=1 << 50),
    ),
    Sample("sources-kept", "source-unknown", from_nowhere, plain, who=Party.RELAY | Party.AUDITOR),
    Sample("approvals-verify", "third-party", approved_by(None, sign=False), approved_by(None)),
    Sample("approvals-verify", "third-party", approved_by(STRANGER), approved_by(None)),
    Sample(
        "approvals-present",
        "third-party",
        about("acknowledgement", "EST", "FIN", ACKNOWLEDGED),
        about("acknowledgement", "EST", "FIN", AcknowledgementContent("node-erased", None)),
    ),
    Sample(
        "approvals-present",
        "third-party",
        about("acknowledgement", "EST", "FIN", ACKNOWLEDGED, "LVA"),
        about("acknowledgement", "EST", "FIN", ACKNOWLEDGED, "FIN"),
    ),
    Sample("erasure-ordered", "third-party", erasure("FIN"), erasure("EST")),
    Sample("seen-is-prefix", "equivocation", other_tree, plain),
    Sample("seen-is-prefix", "equivocation", longer_tree, plain),
    Sample("bodies-fit", "body-limit", sized(*[65_536] * 8, 1_040), sized(*[65_536] * 8)),
    Sample("bodies-fit", "body-limit", sized(1_040, BODY_BYTES + 1), sized(1_040, *[BODY_BYTES] * 15)),
    Sample("bodies-here", "body-missing", bodies("none"), plain, who=Party.RELAY | Party.AUDITOR),
    Sample("bodies-here", "body-missing", bodies("size"), plain),
    Sample("bodies-here", "body-missing", bodies("sealed"), plain, who=Party.RELAY | Party.AUDITOR),
    Sample("bodies-here", "body-missing", bodies("long key"), plain),
    Sample("stamp-never-decreases", "stamp", stamped(-1, 0), stamped(0, 0)),
    Sample("revocations-bite", "stamp", lag_stamp(10 * MINUTE), lag_stamp(10 * MINUTE - 1)),
]


def check_of(name: str) -> Check:
    return next(check for check in RULES[1].checks if check.name == name)


def parties(sample: Sample) -> list[Party]:
    return [party for party in PARTIES if party in sample.who and party in check_of(sample.check).who]


ALL = [(sample, party) for sample in SAMPLES for party in parties(sample)]


def ids(value: object) -> str | None:
    return value.check if isinstance(value, Sample) else None


@pytest.mark.parametrize(("sample", "party"), ALL, ids=ids)
def test_check_refuses_what_it_is_for(sample: Sample, party: Party) -> None:
    with pytest.raises(Refused) as refused:
        check_of(sample.check).run(sample.bad(bench(), party))
    assert (refused.value.code, refused.value.row) == (sample.code, check_of(sample.check).row)


@pytest.mark.parametrize(("sample", "party"), ALL, ids=ids)
def test_what_a_check_refuses_is_void(sample: Sample, party: Party) -> None:
    assert isinstance(judge(sample.bad(bench(), party)), Void)


class Closed:
    """Stands for what is known of the entries before, and must not be asked."""

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(f"asked for {name} of what stands before")

    def __call__(self, *_: object) -> object:
        raise AssertionError("asked about what stands before")


@pytest.mark.parametrize(("sample", "party"), ALL, ids=ids)
@pytest.mark.parametrize("honest", [True, False])
def test_begun_early_it_is_judged_alike(sample: Sample, party: Party, honest: bool) -> None:
    """The first rows look at nothing before an entry, so it does not matter how much of that is known yet."""
    case = (sample.good if honest else sample.bad)(bench(), party)
    early = Judging(
        replace(case, view=replace(case.view, facts=Closed(), last=Closed(), root_at=Closed(), known=Closed()))
    )
    begin_all((early,))
    for name in ("facts", "last", "root_at", "known"):
        setattr(early.case.view, name, getattr(case.view, name))
    now, then = early.verdict(), judge(case)
    assert type(now) is type(then)
    if isinstance(now, Void) and isinstance(then, Void):
        assert (now.refused.code, now.refused.row) == (then.refused.code, then.refused.row)
    assert now.effects == then.effects


@pytest.mark.parametrize(("sample", "party"), ALL, ids=ids)
def test_honest_neighbour_is_admitted(sample: Sample, party: Party) -> None:
    verdict = judge(sample.good(bench(), party))
    assert isinstance(verdict, Admitted), getattr(verdict, "refused", None)


@pytest.mark.parametrize("party", PARTIES)
def test_altered_header_is_not_its_senders(party: Party) -> None:
    b = bench()
    verdict = judge(b.case(b.message().altered(precedence="FLASH"), party))
    assert isinstance(verdict, Void)
    assert (verdict.refused.code, verdict.refused.row, verdict.effects) == ("bad-signature", 4, {})


def test_every_check_has_a_sample() -> None:
    named = {sample.check for sample in SAMPLES} | {"signed-by-sender"}
    assert named == {check.name for check in RULES[1].checks}


def test_rows_stand_in_their_order() -> None:
    rows = [check.row for check in RULES[1].checks]
    assert rows == sorted(rows)


def test_unknown_check_cannot_be_switched_off() -> None:
    with pytest.raises(KeyError):
        RULES[1].without("no-such-check")
