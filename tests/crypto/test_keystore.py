"""The keystore: opened by the passphrase alone, never half written, never obeyed before it is checked."""

from __future__ import annotations

import copy
import hashlib
import os
import pickle
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.exceptions import RuntimeError as SodiumError
from nacl.pwhash import argon2id

from rsc_share import codec, durable
from rsc_share.crypto import keystore as module
from rsc_share.crypto.keyfile import MAX_FILE, MAX_SECRET, MAX_SECRETS, KeyFile, derive, seal_file
from rsc_share.crypto.keystore import MODERATE, UNSAFE_FAST, Cost, Keystore
from rsc_share.crypto.sealing import Prekey
from rsc_share.crypto.signing import PrivateKey, Suite, verify
from rsc_share.errors import LocalError, RemoteError, RscError, StorageError

PASS = b"correct horse"
NODE = PrivateKey.generate(Suite.ED25519, seed=b"node")
AUTHORITY = PrivateKey.generate(Suite.HYBRID, seed=b"authority")
PREKEY = Prekey.generate(seed=b"prekey")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.rsc"


def fresh(path: Path) -> Keystore:
    store = Keystore.create(path, PASS, cost=UNSAFE_FAST)
    store.put("node", NODE)
    store.save()
    return store


def fails(code: str, call: Callable[[], Any], kind: type[RscError] = LocalError) -> RscError:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    return caught.value


def test_everything_comes_back(path: Path) -> None:
    store = fresh(path)
    store.put("authority", AUTHORITY)
    store.put("prekey/one", PREKEY)
    store.put("store", b"key of the local store")
    store.save()
    again = Keystore.open(path, PASS)
    assert again.names == ("authority", "node", "prekey/one", "store")
    for name, key in (("node", NODE), ("authority", AUTHORITY)):
        signer = again.signer(name)
        assert signer.public == key.public
        verify(key.public, b"text", signer.sign(b"text"))
    assert again.prekey("prekey/one").public == PREKEY.public
    assert again.secret("store") == b"key of the local store"


def test_removed_secret_is_gone_after_save(path: Path) -> None:
    store = fresh(path)
    store.put("prekey", PREKEY)
    store.save()
    store.remove("prekey")
    assert Keystore.open(path, PASS).names == ("node", "prekey")
    store.save()
    assert Keystore.open(path, PASS).names == ("node",)
    fails("no-secret", lambda: store.remove("prekey"))


def test_wrong_passphrase_is_one_clear_line(path: Path) -> None:
    fresh(path)
    for passphrase in (b"wrong", PASS + b"\n", PASS.upper(), b""):
        fails("wrong-passphrase", lambda passphrase=passphrase: Keystore.open(path, passphrase))
    assert str(fails("wrong-passphrase", lambda: Keystore.open(path, b"wrong"))) == f"wrong passphrase for {path}"


