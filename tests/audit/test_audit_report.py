"""The report: same bytes for the same input, every list whole, nothing loaded, nothing injected; and the questions."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from audit_world import CT, World, key, label, small_world

from rsc_share.audit import html, layout, outcome, terminal
from rsc_share.audit.anchors import Anchors
from rsc_share.audit.disclose import disclose
from rsc_share.audit.export import whole_export, write_export
from rsc_share.audit.files import MemoryFiles
from rsc_share.audit.outcome import Exit
from rsc_share.audit.replay import Replay, replay
from rsc_share.audit.report import Mandate, Run, encode, report
from rsc_share.audit.run import anchors_from, run, write_reports
from rsc_share.audit.sample import sample
from rsc_share.audit.source import cut_to
from rsc_share.audit.times import both, dtg, iso
from rsc_share.audit.trace import render, trace
from rsc_share.envelope.approval import release_digest
from rsc_share.envelope.contents import AcknowledgementContent, HeartbeatContent, RecallContent, ReleaseContent
from rsc_share.envelope.parts import Refs
from rsc_share.errors import LocalError
from rsc_share.labels.label import Label

SECTIONS = [
    "1. Mandate",
    "2. Custody",
    "3. Anchors from outside the export",
    "4. Reconciliation",
    "5. Completeness",
    "6. Findings",
    "7. Labels against content",
    "8. Rules and versions",
    "9. What was not checked",
    "Signatures",
]


def audit(world: World, **changes) -> Replay:
    held = {f"FIN, {origin}": world.note(origin) for origin in world.logs}
    return replay(MemoryFiles(whole_export(world.source(**changes))), Anchors(world.id, held))


@pytest.fixture(scope="module")
def cheated() -> Replay:
    world = small_world()
    world.message("EST/mod-1", world.grant("EST/mod-1"), kind="finance/movement/1", forced=True)
    return audit(world)


def test_first_line_and_exit_code_say_how_far_to_trust_it(cheated: Replay) -> None:
    world = small_world()
    assert (outcome.first_line(audit(world)), outcome.exit_code(audit(world))) == ("NO FINDINGS", Exit.CLEAN)
    assert (outcome.first_line(cheated), outcome.exit_code(cheated)) == ("FINDINGS", Exit.FINDINGS)
    itself = replay(MemoryFiles(whole_export(world.source())), Anchors())
    assert outcome.exit_code(itself) == Exit.AGAINST_ITSELF
    for made in (report(itself), report(replay(MemoryFiles(whole_export(world.source())), Anchors(world.id)))):
        assert terminal.render(made).startswith("CHECKED AGAINST ITSELF ONLY\n")
        assert "<h1" in html.render(made)
        assert re.search(r"<h1[^>]*>CHECKED AGAINST ITSELF ONLY</h1>", html.render(made))


def test_export_of_another_framework_is_not_green() -> None:
    world, other = small_world(), World(seed="other ")
    found = replay(MemoryFiles(whole_export(other.source())), Anchors(world.id))
    assert outcome.looked_at(found) == 0 or outcome.exit_code(found) == Exit.FINDINGS
    assert outcome.exit_code(found) == Exit.FINDINGS


def test_findings_part_is_the_same_whenever_it_runs(cheated: Replay) -> None:
    one = report(cheated, Mandate(asked_by="committee"), Run(1, 2.5, {"python": "3"}))
    two = report(cheated, Mandate(asked_by="committee"), Run(9, 8.5, {"python": "4"}))
    assert one["findings_digest"] == two["findings_digest"]
    assert encode(one) != encode(two)
    assert encode({**one, "run": None}) == encode({**two, "run": None})
    assert report(cheated, Mandate(asked_by="court"))["findings_digest"] != one["findings_digest"]


def test_sums_are_shown_and_add_up(cheated: Replay) -> None:
    found = report(cheated)["content"]["reconciliation"]
    assert found["entries"] == found["checked"] + found["with_finding"] + found["not_checkable"] == 12
    assert sum(row["entries"] for log in found["logs"] for row in log["by_sender"]) == 6


def test_completeness_says_up_to_where_and_by_whom(cheated: Replay) -> None:
    directory, ct = report(cheated)["content"]["completeness"]["logs"]
    assert (directory["size"], ct["size"], ct["witnessed_by"]) == (6, 6, ["EST", "FIN", "LTU", "LVA"])
    assert {"sender": "EST/mod-1", "node": "LTU/mod-1", "last_number": 5} in ct["recipients"]
    assert next(s for s in ct["senders"] if s["sender"] == "FIN/mod-1")["last_heartbeat"] is not None


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src") or name.startswith("on")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_loads_nothing_runs_nothing_and_is_well_formed(cheated: Replay) -> None:
    page = html.render(report(cheated, Mandate(label="REGIONAL RESTRICTED"), Run(1, 1.0)))
    parsed = _Page()
    parsed.feed(page)
    assert parsed.open == []
    assert parsed.links == []
    assert not {"script", "link", "img", "iframe", "object"} & set(parsed.tags)
    assert "url(" not in page
    assert "@import" not in page
    assert re.findall("<h2>([^<]*)</h2>", page) == SECTIONS
    assert page.count('<p class="label">REGIONAL RESTRICTED</p>') == 2


def test_page_escapes_what_an_exporter_wrote() -> None:
    world = small_world()
    evil = '<script>alert("x")</script>\x9b2J'
    source = world.source(by=evil, tool=evil)
    files = {**whole_export(source), f"{evil}\x1b[2J\udcff": b"x"}
    found = replay(MemoryFiles(files), Anchors(world.id, {evil: world.note(CT)}))
    made = report(found, Mandate(question=evil, label=evil))
    page, text = html.render(made), terminal.render(made)
    assert "<script" not in page
    assert page.encode()
    assert "\x1b" not in page + text
    assert "\x9b" not in text
    assert encode(made)


def test_text_says_whose_act_it_was_and_nothing_in_brackets() -> None:
    world = small_world()
    world.message("EST/mod-1", world.grant("EST/mod-1"), said=label(to=("FIN",)), forced=True)
    made = report(audit(world))
    text, page = terminal.render(made), html.render(made)
    (first,) = [line for line in text.splitlines() if line.startswith("  1. BREACH")]
    assert first.endswith("  EST/mod-1")
    for shown in (text, page):
        assert "LTU/mod-1 audience, LVA/mod-1 audience" in shown
        assert "['" not in shown
        assert "[&#x27;" not in shown


def test_no_list_is_cut() -> None:
    world = World()
    for _ in range(150):
        header, openings = world.header("EST/mod-1", "heartbeat", (), content=_heartbeat())
        world.submit(header, openings, forced=True, signer=key("nobody"))
    made = report(audit(world))
    assert len(made["content"]["findings"]) == 150
    assert terminal.render(made).count("unknown-sender") == 150
    assert html.render(made).count("<code>unknown-sender</code>") == 150


def _heartbeat():
    return HeartbeatContent(())


def test_member_view_says_how_much_it_saw_only_as_hashes() -> None:
    world = small_world()
    grant = world.grant("LVA/mod-1", ("FIN/mod-1",))
    world.message("LVA/mod-1", grant, ("FIN/mod-1",), said=label(to=("FIN",), by="LVA"))
    files = whole_export(cut_to(world.source(), "EST"))
    made = report(replay(MemoryFiles(files), Anchors(world.id, {"x": world.note(CT)}), member="EST"))
    assert made["first_line"] == "NO FINDINGS ABOVE AN OBSERVATION"
    assert made["content"]["mandate"]["view"] == "EST"
    assert made["content"]["reconciliation"]["logs"][1]["not_checkable"] == {"only a hash in this view": 2}


# from a folder


def test_run_from_a_folder_and_write_reports(tmp_path: Path) -> None:
    world = small_world()
    write_export(world.source(), tmp_path / "out", world.log_keys()[0])
    (tmp_path / "from-FIN").write_bytes(world.note(CT))
    (tmp_path / "keys").write_text(world.source().logs[1].vkeys[0] + "\n")
    printed = " ".join(re.findall("........", world.id.hex().upper()))
    anchors = anchors_from(printed, [tmp_path / "from-FIN"], [tmp_path / "keys"])
    done = run(tmp_path / "out", anchors)
    assert done.code == Exit.CLEAN
    assert done.report["content"]["custody"]["signed_by"] == "log key of relay.example:8443/regional/directory"
    write_reports(done, tmp_path / "out")
    again = run(tmp_path / "out", anchors)
    assert again.report["findings_digest"] == done.report["findings_digest"]
    assert (tmp_path / "out" / layout.REPORT_JSON).exists()


def test_folder_of_checkpoints_is_each_of_them(tmp_path: Path) -> None:
    world = small_world()
    for number, origin in enumerate(world.logs):
        (tmp_path / str(number)).write_bytes(world.note(origin))
    anchors = anchors_from(world.id.hex(), [tmp_path])
    assert set(anchors.checkpoints) == {str(tmp_path / "0"), str(tmp_path / "1")}
    (tmp_path / "none").mkdir()
    with pytest.raises(LocalError):
        anchors_from(world.id.hex(), [tmp_path / "none"])


def test_checkpoints_beside_an_export_are_used_only_where_named() -> None:
    world = small_world()
    files = {**whole_export(world.source()), "checkpoints/EST/ct": world.note(CT)}
    result = replay(MemoryFiles(files), Anchors(world.id))
    assert (result.findings, result.anchored.firm) == ((), False)


def test_anchors_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="64 hex digits"):
        anchors_from("abc")
    with pytest.raises(LocalError, match="cannot read"):
        anchors_from(None, [tmp_path / "nothing"])


# questions


def test_trace_follows_a_message_through_everything() -> None:
    world = World()
    officer, receiver = world.officer("EST/duty-1"), world.officer("FIN/duty-1")
    grant = world.grant("EST/mod-1")
    index = world.message("EST/mod-1", grant)
    target = Refs(target=world.ref(index))
    source = world.logs[CT].sources[index]
    world.heartbeat("FIN/mod-1", {"EST/mod-1": (world.ref(index).header_hash, "opened")})
    said = AcknowledgementContent("acknowledged", None)
    world.quiet("FIN/mod-1", "acknowledgement", ("EST/mod-1",), officer=receiver, refs=target, content=said)
    released = ReleaseContent(release_digest(source.label, source.nodes, source.commits), ("FIN",), None)
    world.quiet("EST/mod-1", "release", ("FIN/mod-1",), officer=officer, refs=target, content=released)
    fin = world.grant("FIN/mod-1")
    both_made = Label.of("REGIONAL", "RESTRICTED", originators=["EST", "FIN"], audience=["@members"])
    world.message("FIN/mod-1", fin, said=both_made, refs=Refs(derived_from=(world.ref(index),)))
    world.quiet("EST/mod-1", "recall", world.others("EST/mod-1"), refs=target, content=RecallContent(None))
    result = audit(world)
    assert [f for f in result.findings if f.code != "body-missing"] == []
    found = trace(result, "EST/mod-1/ct/2")
    assert {d.node: d.state for d in found.deliveries} == {"FIN/mod-1": "opened", "LTU/mod-1": None, "LVA/mod-1": None}
    assert [m.how for m in found.mentions] == ["acknowledged", "released", "derived", "recalled"]
    text = render(found.values())
    assert "FIN/mod-1: opened" in text
    assert "released to FIN" in text


@pytest.mark.parametrize(
    "wrong", ["", "EST/mod-1/ct", "EST/mod-1/ct/x", "EST/mod-1/ct/²", "est/mod-1/ct/1", f"EST/mod-1/ct/{'9' * 5_000}"]
)
def test_trace_of_no_reference_is_refused(wrong: str, cheated: Replay) -> None:
    with pytest.raises(LocalError, match="is not a reference"):
        trace(cheated, wrong)


def test_trace_of_an_unknown_message_says_so(cheated: Replay) -> None:
    with pytest.raises(LocalError, match="no entry"):
        trace(cheated, "EST/mod-1/ct/99")


def test_disclosed_words_are_matched_with_who_sent_them(cheated: Replay) -> None:
    (found,) = disclose(cheated, b"second", bytes(32))
    assert (found.reference, found.part, found.nodes) == ("EST/mod-1/ct/3", 0, ("FIN/mod-1", "LTU/mod-1", "LVA/mod-1"))
    assert "the words of EST/mod-1" in found.sentence()
    assert disclose(cheated, b"other words", bytes(32)) == ()
    with pytest.raises(LocalError):
        disclose(cheated, b"second", b"")


def test_sample_is_fixed_by_seed_and_log_and_takes_turns() -> None:
    world = World()
    for sender in ("EST/mod-1", "FIN/mod-1"):
        grant = world.grant(sender)
        for i in range(10):
            world.message(sender, grant, said=label(by=sender[:3]), payload=bytes([i]))
    result = audit(world)
    drawn = sample(result, 4, "committee, 23 November")
    assert drawn == sample(result, 4, "committee, 23 November")
    assert [d.sender for d in drawn] == ["EST/mod-1", "FIN/mod-1"] * 2
    # Of four draws two seeds agree once in some hundred logs; of the whole order never.
    assert sample(result, 99, "committee, 23 November") != sample(result, 99, "another text")
    assert len(sample(result, 99, "x")) == 20


def test_times_as_people_write_them() -> None:
    time = 1_795_445_040_120
    assert (dtg(time), iso(time)) == ("231444ZNOV26", "2026-11-23T14:44:00.120Z")
    assert both(None) == "-"
    assert dtg(1 << 62) == "-"
    assert iso(1 << 62).endswith("ms")


def test_label_and_digest_are_on_every_printed_page_whatever_the_label_says() -> None:
    made = report(audit(small_world()), Mandate(label='SECRET "x" \\ </style><script>'))
    page = html.render(made)
    style = page[page.index("<style>") : page.index("</style>")]
    assert style.count(r'content: "SECRET \22 x\22  \5c  \3c /style\3e \3c script\3e "') == 2
    assert made["findings_digest"] in style
    assert "<script" not in page


def test_nothing_is_green_without_what_it_rests_on(cheated: Replay) -> None:
    world = small_world()
    alone = report(replay(MemoryFiles(whole_export(world.source())), Anchors(world.id)))
    assert 'class="clean"' not in html.render(alone).partition("</header>")[0]
    assert 'class="lead clean"' not in html.render(report(cheated))
    made = report(audit(world))
    assert made["scope"] == (
        "10 of 10 entries checked without a finding, 0 with one, 0 not checkable, in 2 of the charter's 2 logs. "
        "From outside: the charter digest, 0 keys, checkpoints that reach the end of 2 of 2 logs."
    )
    assert made["scope"] in terminal.render(made)
    assert "lead clean" in html.render(made)
    some = report(replay(MemoryFiles(whole_export(world.source())), Anchors(world.id, {"FIN": world.note(CT)})))
    assert some["exit_code"] == Exit.CLEAN
    assert "checkpoints that reach the end of 1 of 2 logs" in some["scope"]
    assert "lead observe" in html.render(some)
