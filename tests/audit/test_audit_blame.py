"""Nobody is accused, quoted or thanked for what somebody else wrote in his name."""

from __future__ import annotations

import hashlib

from audit_world import CT, RELAY, World, key, label, small_world
from forger_world import remade

from rsc_share.audit.anchors import Anchors
from rsc_share.audit.besides import pack_view
from rsc_share.audit.disclose import disclose
from rsc_share.audit.export import whole_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.findings import Grade
from rsc_share.audit.replay import Replay, replay
from rsc_share.audit.sample import sample
from rsc_share.audit.source import LogSource, cut_to
from rsc_share.audit.trace import render, trace
from rsc_share.crypto.bodies import commitment, received_commitment
from rsc_share.crypto.signing import PrivateKey
from rsc_share.envelope.approval import approve
from rsc_share.envelope.contents import HeartbeatContent
from rsc_share.envelope.entry import Stamp
from rsc_share.envelope.parts import Part
from rsc_share.labels.label import Label
from rsc_share.log.note import KeyType, VerifierKey
from rsc_share.session.frames import Statement
from rsc_share.value import replace

HOST = RELAY


def audit(world: World, *logs: LogSource) -> Replay:
    source = world.source(**({"logs": logs} if logs else {}))
    return replay(MemoryFiles(whole_export(source)), Anchors(world.id, {"FIN": world.note(CT)}))


def grant_of(world: World, sender: str) -> bytes:
    return next(name[2] for name in world.logs[CT].facts if name[:2] == ("grant", sender))


def forge(world: World, sender: str, said: Label, words: bytes, *, officer: PrivateKey | None = None) -> int:
    """A message in somebody's name, made by a relay that has nobody's key but its own."""
    header, openings = world.header(sender, "message", world.others(sender), type="terrorism/incident/1", label=said)
    commit = commitment(log=CT, sender=sender, id=header.id, part=0, salt=bytes(32), payload=words)
    part = Part(digest=world.body(f"{words!r}"), size=1040, commit=commit, media="text/plain")
    header = replace(header, grant=grant_of(world, sender), parts=(part,))
    if officer is not None:
        header = replace(header, approvals=(approve(officer, world.id, header),))
    return world.submit(header, openings, forced=True, signer=key("the relay's own"))


def of(found: Replay, index: int) -> list[tuple[str, Grade, str]]:
    return [(f.code, f.grade, f.who) for f in found.findings if f.index == index and f.log == CT and f.row]


def test_relay_that_forges_an_entry_is_named_and_not_who_it_names() -> None:
    world = small_world()
    index = forge(world, "EST/mod-1", label(), b"forged")
    found = audit(world)
    assert of(found, index) == [("unknown-sender", Grade.INTEGRITY, HOST)]
    (what,) = [f.what for f in found.findings if f.index == index and f.row]
    assert "Nothing here shows that EST/mod-1 made it." in what


def test_relay_cannot_make_a_breach_of_somebody_whose_key_was_revoked() -> None:
    """Row 3 comes before the signature: the code is `revoked` whoever signed."""
    world = small_world()
    world.revoke("EST/mod-1")
    world.now += 3_600_000
    index = forge(world, "EST/mod-1", label(), b"forged")
    assert ("revoked", Grade.BREACH, HOST) in of(audit(world), index)


def test_revoked_node_that_signs_all_the_same_is_named() -> None:
    world = small_world()
    world.revoke("EST/mod-1")
    world.now += 3_600_000
    index = world.message("EST/mod-1", grant_of(world, "EST/mod-1"), to=("FIN/mod-1",), forced=True)
    assert ("revoked", Grade.BREACH, "EST/mod-1") in of(audit(world), index)


def test_relay_that_stamps_an_earlier_time_is_named_and_not_the_sender() -> None:
    world = small_world()
    header, openings = world.header("LVA/mod-1", "heartbeat", world.others("LVA/mod-1"), content=HeartbeatContent(()))
    index = world.submit(header, openings, forced=True, stamp=Stamp(world.now - 2_000, world.directory.size))
    assert of(audit(world), index) == [("stamp", Grade.INTEGRITY, HOST)]


