"""Whatever is wrong: one line in the fixed form, the documented exit code, nothing half written, no traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_world import STATES, Founders, Run, plan_text

from rsc_share.cli import ask


def sign_args(founders: Founders, packet: Path, code: str = "EST", **other: object) -> list[object]:
    end = other.get("end", founders.digest[-8:])
    keystore = other.get("keystore", founders.authority(code))
    return ["charter", "sign", packet, "--authority", keystore, "--digest-end", end]


# --- signing


def test_wrong_passphrase(founders: Founders, packet: Path, run: Run, tmp_path: Path) -> None:
    (packet / "signatures/EST.sig").unlink()
    wrong = tmp_path / "wrong"
    wrong.write_text("not this one\n")
    run(*sign_args(founders, packet), "--unlock-file", wrong).fails(2, "wrong-passphrase")
    run(*sign_args(founders, packet), "--unlock-env", "RSC_NOT_SET").fails(2, "no-passphrase")
    run(*sign_args(founders, packet), "--unlock-file", tmp_path / "none").fails(2, "no-passphrase")
    run(*sign_args(founders, packet), "--unlock-file", wrong, "--unlock-env", "X").fails(2, "usage")
    assert not (packet / "signatures/EST.sig").exists()


@pytest.mark.parametrize("end", ["00000000", "0000000000000000"])
def test_wrong_digits_from_paper_sign_nothing(founders: Founders, packet: Path, run: Run, end: str) -> None:
    (packet / "signatures/EST.sig").unlink()
    run(*sign_args(founders, packet, end=end), *founders.unlock()).fails(1, "wrong-digits")
    assert not (packet / "signatures/EST.sig").exists()


@pytest.mark.parametrize("end", ["", "1234567", "1234567g", "0" * 65])
def test_too_few_or_odd_digits(founders: Founders, packet: Path, run: Run, end: str) -> None:
    run(*sign_args(founders, packet, end=end), *founders.unlock()).fails(2, "digits")


def test_key_that_is_no_partys_signs_nothing(founders: Founders, packet: Path, run: Run, tmp_path: Path) -> None:
    assert run("authority", "init", tmp_path / "NOR", "--member", "NOR", *founders.unlock()).code == 0
    keystore = tmp_path / "NOR/authority.keystore"
    run(*sign_args(founders, packet, keystore=keystore), *founders.unlock()).fails(2, "unknown-key")
    duty = founders.root / "EST/duty.keystore"
    run(*sign_args(founders, packet, keystore=duty), *founders.unlock()).fails(2, "no-secret")
    run(*sign_args(founders, packet, keystore=tmp_path / "none"), *founders.unlock()).fails(2, "no-keystore")


def test_keystore_others_may_read_is_refused(founders: Founders, packet: Path, run: Run, tmp_path: Path) -> None:
    open_to_all = tmp_path / "open.keystore"
    open_to_all.write_bytes(founders.authority("EST").read_bytes())
    open_to_all.chmod(0o644)
    run(*sign_args(founders, packet, keystore=open_to_all), *founders.unlock()).fails(2, "wrong-permissions")


def test_damaged_keystore_is_this_machines(founders: Founders, packet: Path, run: Run, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.keystore"
    damaged.write_bytes(founders.authority("EST").read_bytes()[:-1])
    damaged.chmod(0o600)
    run(*sign_args(founders, packet, keystore=damaged), *founders.unlock()).fails(74, "damaged-keystore")


def test_nobody_to_ask_is_said(founders: Founders, packet: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "interactive", lambda: False)
    run("charter", "sign", packet, "--authority", founders.authority("EST")).fails(2, "no-terminal")
    run(*sign_args(founders, packet)).fails(2, "no-passphrase")


# --- packets and texts


def test_charter_with_carriage_returns(packet: Path, run: Run) -> None:
    text = packet / "charter.toml"
    text.write_bytes(text.read_bytes().replace(b"\n", b"\r\n"))
    for command in ("status", "verify", "show", "print"):
        ran = run("charter", command, packet)
        ran.fails(2, "charter")
        assert "carriage return" in ran.err
        assert "charter.toml:1" in ran.err


@pytest.mark.parametrize(
    ("name", "code"), [("charter.toml", "no-file"), ("keys", "no-file"), ("bundle", "no-file"), (".", "no-packet")]
)
def test_missing_files(packet: Path, run: Run, name: str, code: str) -> None:
    if name == ".":
        packet = packet / "none"
    else:
        (packet / name).unlink()
    run("charter", "verify", packet).fails(2, code)


@pytest.mark.parametrize(("name", "code"), [("keys", "malformed"), ("bundle", "policy"), ("page.txt", "packet")])
def test_carrier_cannot_change_a_file_of_the_packet(packet: Path, run: Run, name: str, code: str) -> None:
    path = packet / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    ran = run("charter", "verify", packet)
    assert ran.code in (1, 2)
    assert ran.err.startswith("rsc-share: the file or its sender: ")


def test_carrier_cannot_change_the_text_without_another_digest(founders: Founders, packet: Path, run: Run) -> None:
    text = packet / "charter.toml"
    text.write_bytes(text.read_bytes().replace(b"quorum = [2, 3]", b"quorum = [3, 5]"))
    (packet / "page.txt").unlink()
    assert run("charter", "status", packet, "--json").json["missing"] == ["EST", "FIN", "HUB", "LVA", "SWE"]
    run("charter", "verify", packet, "--charter-digest", founders.digest).fails(1, "wrong-charter")
    run(*sign_args(founders, packet, "EST"), *founders.unlock()).fails(1, "wrong-digits")


def test_signature_by_another_key_does_not_count(packet: Path, run: Run) -> None:
    est, fin = packet / "signatures/EST.sig", packet / "signatures/FIN.sig"
    block = fin.read_text().split('"""')[1]
    est.write_text(est.read_text().replace(est.read_text().split('"""')[1], block))
    (packet / "signatures/SWE.sig").write_text("nonsense")
    ran = run("charter", "status", packet, "--json")
    assert ran.code == 1
    assert ran.json["missing"] == ["EST", "SWE"]
    assert sorted(ran.json["bad"]) == ["EST.sig", "SWE.sig"]
    shown = run("charter", "status", packet)
    assert "EST.sig does not count" in shown.out
    run("charter", "verify", packet).fails(1, "quorum")


