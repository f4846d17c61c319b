"""`rsc-share charter`: founding and amending a framework with files that travel by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from rsc_share.charter.changes import changes
from rsc_share.charter.compose import compose, next_charter
from rsc_share.charter.model import Charter
from rsc_share.charter.page import page
from rsc_share.charter.quorum import concerns
from rsc_share.charter.text import parse_charter
from rsc_share.cli import charter_view as view
from rsc_share.cli import packet as packets
from rsc_share.cli.ask import AsJson, UnlockEnv, UnlockFile, ending, interactive, passphrase
from rsc_share.cli.charter_verify import fold
from rsc_share.cli.files import must_be_free, read_file, write_folder, write_new
from rsc_share.cli.frame import Exit
from rsc_share.cli.interview import interview
from rsc_share.cli.keys import open_signer
from rsc_share.cli.output import GOOD, LOOK, WRONG, digits, note, say, show
from rsc_share.cli.plan import charter_of, read_keys, ring_of
from rsc_share.cli.sigfile import count, sign
from rsc_share.errors import LocalError
from rsc_share.labels.shipped import policies_folder
from rsc_share.node.identity import system_clock
from rsc_share.policy.bundle import Bundle, pack_bundle
from rsc_share.policy.folder import policy_files

app = typer.Typer(rich_markup_mode=None)

Keys = Annotated[list[Path] | None, typer.Option("--keys", help="Key files of the parties, or folders of them.")]
Policy = Annotated[Path | None, typer.Option("--policy", help="Policy folder; without it the example policy.")]
Folder = Annotated[Path, typer.Argument(help="Signing packet.")]
Either = Annotated[Path, typer.Argument(help="Signing packet, or a charter's text.")]
Pin = Annotated[str | None, typer.Option("--charter-digest", help="SHA-256 of version 1, from paper.")]


def bundle_of(folder: Path | None) -> bytes:
    """The packed policy of a folder, parsed once to be sure."""
    files = policy_files(policies_folder() if folder is None else folder)
    Bundle.from_files(files)
    return pack_bundle(files)


@app.command()
def new(
    out: Annotated[Path, typer.Argument(help="New file for the text.")],
    plan: Annotated[Path | None, typer.Option("--from", help="Founding plan (TOML); without it: questions.")] = None,
    keys: Keys = None,
    policy: Policy = None,
    after: Annotated[Path | None, typer.Option(help="Packet or text of the version before, to be edited.")] = None,
) -> None:
    """Write the text of a charter: version 1 from a plan and key files, or with --after the next version to edit."""
    must_be_free(out)
    charter = _first(out, plan, keys or [], policy) if after is None else _next(packets.charter_in(after), policy)
    write_new(out, charter.text)
    for remark in concerns(charter):
        say(f"Remark: {remark}", LOOK)
    note(f"Read {out}, change what is not right, then: rsc-share charter propose {quote(str(out))} --keys ...")


def _first(out: Path, plan: Path | None, keys: list[Path], policy: Path | None) -> Charter:
    files = read_keys(keys)
    digest = hashlib.sha256(bundle_of(policy)).digest()
    if plan is not None:
        return charter_of(read_file(plan), str(plan), files, digest)
    if not interactive():
        raise LocalError("there is no plan, and no terminal to ask questions", code="no-terminal", advice="give --from")
    kept = out.with_name(f"{out.stem}.plan.toml")
    must_be_free(kept)
    answers = interview(files, system_clock())
    charter = charter_of(answers, str(kept), files, digest)
    write_new(kept, answers)
    return charter


def _next(before: Charter, policy: Path | None) -> Charter:
    digest = before.policy if policy is None else hashlib.sha256(bundle_of(policy)).digest()
    return parse_charter(compose(next_charter(before, policy=digest)), "the next version")


@app.command("print")
def print_page(
    target: Either, out: Annotated[Path | None, typer.Option(help="Write it to a new file.")] = None
) -> None:
    """Print the page that is signed in ink: parties, keys, the digest in 8 groups of 8, and the whole text."""
    text = page(packets.charter_in(target))
    if out is None:
        say(text.rstrip("\n"))
    else:
        write_new(out, text.encode())


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="Packet or text of the older version; or one packet that holds both.")],
    later: Annotated[Path | None, typer.Argument(metavar="[NEW]", help="Packet or text of the newer version.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say in sentences what changes between two versions."""
    sentences = _changes(old, later)
    if as_json:
        show({"changes": list(sentences)})
        return
    for sentence in sentences:
        say(sentence)


def _changes(old: Path, later: Path | None) -> tuple[str, ...]:
    if later is not None:
        return changes(packets.charter_in(old), packets.charter_in(later))
    packet = packets.read_packet(old)
    if packet.previous is None:
        raise LocalError(f"{old} is version 1", code="no-previous", advice="name the other version too")
    return packet.changes