def test_relay_that_stamps_a_directory_older_than_the_senders_is_named_and_not_the_sender() -> None:
    """Row 5 of both: which of the two sizes is wrong shows in what the directory holds."""
    world = small_world()
    header, openings = world.header("LVA/mod-1", "heartbeat", world.others("LVA/mod-1"), content=HeartbeatContent(()))
    index = world.submit(header, openings, forced=True, stamp=Stamp(world.now, world.directory.size - 1))
    assert of(audit(world), index) == [("directory-ahead", Grade.IRREGULARITY, HOST)]


def test_sender_that_acts_on_a_directory_that_nobody_has_is_named() -> None:
    world = small_world()
    header, openings = world.header("LVA/mod-1", "heartbeat", world.others("LVA/mod-1"), content=HeartbeatContent(()))
    header = replace(header, directory=replace(header.directory, size=header.directory.size + 1))
    index = world.submit(header, openings, forced=True)
    assert of(audit(world), index) == [("directory-ahead", Grade.IRREGULARITY, "LVA/mod-1")]


def test_entry_stamped_with_a_directory_before_its_sender_is_not_said_to_be_nobodys() -> None:
    """Who made it is asked of the newest directory, as `trace` asks it."""
    world = small_world()
    header, openings = world.header("LVA/mod-1", "heartbeat", world.others("LVA/mod-1"), content=HeartbeatContent(()))
    index = world.submit(header, openings, forced=True, stamp=Stamp(world.now, 0))
    found = audit(world)
    (told,) = [f for f in found.findings if f.index == index and f.log == CT and f.row]
    assert told.who == HOST
    assert "Nothing here shows" not in told.what
    assert trace(found, f"LVA/mod-1/ct/{header.seq}").made_by_sender


def test_relay_that_puts_an_entry_into_another_log_is_named_and_not_the_sender() -> None:
    world = World(channels=("ct", "mar"))
    header, openings = world.header("LVA/mod-1", "heartbeat", world.others("LVA/mod-1"), content=HeartbeatContent(()))
    index = world.submit(header, openings)
    other = f"{RELAY}/regional/mar"
    world.logs[other].entries.append(world.logs[CT].entries[index])
    world.logs[other].tree.append(hashlib.sha256(b"\0" + world.logs[CT].entries[index]).digest())
    world.logs[other].openings[0] = openings
    (told,) = [f for f in audit(world).findings if f.log == other and f.row]
    assert (told.code, told.who) == ("unknown-log", HOST)


def test_forged_words_are_disclosed_as_nobodys() -> None:
    world = small_world()
    forge(world, "EST/mod-1", label(), b"forged words")
    found = audit(world)
    (forged,) = disclose(found, b"forged words", bytes(32))
    (true,) = disclose(found, b"second", bytes(32))
    assert (forged.made_by_sender, true.made_by_sender) == (False, True)
    assert forged.codes == ("unknown-sender",)
    assert "the words of" not in forged.sentence()
    assert "in the name of EST/mod-1" in forged.sentence()
    assert "the words of EST/mod-1" in true.sentence()


def test_words_that_break_a_rule_are_still_their_senders() -> None:
    world = small_world()
    grant = world.grant("EST/mod-1")
    world.message("EST/mod-1", grant, payload=b"for FIN only", said=label(to=("FIN",)), forced=True)
    (found,) = disclose(audit(world), b"for FIN only", bytes(32))
    assert (found.codes, found.made_by_sender) == (("policy-denied",), True)


def test_trace_takes_no_word_of_a_heartbeat_that_its_node_never_made() -> None:
    world = small_world()
    said = {"EST/mod-1": Statement(bytes(16), world.ref(1).header_hash, "opened")}
    c = received_commitment(
        log=CT, receiver="LVA/mod-1", sender="EST/mod-1", header_hash=world.ref(1).header_hash, state="opened",
        salt=bytes(16),
    )  # fmt: skip
    content = HeartbeatContent((("EST/mod-1", c),))
    header, openings = world.header("LVA/mod-1", "heartbeat", world.others("LVA/mod-1"), content=content)
    world.submit(header, openings, forced=True, signer=key("the relay's own"), statements=said)
    found = {d.node: d.state for d in trace(audit(world), "EST/mod-1/ct/2").deliveries}
    assert found == {"FIN/mod-1": "stored", "LTU/mod-1": None, "LVA/mod-1": None}


