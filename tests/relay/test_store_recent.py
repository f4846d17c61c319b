"""What the store remembers of its last commits, against the database it must never contradict."""

from hypothesis import given
from hypothesis import strategies as st

from rsc_share.relay.store.protocol import Body
from rsc_share.relay.store.recent import EACH, RecentBodies, RecentFacts
from rsc_share.rulebook.facts import HeadFact, IdFact, head_key, id_key

LOGS = ("relay.example/regional/ct", "relay.example/regional/dr")
SENDERS = ("EST/a", "FIN/b")
IDS = tuple(bytes([n]) * 16 for n in range(12))

logs, ids, digests = st.sampled_from(LOGS), st.sampled_from(IDS), st.sampled_from([bytes([n]) * 32 for n in range(6)])
changes = st.lists(
    st.tuples(logs, digests, st.none() | st.builds(Body, st.integers(0, 9), st.binary(max_size=40))), max_size=30
)
keys = st.builds(id_key, st.sampled_from(SENDERS), ids) | st.builds(head_key, st.sampled_from(SENDERS))
facts = st.lists(st.tuples(logs, st.lists(keys, max_size=4)), max_size=25)


@given(changes)
def test_recent_bodies_say_what_the_database_says(brought):
    """Forgotten is None, never wrong; an erased body is not given out again."""
    recent, database = RecentBodies(3 * (EACH + 20)), {}
    for change in brought:
        recent.follow([change])
        database[change[:2]] = change[2]
        for (log, digest), body in database.items():
            found = recent.find(log, [digest])
            assert found is None or (body is not None and found == {digest: body})
    assert sum(len(body.data) + EACH for body in recent._bodies.values()) <= 3 * (EACH + 20)
    assert recent.find(LOGS[0], []) == {}


def test_some_of_the_bodies_are_none():
    recent = RecentBodies()
    recent.follow([(LOGS[0], b"a", Body(1, b"x"))])
    assert recent.find(LOGS[0], [b"a", b"b"]) is None
    assert recent.find(LOGS[1], [b"a"]) is None


@given(facts, facts, st.integers(0, 6))
def test_recent_facts_say_what_the_database_says(before, after, most):
    """Also in a process that did not write the first half of it."""
    database = {}
    for log, written in before:
        database |= {(log, key): HeadFact(0, b"", -1) for key in written}
    newest = {
        log: max(used) for log in LOGS if (used := [key[2] for at, key in database if at == log and key[0] == "id"])
    }
    recent = RecentFacts(newest, most)
    for number, (log, written) in enumerate(after):
        made = {key: IdFact(number, b"h") if key[0] == "id" else HeadFact(number, b"h", number) for key in written}
        recent.follow([(log, made)])
        database |= {(log, key): fact for key, fact in made.items()}
        asked = [id_key(sender, id_) for sender in SENDERS for id_ in IDS] + [head_key(sender) for sender in SENDERS]
        for key in asked:
            found = recent.find(log, [key])
            assert found is None or found == ({key: database[log, key]} if (log, key) in database else {})
    assert len(recent._facts) <= most


def test_an_id_later_than_all_that_were_forgotten_is_known_to_be_unused():
    recent = RecentFacts({LOGS[0]: IDS[5]})
    assert recent.find(LOGS[0], [id_key("EST/a", IDS[6])]) == {}
    assert recent.find(LOGS[0], [id_key("EST/a", IDS[5])]) is None
    assert recent.find(LOGS[0], [id_key("EST/a", IDS[6]), head_key("EST/a")]) is None