def test_signature_under_another_name_does_not_count(packet: Path, run: Run) -> None:
    est = packet / "signatures/EST.sig"
    est.write_text(est.read_text().replace('member = "EST"', 'member = "FIN"'))
    assert run("charter", "status", packet, "--json").json["bad"] == {"EST.sig": "it says FIN and its key is EST's"}


def test_wrong_pin_and_no_pin(founders: Founders, run: Run) -> None:
    run("charter", "verify", founders.packet, "--charter-digest", "00" * 32).fails(1, "wrong-charter")
    run("charter", "verify", founders.packet, "--charter-digest", "xyz").fails(2, "digits")


# --- founding


def new(founders: Founders, run: Run, tmp_path: Path, text: str, keys: Path | None = None) -> Any:
    plan = tmp_path / "plan.toml"
    plan.write_text(text)
    return run("charter", "new", tmp_path / "charter.toml", "--from", plan, "--keys", keys or founders.keys)


def test_plan_faults_name_the_line(founders: Founders, run: Run, tmp_path: Path) -> None:
    good = plan_text()
    ran = new(founders, run, tmp_path, good.replace('realm = "operational"', 'realm = "real"'))
    ran.fails(2, "charter")
    assert f"plan.toml:{good.splitlines().index('realm = ' + chr(34) + 'operational' + chr(34)) + 1}" in ran.err
    new(founders, run, tmp_path, good + 'colour = "red"\n').fails(2, "charter")
    new(founders, run, tmp_path, "version = 1\n" + good).fails(2, "charter")
    new(founders, run, tmp_path, "not toml").fails(2, "charter")
    assert not (tmp_path / "charter.toml").exists()


def test_plan_with_a_party_whose_keys_are_not_here(founders: Founders, run: Run, tmp_path: Path) -> None:
    ran = new(founders, run, tmp_path, plan_text(*STATES, "NOR"))
    ran.fails(2, "charter")
    assert "no key file of NOR" in ran.err
    new(founders, run, tmp_path, plan_text("EST", "FIN", "LVA")).fails(2, "charter")


