"""Four states, an operator and a relay found a framework with files only, amend it, and certify a node."""

from __future__ import annotations

import hashlib
import shlex
import shutil
from pathlib import Path

import pytest
from cli_world import HOST, STATES, Founders, Run

from rsc_share.charter.certificate import read_certificate
from rsc_share.charter.directory import Directory
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.text import parse_charter
from rsc_share.labels.shipped import policies_folder
from rsc_share.node.home import Home, Settings
from rsc_share.node.unlock import Unlock


def directory_of(folder: Path, pin: str) -> Directory:
    """What a relay does with the folder that `verify --out` wrote."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    directory = Directory.begin(bytes.fromhex(pin))
    entry = files.pop("object")
    directory.apply(entry, 1_790_000_000_000, {hashlib.sha256(data).digest(): data for data in files.values()})
    return directory


def test_signed_packet_is_directory_index_zero(founders: Founders, run: Run, tmp_path: Path) -> None:
    ran = run("charter", "verify", founders.packet, "--charter-digest", founders.digest, "--out", tmp_path / "entry")
    assert ran.code == 0, ran
    directory = directory_of(tmp_path / "entry", founders.digest)
    view = directory.at(1)
    assert view.sender("EST/mod-1", 1_790_000_000_001).member == "EST"
    assert view.charter.witness_quorum == 3
    assert view.charter.directory == f"{HOST}/regional/directory"


def test_without_a_digest_from_outside_it_is_checked_against_itself_only(founders: Founders, run: Run) -> None:
    ran = run("charter", "verify", founders.packet)
    assert ran.code == 3
    assert ran.out.startswith("CHECKED AGAINST ITSELF ONLY")
    assert run("charter", "verify", founders.packet, "--json").json["against_itself_only"] is True


def test_status_says_who_is_missing(packet: Path, run: Run) -> None:
    assert run("charter", "status", packet).code == 0
    (packet / "signatures/LVA.sig").unlink()
    ran = run("charter", "status", packet)
    assert ran.code == 1
    assert "Missing: LVA" in ran.out
    status = run("charter", "status", packet, "--json")
    assert status.code == 1
    assert status.json["missing"] == ["LVA"]
    assert status.json["complete"] is False
    run("charter", "verify", packet, "--charter-digest", status.json["digest"]).fails(1, "quorum")


def test_page_for_ink_has_the_digest_and_lines(founders: Founders, run: Run, tmp_path: Path) -> None:
    ran = run("charter", "print", founders.packet)
    assert founders.digest[:8] in ran.out
    assert "State of EST" in ran.out
    assert ran.out.encode() == (founders.packet / "page.txt").read_bytes()
    assert run("charter", "print", founders.packet, "--out", tmp_path / "page.txt").code == 0
    assert (tmp_path / "page.txt").read_bytes() == (founders.packet / "page.txt").read_bytes()


def test_signer_sees_the_text_and_not_its_digest(founders: Founders, run: Run, packet: Path) -> None:
    (packet / "signatures/EST.sig").unlink()
    args = ("charter", "sign", packet, "--authority", founders.authority("EST"), *founders.unlock())
    ran = run(*args, "--digest-end", founders.digest[-16:].upper())
    assert ran.code == 0
    assert "counter-terrorism" in ran.out
    assert founders.digest[-8:] not in ran.out
    run(*args, "--digest-end", founders.digest[-8:]).fails(2, "exists")


def test_amendment_in_sentences_signed_by_a_quorum(founders: Founders, run: Run, tmp_path: Path) -> None:
    text = tmp_path / "next.toml"
    assert run("charter", "new", text, "--after", founders.packet).code == 0
    written = text.read_text()
    assert "version = 2" in written
    text.write_text(written.replace('[member.LVA]\nrole = "member"', '[member.LVA]\nrole = "member"\nsuspended = true'))
    second = tmp_path / "second"
    assert run("charter", "propose", text, "--out", second).code == 2, "the version before is needed"
    ran = run("charter", "propose", text, "--out", second, "--after", founders.packet, "--json")
    assert ran.code == 0, ran
    assert "LVA is suspended." in ran.json["changes"]
    assert run("charter", "diff", second, "--json").json["changes"] == ran.json["changes"]
    assert run("charter", "diff", founders.packet, text, "--json").json["changes"] == ran.json["changes"]
    end = ran.json["digest"][-8:]
    for code in ("EST", "FIN"):
        signed = run(
            "charter", "sign", second, "--authority", founders.authority(code), "--digest-end", end, *founders.unlock()
        )
        assert signed.code == 0
        assert "Change: LVA is suspended." in signed.out
    status = run("charter", "status", second, "--json").json
    assert status["votes"] == {"of": "members", "previous": [2, 3], "this": [2, 3]}
    standing = {party["member"]: party["standing"] for party in status["parties"]}
    assert standing == {"EST": "signed", "FIN": "signed", "HUB": "not needed", "LVA": "suspended", "SWE": "may sign"}
    run("charter", "verify", second, "--charter-digest", founders.digest).fails(1, "quorum")
    run("charter", "sign", second, "--authority", founders.authority("SWE"), "--digest-end", end, *founders.unlock())
    ran = run("charter", "verify", second, "--charter-digest", founders.digest, "--out", tmp_path / "entry")
    assert ran.code == 0, ran
    assert (tmp_path / "entry/object").stat().st_size < 60_000


def test_a_changed_policy_is_shown_line_by_line(founders: Founders, run: Run, tmp_path: Path) -> None:
    """A quorum that signs a digest alone has not read what it loosens."""
    policy = Path(shutil.copytree(policies_folder(), tmp_path / "policies"))
    row = policy / "agreements/regional.toml"
    row.write_text(row.read_text().replace("REGIONAL SECRET", "REGIONAL TOP SECRET"))
    (policy / "agreements/new.toml").write_text("# nothing yet\n")
    text, second = tmp_path / "next.toml", tmp_path / "second"
    assert run("charter", "new", text, "--after", founders.packet, "--policy", policy).code == 0
    run("charter", "propose", text, "--after", founders.packet, "--out", second).fails(2, "policy")
    args = ("charter", "propose", text, "--after", founders.packet, "--policy", policy, "--out", second)
    changes = run(*args, "--json").json["changes"]
    assert "Policy file agreements/new.toml is new:" in changes
    assert '    +max_level = "REGIONAL TOP SECRET"' in changes
    assert '    -max_level = "REGIONAL SECRET"' in changes
    assert "TOP SECRET" in (second / "changes.txt").read_text()
    (second / "changes.txt").write_text("Nothing changes.\n")
    run("charter", "status", second).fails(2, "packet")


def test_node_certificate_joins_the_directory(founders: Founders, run: Run, tmp_path: Path) -> None:
    made = run(
        "node", "init", tmp_path / "cert-1", "--node", "EST/cert-1", "--realm", "exercise", *founders.unlock(), "--json"
    )
    assert made.code == 0, made
    request = Path(made.json["file"])
    home = tmp_path / "home"
    shutil.copytree(founders.root / "EST-node", home)
    assert run("node", "init", home, "--charter", founders.packet, "--relay", f"{HOST}=wss://10.0.0.7:8443").code == 0
    args = ["node", "certify", request, "--charter", founders.packet, "--authority", founders.authority("EST")]
    args += ["--out", tmp_path / "cert", "--code-end", made.json["code"][-8:], *founders.unlock()]
    ran = run(*args, "--countersign", home, "--node-unlock-file", founders.secret, "--until", "2098-12-31")
    assert ran.code == 0, ran
    data = (tmp_path / "cert").read_bytes()
    certificate = read_certificate(UnverifiedObject.parse(data).content)
    assert certificate.realms == {"exercise"}
    run("charter", "verify", founders.packet, "--out", tmp_path / "entry", "--charter-digest", founders.digest)
    directory = directory_of(tmp_path / "entry", founders.digest)
    directory.apply(data, certificate.issued)
    now = certificate.issued + 1
    assert directory.at(2).sender("EST/cert-1", now).role == "full", "countersigned: active at once"


def test_node_home_opens_with_the_charters_pin(founders: Founders, run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(founders.root / "FIN-node", home)
    assert run("node", "init", home, "--charter", founders.packet).code == 0
    opened = Home.open(home, Unlock.file(founders.secret))
    try:
        assert opened.identity().charter_digest.hex() == founders.digest
    finally:
        opened.close()
    settings = Settings.read(home / "node.toml")
    pins = parse_charter((founders.packet / "charter.toml").read_bytes()).relays[HOST].tls_pins
    assert settings.relays == {HOST: f"wss://{HOST}#{','.join(pins)}"}
    run("node", "init", home, "--charter", founders.packet).fails(2, "exists")


def test_fingerprints_are_those_of_the_keystore(founders: Founders, run: Run) -> None:
    ran = run(
        "authority",
        "fingerprint",
        founders.root / "EST/EST.keys",
        founders.authority("EST"),
        *founders.unlock(),
        "--json",
    )
    public, opened = ran.json["files"][0], ran.json["keystores"][str(founders.authority("EST"))]
    assert public["fingerprints"]["authority"] == opened["authority"]
    shown = run("authority", "fingerprint", founders.keys)
    assert opened["authority"][:8] in shown.out


def test_keystores_are_private_and_public_files_survive_a_mail_gateway(
    founders: Founders, run: Run, tmp_path: Path
) -> None:
    assert founders.authority("EST").stat().st_mode & 0o077 == 0
    posted = tmp_path / "EST.keys"
    posted.write_bytes((founders.root / "EST/EST.keys").read_bytes().replace(b"\n", b"\r\n"))
    ours = run("authority", "fingerprint", founders.root / "EST/EST.keys", "--json").json
    assert run("authority", "fingerprint", posted, "--json").json == ours


def test_show_as_table_and_json(founders: Founders, run: Run) -> None:
    table = run("charter", "show", founders.packet)
    assert table.code == 0
    assert all(code in table.out for code in STATES)
    values = run("charter", "show", founders.packet / "charter.toml", "--json").json
    assert values["digest"] == founders.digest
    assert sorted(values["members"]) == ["EST", "FIN", "HUB", "LVA", "SWE"]


@pytest.mark.parametrize("name", ["page.txt", "README.txt"])
def test_what_is_only_read_may_be_folded_by_mail(packet: Path, run: Run, name: str) -> None:
    path = packet / name
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert run("charter", "status", packet).code == 0


def test_the_next_command_can_be_pasted_whatever_the_folder_is_called(
    founders: Founders, run: Run, tmp_path: Path
) -> None:
    ran = run("charter", "new", tmp_path / "two words.toml", "--after", founders.packet)
    assert ran.code == 0
    assert str(tmp_path / "two words.toml") in shlex.split(ran.err.partition("then: ")[2])
