"""The directory: the fold over the directory log. Who is trusted at size D is `Directory.at(D)`, for everybody.

    directory = Directory.begin(pinned_digest)
    directory.apply(object, logged_at, bodies)        # or raises, and nothing has changed
    directory.at(directory.size).sender("EST/mod-1", now)

An entry that stands in the verified tree and does not apply is void: the caller says so with `void`, so that indices
stay those of the log. The fold counts every entry below the size it is asked for; callers never ask for more than a
checkpoint that `k` members cosigned.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Mapping

from rsc_share.charter import fold, genesis
from rsc_share.charter.amendment import Bodies
from rsc_share.charter.core import Core
from rsc_share.charter.facts import Place, State
from rsc_share.charter.objects import UnverifiedObject
from rsc_share.charter.owners import Owners
from rsc_share.charter.pending import PendingAct, pending_act
from rsc_share.charter.prekeys import Prekeys
from rsc_share.charter.rules import Bundles
from rsc_share.charter.view import DirectoryView
from rsc_share.errors import LocalError, RemoteError

_STEPS = {
    "certificate": fold.certificate,
    "revocation": fold.revocation,
    "agreement": fold.agreement,
    "restriction": fold.restriction,
}
_CACHED = 256
"""Views and cores kept; replay walks forward and asks for a handful of sizes at a time."""


class Directory:
    """Append-only. One writer; views are immutable and may be read from anywhere."""

    __slots__ = (
        "_bundles",
        "_cores",
        "_logged",
        "_owners",
        "_prekeys",
        "_starts",
        "_states",
        "_views",
        "_void",
        "framework_id",
    )

    framework_id: bytes
    """SHA-256 of charter version 1, pinned out of band."""

    def __init__(self, framework_id: bytes) -> None:
        if len(framework_id) != 32:
            raise LocalError("a framework id has 32 bytes")
        self.framework_id = framework_id
        self._logged: list[int] = []
        self._states: list[State] = []
        self._starts: list[int] = []
        self._void: dict[int, str] = {}
        self._owners = Owners()
        self._prekeys = Prekeys()
        self._bundles = Bundles()
        self._views: OrderedDict[int, DirectoryView] = OrderedDict()
        self._cores: OrderedDict[int, Core] = OrderedDict()

    @classmethod
    def begin(cls, pinned: bytes) -> Directory:
        """An empty directory that will accept charter version 1 with SHA-256 `pinned` (32 bytes) and no other."""
        return cls(pinned)

    @property
    def size(self) -> int:
        """Entries folded so far, void ones counted."""
        return len(self._logged)

    def apply(self, data: bytes, logged_at: int, bodies: Bodies | None = None) -> None:
        """Fold the object of the next entry.

        Raises `RemoteError` if the entry is void, `Refused` (`body-missing`) if a body it names is not in `bodies`
        (fetch it and come again; that is no verdict). After either nothing has changed.
        """
        if self._logged and logged_at < self._logged[-1]:
            raise RemoteError("logged before the entry before it", code="stamp")
        found = UnverifiedObject.parse(data)
        place = Place(self.size, logged_at, self.framework_id)
        if found.kind == "prekey":
            self._apply_prekey(found, place)
        else:
            state, claims = self._step(found, place, bodies or {})
            self._owners.claim(claims)
            self._starts.append(place.index)
            self._states.append(state)
        self._logged.append(logged_at)

    def _apply_prekey(self, found: UnverifiedObject, place: Place) -> None:
        self._prekeys.add(self._head, found, place)

    def _step(self, found: UnverifiedObject, place: Place, bodies: Bodies) -> tuple[State, fold.Claims]:
        if not self._states:
            if found.kind != "charter":
                raise RemoteError("the directory does not begin with a charter", code="wrong-charter")
            state, claims = genesis.begin(found, place, bodies)
        elif found.kind == "charter":
            genesis.check_fork(self._states, found, place, bodies)
            state, claims = genesis.amend(self._head, found, place, bodies)
        else:
            state, claims = _STEPS[found.kind](self._head, found, place)
        self._owners.check(claims)
        return state, claims

    @property
    def _head(self) -> State:
        if not self._states:
            raise RemoteError("the directory does not begin with a charter", code="wrong-charter")
        return self._states[-1]

    def restrictive(self, data: bytes, now: int, bodies: Bodies | None = None) -> PendingAct:
        """What an object that came by another path than the log takes away, verified against the newest state.

        For revocations, restrictions and charters; raises as `apply` does, and for what only permits. Changes nothing.
        """
        place = Place(self.size, now, self.framework_id)
        return pending_act(self._head, UnverifiedObject.parse(data), place, bodies or {})

    def void(self, logged_at: int, code: str) -> None:
        """Count an entry that is in the verified tree and does not apply. It changes nothing but the size."""
        if not self._logged:
            raise LocalError("the first entry is charter version 1: a directory without it is another framework's")
        self._void[self.size] = code
        self._logged.append(max(logged_at, self._logged[-1] if self._logged else logged_at))

    def voids(self) -> Mapping[int, str]:
        """Codes of the void entries by index."""
        return dict(self._void)

    def logged_at(self, index: int) -> int:
        """When entry `index` was logged, milliseconds."""
        return self._logged[index]

    def grew_before(self, size: int, time: int) -> bool:
        """Whether an entry that is not among the first `size` has `logged_at < time`: times never run back."""
        logged = self._logged
        return size < len(logged) and logged[size] < time

    def size_logged_before(self, time: int) -> int:
        """How many entries have `logged_at < time`."""
        return bisect_left(self._logged, time)

    def at(self, size: int) -> DirectoryView:
        """Trust as of the first `size` entries. `LocalError` for a size not folded yet or without a charter."""
        view = self._views.get(size)
        if view is None:
            view = DirectoryView(self.framework_id, size, self._core(size), self._prekeys)
            self._views[size] = view
            if len(self._views) > _CACHED:
                self._views.popitem(last=False)
        return view

    def last_using(self, log: str, size: int) -> int | None:
        """The most entries, of the first `size`, by which a log is in use; None if it never was."""
        for position in range(bisect_left(self._starts, size) - 1, -1, -1):
            if log in self.at(self._starts[position] + 1).logs:
                return min(size, self._starts[position + 1] if position + 1 < len(self._starts) else size)
        return None

    def _core(self, size: int) -> Core:
        position = bisect_left(self._starts, size) - 1
        if position < 0 or size > self.size:
            raise LocalError(f"the directory has no view at {size}: {self.size} entries are folded")
        core = self._cores.get(position)
        if core is None:
            core = self._cores[position] = Core(self._states[position], self._bundles)
            if len(self._cores) > _CACHED:
                self._cores.popitem(last=False)
        return core
