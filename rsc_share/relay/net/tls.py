"""The server's side of TLS: version 1.3 and nothing older, and buffers that a thousand idle sessions can afford."""

from __future__ import annotations

import ssl
from asyncio import sslproto
from pathlib import Path

from rsc_share.errors import LocalError

BUFFER = 16_384
"""Bytes of asyncio's TLS read buffer, for each connection: one record. 256 KiB without this (uvloop has its own)."""


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.3 with one certificate. Raises `LocalError` (`tls`)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # A ticket carries state from one connection to another and saves a handshake a day: not worth its keys.
    context.num_tickets = 0
    load_keys(context, certificate, key)
    return context


def load_keys(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Put a certificate and its key into a context: for new handshakes only. Raises `LocalError` (`tls`)."""
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = error.strerror or error if isinstance(error, OSError) else error
        what = f"{certificate} and {key} are no TLS certificate and its key: {why}"
        raise LocalError(what, code="tls", advice="name the files that `relay init` made") from None


def _no_passphrase() -> str:
    """Instead of a question on a terminal that nobody sits at."""
    raise ValueError("the key is encrypted")


def small_buffers() -> bool:
    """Make asyncio's TLS buffers small, in this process. False where this Python has no such setting.

    A class attribute that is not documented: it is set here and nowhere else, and a test says when it is gone.
    """
    if not isinstance(getattr(sslproto.SSLProtocol, "max_size", None), int):
        return False
    sslproto.SSLProtocol.max_size = min(sslproto.SSLProtocol.max_size, BUFFER)
    return True
