"""What `changed` says is new."""

from __future__ import annotations

from relay_world import CT, DIRECTORY, EST, FIN, head_of
from test_relay_admission import started
from test_relay_witnessing import settled

from rsc_share.relay import session as sessions


async def test_news_is_what_reading_would_have_shown(world):
    pen = await started(world)
    await world.witness()
    known = await settled(world, FIN)
    await world.submit(EST, pen.message(FIN), pen.message(FIN))
    news = await world.ports[FIN].changed(known, {CT: 1, DIRECTORY: 1})
    (tail,) = news.tails
    assert (tail.log, tail.start, len(tail.items)) == (CT, 1, 2)
    assert tail.items == (await world.relay.connect(FIN).read(CT, 1, 10)).items
    assert {log: head_of(note).size for log, note in news.notes} == {CT: 1}
    assert news.more == ()
    assert {offer.log for offer in news.offers} >= {CT}
    assert all(offer.old == 1 for offer in news.offers)


async def test_news_has_no_offers_before_the_node_has_said_what_it_was_shown(world):
    await started(world)
    port = world.relay.connect(FIN)
    assert (await port.changed({}, {})).offers == ()
    assert await port.offers({}) != []


async def test_more_than_fits_is_named(world, monkeypatch):
    pen = await started(world)
    await world.witness()
    known = await settled(world, FIN)
    await world.submit(EST, pen.message(FIN))
    monkeypatch.setattr(sessions, "NEWS_BYTES", 0)
    news = await world.ports[FIN].changed(known, {})
    assert (news.tails, news.more) == ((), (CT,))
