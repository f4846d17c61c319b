"""One family, in a process of its own: libFuzzer never returns, and a crash of one family must not end the others."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from targets import Target

ROOM = 70_100
"""Bytes: the largest input that any target has, and its name."""


def work(family: str, names: Sequence[str], seconds: int, folder: Path, *, plain: bool) -> None:
    """Fuzz `names` for `seconds` altogether."""
    if plain:
        _plain(names, seconds, folder)
    else:
        _atheris(family, names, seconds, folder)


def _atheris(family: str, names: Sequence[str], seconds: int, folder: Path) -> None:
    """The imports stand here because atheris must come first: it counts lines only in what is imported after it."""
    import atheris

    with atheris.instrument_imports(include=["rsc_share"]):
        import every  # noqa: F401

    from campaign import Campaign
    from folders import CORPUS, RUN
    from turns import Turns

    campaigns = [Campaign(target, seeds) for target, seeds in _seeded(names, folder)]
    turns = Turns(campaigns, folder / RUN)

    def alter(data: bytes, limit: int, seed: int) -> bytes:
        return turns.alter(data, limit, Random(seed), lambda base, room: bytes(atheris.Mutate(base, room)))

    flags = [
        f"-max_total_time={seconds}",
        f"-max_len={ROOM}",
        "-len_control=0",
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        f"-artifact_prefix={folder}/",
    ]
    atheris.Setup(
        [family, *flags, str(folder / CORPUS)],
        turns.attack,
        custom_mutator=alter,
        internal_libfuzzer=True,
    )
    atheris.Fuzz()


def _plain(names: Sequence[str], seconds: int, folder: Path) -> None:
    """The same inputs without a view of lines: each target in turn, and each for its part of the time."""
    from campaign import Campaign
    from families import address
    from folders import RUN, store
    from turns import Turns

    campaigns = [Campaign(target, seeds) for target, seeds in _seeded(names, folder)]
    for campaign in campaigns:
        started = len(campaign.alive)
        try:
            campaign.run(seconds=seconds / len(campaigns), seed=zlib.crc32(campaign.target.name.encode()))
        except BaseException:
            print("Test unit written to", store(folder, address(campaign.target, campaign.last), "crash-"))
            raise
        for data in campaign.alive[started:]:
            store(folder / RUN, address(campaign.target, data))
    Turns(campaigns, folder / RUN).write()


def _seeded(names: Sequence[str], folder: Path) -> Iterator[tuple[Target, list[bytes]]]:
    """Each target with its seeds, which are stored too: libFuzzer reads them from there."""
    from every import BY_NAME, seeds_of
    from families import address
    from folders import CORPUS, store

    for name in names:
        target = BY_NAME[name]
        seeds = seeds_of(target)
        for data in seeds:
            store(folder / CORPUS, address(target, data), "seed-")
        yield target, seeds