def test_damaged_file_is_not_called_a_wrong_passphrase(path: Path) -> None:
    fresh(path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        fails("damaged-keystore", lambda: Keystore.open(path, PASS), StorageError)
    for data in (b"", whole[:-1], whole + b"\0", whole[: len(whole) // 2], bytes(MAX_FILE + 2)):
        path.write_bytes(data)
        fails("damaged-keystore", lambda: Keystore.open(path, PASS), StorageError)


def rebuilt(path: Path, **changed: Any) -> bytes:
    """The file with another header and a right checksum: what a person, not an accident, would make."""
    file = KeyFile.parse(path.read_bytes())
    values = {"kind": "rsc-share/v1 keystore", "salt": file.salt, "passes": 1, "memory": 8 << 20, "nonce": file.nonce}
    header = codec.pack(list((values | changed).values()))
    return codec.pack([header, file.sealed, hashlib.sha256(header + file.sealed).digest()])


@pytest.mark.parametrize(
    "changed",
    [
        {"memory": 100 << 30},
        {"memory": (1 << 30) + 1},
        {"memory": 0},
        {"memory": -1},
        {"passes": 17},
        {"passes": 1 << 40},
        {"passes": 0},
        {"passes": True},
        {"memory": 8.0},
        {"salt": b""},
        {"salt": bytes(17)},
        {"nonce": b""},
        {"nonce": bytes(16)},
        {"kind": "rsc-share/v2 keystore"},
    ],
)
def test_hostile_file_cannot_ask_for_100_gb(path: Path, changed: dict[str, Any], monkeypatch: Any) -> None:
    """The bounds are checked before Argon2id starts: it is never called."""
    fresh(path)
    path.write_bytes(rebuilt(path, **changed))
    monkeypatch.setattr(module, "derive", lambda *_: pytest.fail("the file was obeyed"))
    fails("damaged-keystore", lambda: Keystore.open(path, PASS), StorageError)


def test_header_is_authenticated(path: Path) -> None:
    """Cheaper parameters, another nonce or a swapped body do not open, though the checksum is right."""
    fresh(path)
    whole = path.read_bytes()
    assert rebuilt(path) == whole
    for changed in ({"passes": 2}, {"memory": 9 << 20}, {"salt": bytes(16)}, {"nonce": bytes(12)}):
        path.write_bytes(rebuilt(path, **changed))
        fails("wrong-passphrase", lambda: Keystore.open(path, PASS))
        path.write_bytes(whole)


def test_others_may_not_read_the_file(path: Path) -> None:
    fresh(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for mode in (0o640, 0o604, 0o660, 0o610, 0o602):
        path.chmod(mode)
        error = fails("wrong-permissions", lambda: Keystore.open(path, PASS))
        assert error.advice == f"chmod 600 {path}"
    path.chmod(0o400)
    assert Keystore.open(path, PASS).names == ("node",)


def test_mode_is_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        fresh(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_no_file_is_refused_and_never_hangs(path: Path) -> None:
    fails("no-keystore", lambda: Keystore.open(path, PASS))
    path.mkdir()
    fails("no-keystore", lambda: Keystore.open(path, PASS))
    path.rmdir()
    os.mkfifo(path, 0o600)
    fails("no-keystore", lambda: Keystore.open(path, PASS))
    path.unlink()
    path.symlink_to(path)
    fails("keystore-not-read", lambda: Keystore.open(path, PASS), StorageError)


def test_keys_are_never_overwritten(path: Path) -> None:
    store = fresh(path)
    fails("keystore-exists", lambda: Keystore.create(path, PASS, cost=UNSAFE_FAST))
    fails("secret-exists", lambda: store.put("node", PrivateKey.generate(Suite.ED25519)))
    assert store.signer("node").public == NODE.public
    dangling = path.with_name("dangling")
    dangling.symlink_to("nowhere")
    fails("keystore-exists", lambda: Keystore.create(dangling, PASS, cost=UNSAFE_FAST))


WRITES = ("open", "fsync", "replace")


class Failing:
    """`os`, with call number `n` of the ones that write failing: before it is done ("lost") or after it."""

    def __init__(self, n: int, done: bool) -> None:
        self.left, self.done, self.calls = n, done, 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self.wrap(real) if name in WRITES else real

    def wrap(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self.calls += 1
            if self.calls != self.left:
                return real(*args)
            if self.done and real is not os.open:
                real(*args)
            raise OSError(28, "No space left on device")

        return call


@pytest.mark.parametrize("done", [False, True], ids=["lost", "done but reported lost"])
@pytest.mark.parametrize("n", range(1, 6))
def test_keystore_never_half_written(path: Path, n: int, done: bool, monkeypatch: Any) -> None:
    """Each step of a save fails in turn: the file then holds all the old secrets or all the new ones."""
    store = fresh(path)
    store.put("prekey", PREKEY)
    store.put("other", b"secret")
    monkeypatch.setattr(durable, "os", Failing(n, done))
    error = fails("keystore-not-saved", store.save, StorageError)
    assert "No space left" in str(error)
    monkeypatch.undo()
    assert Keystore.open(path, PASS).names in {("node",), ("node", "other", "prekey")}
    assert os.listdir(path.parent) == [path.name]
    store.save()
    assert Keystore.open(path, PASS).names == ("node", "other", "prekey")


def test_a_save_has_five_steps_that_can_fail(path: Path, monkeypatch: Any) -> None:
    """Else the test above would pass by failing nothing."""
    store = fresh(path)
    counter = Failing(0, done=False)
    monkeypatch.setattr(durable, "os", counter)
    store.save()
    assert counter.calls == 5  # open, fsync, replace, open and fsync of the directory


def test_crash_leaves_a_temporary_file_that_hurts_nobody(path: Path) -> None:
    store = fresh(path)
    leftover = path.with_name(f".{path.name}.part")
    leftover.write_bytes(path.read_bytes()[:40])
    assert Keystore.open(path, PASS).names == ("node",)
    store.put("other", b"secret")
    store.save()
    assert Keystore.open(path, PASS).names == ("node", "other")
    assert not leftover.exists()


def test_temporary_file_cannot_be_a_planted_link(path: Path) -> None:
    store = fresh(path)
    victim = path.with_name("victim")
    victim.write_bytes(b"precious")
    path.with_name(f".{path.name}.part").symlink_to(victim)
    store.save()
    assert victim.read_bytes() == b"precious"
    assert Keystore.open(path, PASS).names == ("node",)


def test_no_nonce_comes_twice(path: Path) -> None:
    store = fresh(path)
    nonces = set()
    for _ in range(8):
        store.save()
        nonces.add(KeyFile.parse(path.read_bytes()).nonce)
    assert len(nonces) == 8


def test_file_and_repr_show_no_secret(path: Path) -> None:
    store = fresh(path)
    data = path.read_bytes()
    assert NODE.secret() not in data
    assert b"node" not in data
    assert repr(store) == f"Keystore({str(path)!r}, 1 secrets)"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(LocalError):
            leak(store)


def test_a_secret_is_used_as_what_it_is(path: Path) -> None:
    store = fresh(path)
    store.put("prekey", PREKEY)
    store.put("plain", NODE.secret())
    for call in (
        lambda: store.signer("prekey"),
        lambda: store.signer("plain"),
        lambda: store.prekey("node"),
        lambda: store.prekey("plain"),
        lambda: store.secret("node"),
        lambda: store.secret("prekey"),
    ):
        fails("wrong-secret", call)
    for call in (lambda: store.signer("no"), lambda: store.prekey("no"), lambda: store.secret("no")):
        fails("no-secret", call)


def test_bounds_of_what_goes_in(path: Path, monkeypatch: Any) -> None:
    store = fresh(path)
    for name in ("", "Node", "a b", "a\n", "/a", "a" * 129, "ä"):
        with pytest.raises(LocalError):
            store.put(name, b"x")
    not_secrets: list[Any] = [b"", bytes(MAX_SECRET + 1), "text", None]
    for value in not_secrets:
        with pytest.raises(LocalError):
            store.put("plain", value)
    monkeypatch.setattr(module, "MAX_SECRETS", 1)
    with pytest.raises(LocalError):
        store.put("plain", b"x")
    monkeypatch.setattr(module, "MAX_FILE", 100)
    with pytest.raises(LocalError):
        store.save()
    not_passphrases: list[Any] = [b"", "text", None]
    for passphrase in not_passphrases:
        fails("wrong-passphrase", lambda passphrase=passphrase: Keystore.create(path.with_name("new"), passphrase))


def test_machine_without_memory_says_so(path: Path, monkeypatch: Any) -> None:
    fresh(path)

    def out_of_memory(*_: Any, **__: Any) -> bytes:
        raise SodiumError("Unexpected failure in key derivation")

    monkeypatch.setattr(argon2id, "kdf", out_of_memory)
    fails("no-memory", lambda: Keystore.open(path, PASS), StorageError)


@pytest.mark.parametrize(("passes", "memory"), [(0, 8 << 20), (17, 8 << 20), (1, (8 << 20) - 1), (1, (1 << 30) + 1)])
def test_cost_has_bounds_here_too(passes: int, memory: int) -> None:
    fails("cost", lambda: Cost(passes, memory))


def test_the_default_is_moderate() -> None:
    assert (MODERATE.passes, MODERATE.memory) == (3, 256 << 20)


KEY, SALT, NONCE = bytes(32), bytes(16), bytes(12)


def sealed_content(content: bytes) -> bytes:
    header = codec.pack(["rsc-share/v1 keystore", SALT, 1, 8 << 20, NONCE])
    sealed = AESGCM(KEY).encrypt(NONCE, content, header)
    return codec.pack([header, sealed, hashlib.sha256(header + sealed).digest()])


def test_as_many_secrets_as_go_in_come_out() -> None:
    secrets = {f"s{n}": (0, b"x") for n in range(MAX_SECRETS)}
    data = seal_file(KEY, salt=SALT, cost=UNSAFE_FAST, nonce=NONCE, secrets=secrets)
    assert KeyFile.parse(data).open(KEY) == secrets


def test_format_is_what_the_module_says() -> None:
    secrets = {"plain": (0, b"x"), "node": (1, NODE.secret())}
    data = seal_file(KEY, salt=SALT, cost=UNSAFE_FAST, nonce=NONCE, secrets=secrets)
    assert data == sealed_content(codec.pack({"node": [1, NODE.secret()], "plain": [0, b"x"]}))
    assert KeyFile.parse(data).open(KEY) == secrets
    assert derive(PASS, SALT, UNSAFE_FAST) == derive(PASS, SALT, UNSAFE_FAST) != derive(b"x", SALT, UNSAFE_FAST)


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {"a": None},
        {"a": []},
        {"a": [0, b""]},
        {"a": [1, bytes(31)]},
        {"a": [2, bytes(32)]},
        {"a": [3, bytes(32)]},
        {"a": [5, bytes(32)]},
        {"a": [0, "text"]},
        {"a": [0, b"x", 0]},
        {"a": [True, bytes(32)]},
        {"a": [0, bytes(MAX_SECRET + 1)]},
    ],
)
def test_content_of_another_shape_is_refused(content: Any) -> None:
    with pytest.raises(RemoteError):
        KeyFile.parse(sealed_content(codec.pack(content))).open(KEY)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200) | st.recursive(st.none() | st.binary(max_size=40), st.lists).map(codec.pack))
def test_parser_raises_nothing_but_the_one_error(data: bytes) -> None:
    with pytest.raises(RemoteError):
        KeyFile.parse(data)
