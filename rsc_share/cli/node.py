"""`rsc-share node`: a node's keys, its home folder, and the certificate that its authority signs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from rsc_share import names
from rsc_share.charter.certificate import NodeCertificate, certify
from rsc_share.charter.changes import day
from rsc_share.charter.model import NODE_ROLES, REALMS, Charter, NodeRole, Realm
from rsc_share.charter.parameters import DAY
from rsc_share.cli import keys, node_hand_in, node_state, node_talk
from rsc_share.cli.ask import AsJson, UnlockEnv, UnlockFile, ending, new_passphrase, passphrase
from rsc_share.cli.files import must_be_free, write_new
from rsc_share.cli.keyfile import KeyFile
from rsc_share.cli.output import GOOD, LOOK, note, say, show
from rsc_share.cli.packet import Packet, read_packet
from rsc_share.crypto.keystore import Keystore
from rsc_share.crypto.signing import Signer
from rsc_share.errors import LocalError, StorageError
from rsc_share.labels.label import level_name, scheme_id
from rsc_share.node.home import CONFIG, FOLDERS, KEYS, Settings
from rsc_share.node.identity import system_clock

app = typer.Typer(rich_markup_mode=None)
app.command("backup")(node_state.backup)
app.command("restore")(node_state.restore)
app.command("hand-in")(node_hand_in.hand_in)
for command in (node_talk.run, node_talk.publish, node_talk.listen, node_talk.status, node_talk.checkpoints):
    app.command(command.__name__)(command)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The node's home folder.")],
    node: Annotated[str | None, typer.Option(help="Name of a new node, such as EST/mod-1.")] = None,
    realm: Annotated[list[str] | None, typer.Option(help="operational, exercise; without it both.")] = None,
    accreditation: Annotated[
        list[str] | None, typer.Option(metavar="SCHEME=LEVEL", help="Highest level this system may hold.")
    ] = None,
    role: Annotated[str, typer.Option(help="full, receive or witness.")] = "full",
    charter: Annotated[Path | None, typer.Option(help="Packet of the charter in force: writes node.toml.")] = None,
    relay: Annotated[list[str] | None, typer.Option(metavar="HOST=ADDRESS", help="How a relay is reached.")] = None,
    unlock_env: UnlockEnv = None,
    unlock_file: UnlockFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a node's keys and the request its authority certifies; with --charter also its settings.

    For a node that the first charter names there is no charter yet: make the keys first, run it again with --charter
    once the charter is signed.
    """
    if node is None and charter is None:
        raise LocalError("nothing to do", code="usage", advice="give --node for new keys, --charter for node.toml")
    packet = None if charter is None else read_packet(charter)
    public = _existing(folder) if node is None else None
    if public is None:
        name = keys.named(names.node, node or "", "--node")
        facts = _facts(realm or list(REALMS), accreditation or [], role)
        must_be_free(folder / KEYS)
        public = _make(folder, name, facts, new_passphrase(unlock_env, unlock_file, f"node {name}"))
    if packet is not None:
        settings = _settings(public.name, packet, relay or [])
        write_new(folder / CONFIG, settings.text().encode())
    if as_json:
        show(keys.facts_of(public, file=str(folder / public.file_name)))
        return
    keys.print_keys(public)
    note(_next_step(folder, public, packet))


def _next_step(folder: Path, public: KeyFile, packet: Packet | None) -> str:
    named = {} if packet is None else packet.charter.members[names.member_of(public.name)].nodes
    if public.name in named and named[public.name].signing == public.keys["signing"].fingerprint:
        return f"The charter names this node: rsc-share node run {quote(str(folder))}"
    return f"Send {folder / public.file_name} to {names.member_of(public.name)}'s authority; tell it the code."


def _make(folder: Path, name: str, facts: dict[str, Any], secret: bytes) -> KeyFile:
    made = keys.fresh("node")
    public = keys.key_file("node", name, made, facts)
    must_be_free(folder / public.file_name)
    try:
        for part in FOLDERS:
            (folder / part).mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}", code="not-written") from None
    keys.store(folder / KEYS, made, secret)
    write_new(folder / public.file_name, public.text())
    return public


def _existing(folder: Path) -> KeyFile:
    found = sorted(folder.glob("*.keys"))
    if len(found) != 1:
        raise LocalError(f"{folder} holds no request", code="no-node", advice="give --node to make new keys")
    return KeyFile.read(found[0])


def _facts(realms: list[str], accreditation: list[str], role: str) -> dict[str, Any]:
    for value, allowed, option in ((role, NODE_ROLES, "--role"), *((r, REALMS, "--realm") for r in realms)):
        if value not in allowed:
            raise LocalError(f"{option} {value!r} is not one of {', '.join(allowed)}", code="usage")
    levels = dict(_pair(item, "--accreditation", "REGIONAL=SECRET") for item in accreditation)
    for scheme, level in levels.items():
        keys.named(scheme_id, scheme, "--accreditation")
        keys.named(level_name, level, "--accreditation")
    return {"realms": sorted(set(realms)), "accreditation": levels, "role": role}


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    head, sign, tail = text.partition("=")
    if not (head and sign and tail):
        raise LocalError(f"{option} {text!r} is not of the form {example}", code="usage")
    return head, tail