def test_two_different_key_files_of_one_party(founders: Founders, run: Run, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    for path in founders.keys.iterdir():
        (keys / path.name).write_bytes(path.read_bytes())
    assert run("authority", "init", tmp_path / "EST", "--member", "EST", *founders.unlock()).code == 0
    (keys / "EST-2.keys").write_bytes((tmp_path / "EST/EST.keys").read_bytes())
    new(founders, run, tmp_path, plan_text(), keys).fails(2, "keys")


def test_damaged_key_file(founders: Founders, run: Run, tmp_path: Path) -> None:
    good = (founders.root / "EST/EST.keys").read_text()
    for number, bad in enumerate(
        (
            good.replace('suite = "HYBRID"', 'suite = "ED25519"'),
            good.replace("[key.duty]", "[key.extra]"),
            good[:-200],
            good.replace('public = """\n', 'public = """\nAAAA', 1),
            good.replace('public = """\n', 'public = """\n!', 1),
            good.replace('name = "EST"', 'name = "est"'),
            'kind = "node"\n',
            "x = " + "9" * 5000,
            "\x00\xff",
        )
    ):
        path = tmp_path / f"{number}.keys"
        path.write_text(bad)
        run("authority", "fingerprint", path).fails(2, "key-file")


def test_a_title_cannot_hold_an_escape_sequence(founders: Founders, run: Run, tmp_path: Path) -> None:
    run("authority", "init", tmp_path / "X", "--member", "EST", "--title", "\x1b[2J", *founders.unlock()).fails(
        2, "title"
    )
    text = plan_text().replace('role = "observer"', 'role = "observer"\ntitle = "\\u001b[2J"')
    new(founders, run, tmp_path, text).fails(2, "charter")


def test_nothing_is_ever_overwritten(founders: Founders, packet: Path, run: Run, tmp_path: Path) -> None:
    before = founders.authority("EST").read_bytes()
    run("authority", "init", founders.root / "EST", "--member", "EST", *founders.unlock()).fails(2, "exists")
    assert founders.authority("EST").read_bytes() == before
    home = founders.root / "EST-node"
    run("node", "init", home, "--node", "EST/mod-1", *founders.unlock()).fails(2, "exists")
    run("charter", "print", packet, "--out", packet / "page.txt").fails(2, "exists")
    run("charter", "new", packet / "page.txt", "--after", packet).fails(2, "exists")
    run("charter", "propose", packet / "charter.toml", "--out", packet).fails(2, "exists")
    run("charter", "verify", packet, "--out", packet).fails(2, "exists")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    run("charter", "print", packet, "--out", link).fails(2, "exists")


def test_short_passphrase_for_new_keys(run: Run, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("seven77\n")
    run("authority", "init", tmp_path / "EST", "--member", "EST", "--unlock-file", short).fails(2, "weak-passphrase")
    assert not (tmp_path / "EST").exists()


# --- nodes


def certify(founders: Founders, request: Path, out: Path, code: str = "EST") -> list[object]:
    return [
        *("node", "certify", request, "--charter", founders.packet, "--authority", founders.authority(code)),
        *("--out", out, *founders.unlock()),
    ]


def test_certifying_what_is_not_ours(founders: Founders, run: Run, tmp_path: Path) -> None:
    made = run("node", "init", tmp_path / "n", "--node", "EST/cert-1", *founders.unlock(), "--json").json
    end = ("--code-end", made["code"][-8:])
    request, out = Path(made["file"]), tmp_path / "cert"
    run(*certify(founders, request, out), "--code-end", "00000000").fails(1, "wrong-digits")
    run(*certify(founders, request, out, "FIN"), *end).fails(2, "unknown-key")
    run(*certify(founders, request, out), *end, "--until", "2020-01-01").fails(2, "expired")
    run(*certify(founders, request, out), *end, "--until", "soon").fails(2, "usage")
    run(*certify(founders, founders.root / "EST/EST.keys", out), *end).fails(2, "wrong-kind")
    run(*certify(founders, request, out), *end, "--countersign", tmp_path / "n").fails(2, "local")
    assert not out.exists()
    other = run("node", "init", tmp_path / "m", "--node", "NOR/cert-1", *founders.unlock(), "--json").json
    run(*certify(founders, Path(other["file"]), out), "--code-end", other["code"][-8:]).fails(2, "no-member")


@pytest.mark.parametrize(
    "extra",
    [
        ["--role", "boss"],
        ["--realm", "real"],
        ["--accreditation", "REGIONAL"],
        ["--accreditation", "regional=SECRET"],
        ["--node", "est/x"],
    ],
)
def test_node_init_options(founders: Founders, run: Run, tmp_path: Path, extra: list[str]) -> None:
    ran = run("node", "init", tmp_path / "n", "--node", "EST/cert-1", *founders.unlock(), *extra)
    assert ran.code == 2
    assert not (tmp_path / "n").exists()


def test_node_settings_need_keys_and_known_relays(founders: Founders, run: Run, tmp_path: Path) -> None:
    run("node", "init", tmp_path / "n", "--charter", founders.packet).fails(2, "no-node")
    run("node", "init", tmp_path / "n").fails(2, "usage")
    home = founders.root / "LVA-node"
    run("node", "init", home, "--charter", founders.packet, "--relay", "evil.example=wss://x").fails(2, "usage")
    assert not (home / "node.toml").exists()


def test_relay_init_options(founders: Founders, run: Run, tmp_path: Path) -> None:
    args = ("relay", "init", tmp_path / "r", *founders.unlock())
    run(*args, "--host", "Relay Example", "--operator", "HUB").fails(2, "name")
    run(*args, "--host", "relay.example", "--operator", "hub").fails(2, "name")
    run(*args, "--host", "relay.example", "--operator", "HUB", "--tls-pin", "12").fails(2, "tls-pin")
