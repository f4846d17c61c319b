"""The logs of a framework: which channel, which relay, which keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rsc_share.charter.facts import State
from rsc_share.charter.model import Channel, Realm
from rsc_share.crypto.signing import PublicKey
from rsc_share.names import DIRECTORY


@dataclass(frozen=True, slots=True)
class LogSpec:
    """One log. `members` are the codes that take part (all parties for the directory); `spec` is None for it."""

    log: str
    channel: str
    realm: Realm
    host: str
    operator: str
    ed25519: PublicKey
    mldsa44: PublicKey
    members: frozenset[str]
    spec: Channel | None


def log_specs(state: State) -> Mapping[str, LogSpec]:
    """Every log in use, by origin."""
    charter = state.charter
    found = [_spec(state, channel.name, channel) for channel in charter.channels.values()]
    return {spec.log: spec for spec in (_spec(state, DIRECTORY, None), *found)}


def _spec(state: State, name: str, channel: Channel | None) -> LogSpec:
    charter, ring = state.charter, state.version.ring
    relay = charter.relays[channel.relay if channel else charter.directory_relay]
    return LogSpec(
        log=charter.origin(name),
        channel=name,
        realm=channel.realm if channel else "operational",
        host=relay.host,
        operator=relay.operator,
        ed25519=ring[relay.log_keys[0]],
        mldsa44=ring[relay.log_keys[1]],
        members=channel.members if channel else frozenset(charter.members),
        spec=channel,
    )
