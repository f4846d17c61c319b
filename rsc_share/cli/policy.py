"""`rsc-share policy`: what is odd in a policy before anybody signs it, and why a node may or may not have something."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rsc_share import names
from rsc_share.charter.core import subject_of
from rsc_share.charter.model import Charter
from rsc_share.charter.rules import charter_groups
from rsc_share.cli.ask import AsJson
from rsc_share.cli.charter_view import known_codes
from rsc_share.cli.frame import Exit
from rsc_share.cli.keys import named
from rsc_share.cli.output import GOOD, LOOK, PLAIN, WRONG, rows, say, show
from rsc_share.cli.packet import charter_in, read_packet
from rsc_share.errors import LocalError
from rsc_share.labels.scheme import ACTIONS
from rsc_share.labels.shipped import policies_folder
from rsc_share.labels.text import parse_label
from rsc_share.node.identity import system_clock
from rsc_share.policy.bundle import Bundle
from rsc_share.policy.explain import Explanation
from rsc_share.policy.explain import explain as explained
from rsc_share.policy.folder import policy_files
from rsc_share.policy.lint import lint as linted
from rsc_share.policy.subject import ChannelFacts, Facets, Subject

app = typer.Typer(rich_markup_mode=None)

Charters = Annotated[Path | None, typer.Option("--charter", help="Packet or text of the charter it belongs to.")]


@app.command()
def lint(
    folder: Annotated[Path | None, typer.Argument(help="Policy folder; without it the example policy.")] = None,
    charter: Charters = None,
    as_json: AsJson = False,
) -> None:
    """Say what is odd in a policy folder. Exit code 1 if something means less than it says (an error)."""
    bundle = _bundle(folder)
    found = linted(bundle, None if charter is None else known_codes(charter_in(charter)))
    if as_json:
        listed = [{"severity": f.severity, "code": f.code, "where": f.where, "what": f.what} for f in found]
        show({"policy": bundle.name, "version": bundle.version, "digest": bundle.digest.hex(), "findings": listed})
    elif found:
        styles = {"error": WRONG, "warning": LOOK}
        lines = (((f.severity, f.where, f.what, f.code), styles[f.severity]) for f in found)
        rows(("severity", "where", "what", "code"), lines)
    else:
        say(f"Nothing odd in {bundle.name}, version {bundle.version}.", GOOD)
    if not as_json:
        say(f"Digest {bundle.digest.hex()}")
    if any(finding.severity == "error" for finding in found):
        raise typer.Exit(Exit.FINDINGS)


def _bundle(folder: Path | None) -> Bundle:
    where = policies_folder() if folder is None else folder
    if not where.is_dir():
        raise LocalError(f"there is no policy folder {where}", code="no-folder", advice="name the folder")
    return Bundle.from_files(policy_files(where))


@app.command()
def explain(
    label: Annotated[str, typer.Argument(help="A label as people write it: 'REGIONAL SECRET REL TO FIN'.")],
    charter: Annotated[Path, typer.Option(help="Packet of the charter, signed or not; or its text.")],
    sender: Annotated[str, typer.Option(metavar="MEMBER", help="Whose message it is, such as EST.")],
    node: Annotated[str, typer.Option(help="The node it is about, such as FIN/mod-1.")],
    channel: Annotated[str, typer.Option(help="The channel it is said in.")],
    message_type: Annotated[str, typer.Option("--type", help="Type of the message.")] = "threat/assessment/1",
    action: Annotated[str, typer.Option(help="receive, open, forward, derive or publish.")] = "receive",
    purpose: Annotated[str | None, typer.Option(help="Purpose the sender states.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy folder; usual: the packet's bundle.")] = None,
    asked_by: Annotated[str | None, typer.Option(help="Node that asks; usual: the sender's first.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a sharing decision step by step: both sides, the row, and the nearest change that would permit.

    Exit code 1 if it is denied. The node must be named in the charter. Who may not see the label gets no steps.
    """
    text = charter_in(charter)
    bundle = _bundle(policy) if policy is not None else _packed(charter)
    bundle = bundle.with_rows((), groups=charter_groups(text))
    facets = _facets(text, channel, named(names.member, sender, "--sender"), message_type, purpose)
    if action not in ACTIONS:
        raise LocalError(f"--action {action!r} is not one of {', '.join(sorted(ACTIONS))}", code="usage")
    asking = _subject(text, asked_by if asked_by is not None else _first_node(text, sender))
    parsed = parse_label(label, bundle.schemes, originators=(sender,))
    found = explained(bundle, parsed, _subject(text, node), action, facets, asked_by=asking)
    if as_json:
        show(_values(found))
    else:
        _print(found)
    if not found.permitted:
        raise typer.Exit(Exit.FINDINGS)