@app.command()
def propose(
    text: Annotated[Path, typer.Argument(help="The charter's text.")],
    out: Annotated[Path, typer.Option(help="New folder for the signing packet.")],
    keys: Keys = None,
    policy: Policy = None,
    after: Annotated[Path | None, typer.Option(help="The complete packet of the version before.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the signing packet: text, keys, policy, the page for ink, and what changes."""
    must_be_free(out)
    charter = packets.charter_in(text)
    previous = _previous(charter, after)
    ring = ring_of(charter, read_keys(keys or []), previous.version.ring if previous is not None else None)
    bundle = bundle_of(policy) if policy is not None or previous is None else previous.bundle
    packet = packets.propose(charter, ring, bundle, previous)
    write_folder(out, packet.files())
    if as_json:
        show(view.charter_values(charter) | {"changes": list(packet.changes), "packet": str(out)})
        return
    view.print_policy(packet)
    say(f"{out}: version {charter.version} of {charter.framework}; SHA-256 of the text")
    say(f"    {digits(charter.digest)}", "bold")
    note("Print the page, send the folder to every party, and the digest by another way than the folder.")


def _previous(charter: Charter, after: Path | None) -> packets.Packet | None:
    if charter.version == 1:
        if after is not None:
            raise LocalError("version 1 comes after nothing", code="usage", advice="leave --after out")
        return None
    if after is None:
        what = f"version {charter.version} needs the packet of the version before"
        raise LocalError(what, code="usage", advice="give --after FOLDER")
    return packets.read_packet(after)


@app.command("sign")
def sign_packet(
    folder: Folder,
    authority: Annotated[Path, typer.Option(help="Keystore of the member's authority.")],
    digest_end: Annotated[str | None, typer.Option(help="The last 8 or more digits, from paper (for scripts).")] = None,
    out: Annotated[Path | None, typer.Option(help="New file for the signature; usual: in the packet.")] = None,
    unlock_env: UnlockEnv = None,
    unlock_file: UnlockFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what the charter says and changes, ask for the digest's last digits from paper, and sign."""
    packet = packets.read_packet(folder)
    if not as_json:
        view.print_charter(packet.charter, system_clock())
        view.print_policy(packet)
        for sentence in packet.changes:
            say(sentence if sentence.startswith(" ") else f"Change: {sentence}", LOOK)
    ending(digest_end, packet.charter.digest.hex(), f"the charter's digest (version {packet.charter.version})")
    signer = open_signer(authority, "authority", passphrase(unlock_env, unlock_file, str(authority)))
    made = sign(packet, signer)
    current = packet.charter.members.get(made.member)
    former = current is None or current.authority != signer.public.fingerprint
    name = f"{made.member}-former.sig" if former else f"{made.member}.sig"
    path = out or folder / packets.SIGNATURES / name
    must_be_free(path)
    path.parent.mkdir(exist_ok=True)
    write_new(path, made.text())
    if as_json:
        show({"member": made.member, "file": str(path), "digest": packet.charter.digest.hex()})
    else:
        say(f"Signed for {made.member}: send back {path}", GOOD)


@app.command()
def status(folder: Folder, as_json: AsJson = False) -> None:
    """Say who has signed and who is missing. Exit code 1 while it is not complete."""
    packet = packets.read_packet(folder)
    counted = count(packet)
    if as_json:
        show(view.status_values(packet, counted))
    else:
        view.print_status(packet, counted)
    if counted.bad or not counted.tally.complete:
        raise typer.Exit(Exit.FINDINGS)


@app.command()
def verify(
    folder: Folder,
    charter_digest: Pin = None,
    out: Annotated[Path | None, typer.Option(help="New folder for the directory object and its bodies.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check the packet as every directory will, from version 1 on. With --out: write what a relay logs.

    Trust comes from outside the packet: without --charter-digest the exit code is 3.
    """
    packet = packets.read_packet(folder)
    files = fold(packet, packet.chain[0].charter.digest if charter_digest is None else _pin(charter_digest))
    if out is not None:
        write_folder(out, files)
    strangers = count(packet).bad
    values = view.charter_values(packet.charter)
    against = charter_digest is None
    if as_json:
        show(values | {"verified": True, "against_itself_only": against, "bad": dict(strangers)})
    else:
        _verified(packet, against, strangers)
    if against:
        raise typer.Exit(Exit.AGAINST_ITSELF)


def _verified(packet: packets.Packet, against: bool, strangers: Mapping[str, str]) -> None:
    if against:
        say("CHECKED AGAINST ITSELF ONLY: give --charter-digest from the treaty's annex", WRONG)
    say(f"Version {packet.charter.version} of {packet.charter.framework} is signed as it must be.", GOOD)
    say(f"    {digits(packet.charter.digest)}")
    say(*view.in_force(packet.charter, system_clock()))
    for name, why in sorted(strangers.items()):
        say(f"{name} does not count: {why}", LOOK)


def _pin(text: str) -> bytes:
    spelled = "".join(text.split()).lower()
    if len(spelled) != 64 or set(spelled) - set("0123456789abcdef"):
        raise LocalError("--charter-digest is not 64 hexadecimal digits", code="digits")
    return bytes.fromhex(spelled)


@app.command("show")
def show_charter(target: Either, as_json: AsJson = False) -> None:
    """Show what a charter says: parties, relays, channels, and remarks by the program."""
    charter = packets.charter_in(target)
    if as_json:
        show(view.charter_values(charter))
        return
    view.print_charter(charter, system_clock())
    say("SHA-256 of the text")
    say(f"    {digits(charter.digest)}", "bold")