def _settings(node: str, packet: Packet, relays: list[str]) -> Settings:
    charter = packet.charter
    addresses = dict(_pair(item, "--relay", "relay.example:8443=wss://10.0.0.7:8443") for item in relays)
    for host in addresses:
        if host not in charter.relays:
            known = ", ".join(charter.relays)
            raise LocalError(f"{host} is no relay of this charter", code="usage", advice=f"it names {known}")
    addresses = {host: _pinned(addresses.get(host, f"wss://{host}"), charter, host) for host in charter.relays}
    if names.member_of(node) not in charter.members:
        raise LocalError(f"{names.member_of(node)} is not a party to this charter", code="no-member")
    return Settings(node, packet.chain[0].charter.digest, charter.directory, addresses, ())


def _pinned(address: str, charter: Charter, host: str) -> str:
    """The address with the pins of the relay's TLS keys behind it, where it has none: before the node has read the
    directory nobody else tells it whom to believe."""
    pins = ",".join(charter.relays[host].tls_pins)
    return f"{address}#{pins}" if pins and address.startswith("wss:") and "#" not in address else address


@app.command("certify")
def certify_node(
    request: Annotated[Path, typer.Argument(help="The node's key file.")],
    charter: Annotated[Path, typer.Option(help="Packet of the charter in force.")],
    authority: Annotated[Path, typer.Option(help="Keystore of the member's authority.")],
    out: Annotated[Path, typer.Option(help="New file for the certificate.")],
    until: Annotated[str | None, typer.Option(help="Last day (UTC), such as 2027-12-31; usual: one year.")] = None,
    code_end: Annotated[str | None, typer.Option(help="The code's last 8 or more digits, from the node.")] = None,
    countersign: Annotated[Path | None, typer.Option(help="Home of an active node: no waiting time.")] = None,
    unlock_env: UnlockEnv = None,
    unlock_file: UnlockFile = None,
    node_unlock_env: UnlockEnv = None,
    node_unlock_file: UnlockFile = None,
    as_json: AsJson = False,
) -> None:
    """Certify a node: the authority signs its keys. Any node that runs hands the file in: `node hand-in`."""
    must_be_free(out)
    asked, packet, now = KeyFile.read(request), read_packet(charter), system_clock()
    made = _certificate(asked, packet.charter, until, now)
    if not as_json:
        _print(made)
    ending(code_end, asked.code.hex(), f"the code of {asked.name}")
    signer = keys.open_signer(authority, "authority", passphrase(unlock_env, unlock_file, str(authority)))
    if packet.charter.members[made.member].authority != signer.public.fingerprint:
        what = f"{authority} is not the authority of {made.member} in this charter"
        raise LocalError(what, code="unknown-key", advice="take the keystore of that member's authority")
    others = [] if countersign is None else [_countersigner(countersign, made, node_unlock_env, node_unlock_file)]
    write_new(out, certify(made, packet.chain[0].charter.digest, signer, *others))
    if as_json:
        show(keys.facts_of(asked, file=str(out), until=day(made.valid[1] - 1)))
    else:
        say(f"{out}: certificate of {made.name} until {day(made.valid[1] - 1)}", GOOD)


def _certificate(asked: KeyFile, charter: Charter, until: str | None, now: int) -> NodeCertificate:
    if asked.kind != "node":
        raise LocalError(f"{asked.name} is no node", code="wrong-kind", advice="name the node's key file")
    if names.member_of(asked.name) not in charter.members:
        raise LocalError(f"{names.member_of(asked.name)} is not a party to this charter", code="no-member")
    if now >= charter.valid[1]:
        raise LocalError(f"the charter ended on {day(charter.valid[1] - 1)}", code="charter-expired")
    realms: list[Realm] = asked.facts.get("realms", list(REALMS))
    role: NodeRole = asked.facts.get("role", "full")
    return NodeCertificate(
        name=asked.name,
        signing=asked.keys["signing"],
        witness=(asked.keys["witness"], asked.keys["witness-pq"]),
        realms=frozenset(realms),
        accreditation=asked.facts.get("accreditation", {}),
        role=role,
        valid=(now, _end(until, now)),
        issued=now,
    )


def _end(until: str | None, now: int) -> int:
    today = datetime.fromtimestamp(now // 1000, UTC).date()
    try:
        last = today + timedelta(days=365) if until is None else date.fromisoformat(until)
    except ValueError:
        raise LocalError(f"--until {until!r} is not a day such as 2027-12-31", code="usage") from None
    if last < today:
        raise LocalError(f"--until {until} is over", code="expired", advice="name a day that is to come")
    return int(datetime(last.year, last.month, last.day, tzinfo=UTC).timestamp()) * 1000 + DAY


def _print(made: NodeCertificate) -> None:
    levels = ", ".join(f"{scheme} {level}" for scheme, level in sorted(made.accreditation.items())) or "nothing"
    say(f"Certificate for {made.name} ({made.role}), until {day(made.valid[1] - 1)}", "bold")
    say(f"  realms {', '.join(sorted(made.realms))}; may hold {levels}", LOOK)


def _countersigner(home: Path, made: NodeCertificate, env: str | None, file: Path | None) -> Signer:
    name = Settings.read(home / CONFIG).node
    if names.member_of(name) != made.member or name == made.name:
        raise LocalError(f"{name} is no other node of {made.member}", code="wrong-node", advice="name one that is")
    return Keystore.open(home / KEYS, passphrase(env, file, f"node {name}")).signer("signing")