def _packed(charter: Path) -> Bundle:
    if not charter.is_dir():
        raise LocalError("a charter's text alone has no policy", code="usage", advice="give --policy FOLDER")
    return Bundle.unpack(read_packet(charter).bundle)


def _facets(charter: Charter, channel: str, sender: str, message_type: str, purpose: str | None) -> Facets:
    found = charter.channels.get(channel)
    if found is None:
        known = ", ".join(charter.channels)
        raise LocalError(f"the charter has no channel {channel}", code="no-channel", advice=f"it has {known}")
    kind = named(names.message_type, message_type, "--type")
    facts = ChannelFacts(found.name, found.realm, found.members, dict(found.ceiling), found.families)
    return Facets(system_clock(), facts, sender, names.family_of(kind), kind, purpose)


def _first_node(charter: Charter, member: str) -> str:
    found = charter.members.get(member)
    if found is None or not found.nodes:
        raise LocalError(f"the charter names no node of {member}", code="no-node", advice="give --asked-by")
    return min(found.nodes)


def _subject(charter: Charter, node: str) -> Subject:
    member = charter.members.get(names.member_of(named(names.node, node, "--node")))
    spec = member.nodes.get(node) if member is not None else None
    if member is None or spec is None:
        known = ", ".join(name for m in charter.members.values() for name in m.nodes) or "none"
        raise LocalError(f"the charter names no node {node}", code="no-node", advice=f"it names {known}")
    return subject_of(member, spec)


def _values(found: Explanation) -> dict[str, Any]:
    return {
        "permitted": found.permitted,
        "code": found.code,
        "node": found.subject,
        "action": found.action,
        "label": found.label,
        "originators": list(found.originators),
        "row": found.row,
        "basis": found.basis,
        "steps": [{"step": s.name, "passed": s.passed, "asked": s.asked, "held": s.held} for s in found.steps],
        "obligations": [list(obligation) for obligation in found.obligations],
        "change": found.change,
        "further": list(found.further),
    }


def _print(found: Explanation) -> None:
    said = {True: "permitted", False: "DENIED", None: "NOT TOLD"}[found.permitted]
    subject = f"{found.subject}: {found.action} {found.label or '(the label is withheld from you)'}"
    say(f"{subject}: {said} ({found.code})", GOOD if found.permitted else WRONG)
    if not found.steps:
        say(
            "Who asks (--asked-by; usual: the sender's first node) may not see this label itself: no step is told.",
            LOOK,
        )
        return
    heads = ("step", "", "the label asks", "the node has")
    rows(
        heads,
        (((s.name, "ok" if s.passed else "NO", s.asked, s.held), PLAIN if s.passed else WRONG) for s in found.steps),
    )
    if found.row:
        say(f"Row {found.row} {found.basis}".rstrip())
    for name, value in found.obligations:
        say(f"Obligation: {name} {value}", LOOK)
    if found.change:
        say(f"The nearest change that would permit: {found.change}")
    if found.further:
        say(f"These steps would still say no: {', '.join(found.further)}", LOOK)
