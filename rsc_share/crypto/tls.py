"""TLS keys of a relay: what is pinned, and a certificate that says nothing but the key.

A pin is SHA-256 over the SubjectPublicKeyInfo. The charter names pins, so no authority of the Web vouches for anybody
here; a certificate is only the form in which TLS carries the key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from rsc_share.errors import LocalError, RemoteError

YEARS = 10
"""How long a self-signed certificate lasts: the charter's pin says whether its key is good, not its date."""


def pin_of(certificate: bytes) -> str:
    """The pin of a DER certificate, 64 hexadecimal digits. Raises `RemoteError` for bytes that are none."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's certificate makes the parser say, it is no key
        raise RemoteError(f"the certificate cannot be read: {type(error).__name__}", code="wrong-pin") from None
    return hashlib.sha256(spki).hexdigest()


def pinned(certificate: bytes | None, pins: Iterable[str]) -> None:
    """Return if the certificate's key is one of `pins`; else raise `RemoteError` (`wrong-pin`)."""
    if certificate is None:
        raise RemoteError("the relay showed no certificate", code="wrong-pin")
    found = pin_of(certificate)
    if not any(hmac.compare_digest(found, pin) for pin in pins):
        raise RemoteError(
            f"the relay's TLS key has the pin {found}, which nobody vouched for",
            code="wrong-pin",
            advice="somebody sits on the line, or the key was changed: ask its operator by telephone",
            pin=found,
        )


def self_signed(host: str, now: int) -> tuple[bytes, bytes]:
    """A new P-256 key and a certificate for it, both PEM. `now` is ms UTC.

    ECDSA because every TLS 1.3 library has it; Ed25519 is optional there.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.fromtimestamp(now // 1000, UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host.partition(":")[0][:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - timedelta(days=1))
        .not_valid_after(start + timedelta(days=365 * YEARS))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret, certificate.public_bytes(Encoding.PEM)


def read_certificate(pem: bytes) -> tuple[str, int]:
    """Pin and end (ms UTC) of the first certificate of a PEM file. Raises `LocalError`."""
    try:
        found = x509.load_pem_x509_certificates(pem)[0]
    except ValueError:
        raise LocalError("the TLS certificate is not a PEM file", code="tls") from None
    end = found.not_valid_after_utc
    return pin_of(found.public_bytes(Encoding.DER)), int(end.timestamp() * 1000)