def test_trace_takes_no_statement_but_the_one_that_was_committed_to() -> None:
    world = small_world()  # FIN says that it stored the message
    directory, ct = world.source().logs
    other = {"EST/mod-1": replace(world.logs[CT].statements[3]["EST/mod-1"], state="opened")}
    found = trace(audit(world, directory, replace(ct, statements={3: other})), "EST/mod-1/ct/2")
    assert {d.node: d.state for d in found.deliveries}["FIN/mod-1"] is None


def test_trace_says_that_nobody_is_shown_to_have_made_or_approved_a_forgery() -> None:
    world = small_world()
    officer = world.officer("EST/duty-1")
    forge(world, "EST/mod-1", label(), b"forged", officer=officer)
    found = trace(audit(world), "EST/mod-1/ct/4")
    assert (found.verdict, found.codes, found.made_by_sender) == ("finding", ("unknown-sender",), False)
    text = render(found.values())
    assert "NO KEY OF ITS SENDER SIGNED IT" in text
    assert "approved by EST/duty-1 (not verified)" in text


def test_trace_follows_what_was_admitted_though_a_forgery_has_its_number() -> None:
    world = small_world()
    forge(world, "EST/mod-1", label(), b"forged")  # the number that the next true one has
    true = world.message("EST/mod-1", grant_of(world, "EST/mod-1"))
    world.logs[CT].openings[true] = {}  # so that the true one has a finding as well
    found = trace(audit(world), "EST/mod-1/ct/4")
    assert (found.index, found.codes, found.made_by_sender) == (true, ("opening-missing",), True)


def test_relay_cannot_fill_the_draw_with_forgeries_of_levels_that_sort_first() -> None:
    world = small_world()
    for i in range(5):
        forge(world, "EST/mod-1", label(f"AAA {i}"), bytes([i]))
    drawn = sample(audit(world), 4, "committee")
    assert [(d.index, d.level) for d in drawn] == [(d.index, "REGIONAL RESTRICTED") for d in drawn]
    assert sorted(d.index for d in drawn) == [1, 2]


def test_view_that_shows_what_others_said_to_each_other_is_a_finding() -> None:
    world = World()
    world.heartbeat("FIN/mod-1", {})
    grant = world.grant("EST/mod-1", to=("LTU/mod-1",), forced=True)
    world.message("EST/mod-1", grant, to=("LTU/mod-1",), said=label(to=("LTU",)))
    files = whole_export(cut_to(world.source(), "FIN"))
    (path,) = (path for path in files if "entries-view" in path)
    files = remade({**files, path: pack_view(list(enumerate(world.logs[CT].entries)))})
    found = replay(MemoryFiles(files), Anchors(world.id, {"FIN": world.note(CT)}))
    assert {f.index for f in found.findings if f.code == "file" and "neither by nor for" in f.what} == {1, 2}


def test_key_of_a_witness_that_was_revoked_since_is_no_other_key() -> None:
    world = small_world()
    world.certify_node("FIN/mod-2")
    world.now += 86_400_000
    one, two = world.witness("FIN/mod-2")
    name = "regional/FIN/mod-2"
    held = (VerifierKey.of(name, KeyType.COSIGNATURE, one.public), VerifierKey.of(name, KeyType.ML_DSA_44, two.public))
    world.revoke("FIN/mod-2")
    files = MemoryFiles(whole_export(world.source()))
    found = replay(files, Anchors(world.id, vkeys=held))
    assert [f.code for f in found.findings if f.grade is not Grade.OBSERVATION] == []
    assert found.anchored.firm
    stranger = VerifierKey.of(name, KeyType.COSIGNATURE, key("nobody's").public)
    assert "other-key" in [f.code for f in replay(files, Anchors(world.id, vkeys=(stranger,))).findings]
