"""The closed vocabulary of rows, and who may write what."""

from __future__ import annotations

import pytest

from rsc_share.errors import LocalError, RemoteError
from rsc_share.policy import Bundle, pack_bundle, parse_rows, unpack_bundle
from rsc_share.policy.folder import shipped_bundle, shipped_files
from rsc_share.value import replace

PERMIT = """
[[agreement]]
id = "EST-FIN-2026-ct"
effect = "permit"
from = ["EST"]
to = ["FIN", "@nordic"]
actions = ["receive", "open"]
families = ["terrorism", "ee.mod.drone"]
max_level = "REGIONAL CONFIDENTIAL"
except = { caveat = ["SOURCE-SENSITIVE"] }
purpose = ["threat-assessment"]
valid = [2026-01-01, 2028-12-31]
obligations = { onward = "no", retain_days = 365, attribution = "must-not" }
basis = "MoU 12/2026 art. 4"
"""
DENY = '[[agreement]]\nid = "tonight"\neffect = "deny"\nfrom = ["EST"]\nto = ["LVA"]\n'


def test_row_of_the_design_is_read() -> None:
    (row,) = parse_rows(PERMIT.encode(), "bundle")
    assert row.id == "EST-FIN-2026-ct"
    assert row.max_level == ("REGIONAL", "CONFIDENTIAL")
    assert row.carrying == (("caveat", frozenset({"SOURCE-SENSITIVE"})),)
    assert dict(row.obligations)["retain_days"] == 365
    assert row.valid.last - row.valid.first == 1095


def test_rows_signed_alone_carry_their_signers_in_the_id() -> None:
    (row,) = parse_rows(DENY.encode(), "restriction", ("EST",))
    assert row.id == "EST/tonight"
    (row,) = parse_rows(PERMIT.encode(), "agreement", ("FIN", "EST"))
    assert row.id == "EST+FIN/EST-FIN-2026-ct"
    assert parse_rows(b"", "restriction", ("EST",)) == ()


BOUND = [
    (PERMIT, "restriction", ("EST",)),  # a member alone cannot permit
    (PERMIT, "agreement", ("LVA", "FIN")),  # material of somebody who did not sign
    (PERMIT.replace('["EST"]', '["@members"]'), "agreement", ("EST", "FIN")),
    (DENY.replace('"EST"', '"FIN"'), "restriction", ("EST",)),
    (DENY.replace('"deny"', '"require-release"'), "restriction", ("EST",)),
    (DENY, "restriction", ("EST", "FIN")),
    (DENY, "restriction", ()),
    (DENY, "bundle", ("EST",)),
]


@pytest.mark.parametrize("index", range(len(BOUND)))
def test_member_cannot_write_rows_about_others_material(index: int) -> None:
    text, source, signers = BOUND[index]
    with pytest.raises(RemoteError):
        parse_rows(text.encode(), source, signers)  # type: ignore[arg-type]


WRONG = {
    "unknown key": PERMIT + 'colour = "red"\n',
    "unknown effect": PERMIT.replace('"permit"', '"allow"'),
    "no effect": PERMIT.replace('effect = "permit"\n', ""),
    "permit without dates": PERMIT.replace("valid = [2026-01-01, 2028-12-31]\n", ""),
    "permit from a level up": PERMIT + 'min_level = "REGIONAL SECRET"\n',
    "permit that asks for a caveat": PERMIT + 'tags = { caveat = ["A"] }\n',
    "deny that excepts a caveat": DENY + 'except = { caveat = ["A"] }\n',
    "deny with obligations": DENY + "obligations = { retain_days = 1 }\n",
    "deny up to a level": DENY + 'max_level = "REGIONAL SECRET"\n',
    "ceiling without a level": DENY.replace('"deny"', '"ceiling"'),
    "unknown action": PERMIT.replace('"open"', '"look"'),
    "no action": PERMIT.replace('["receive", "open"]', "[]"),
    "nobody": PERMIT.replace('["EST"]', "[]"),
    "reader twice": PERMIT.replace('"@nordic"', '"FIN"'),
    "mini language": PERMIT.replace("retain_days = 365", 'retain = "<=365d"'),
    "level without scheme": PERMIT.replace("REGIONAL CONFIDENTIAL", "CONFIDENTIAL"),
    "level among exceptions": PERMIT.replace("except = { caveat", "except = { level"),
    "id like one of the directory": PERMIT.replace("EST-FIN-2026-ct", "EST/tonight"),
    "id twice": PERMIT + PERMIT,
    "date as text": PERMIT.replace("2026-01-01", '"2026-01-01"'),
    "rows as table": '[agreement]\nid = "x"\n',
    "row as text": 'agreement = ["x"]\n',
    "not utf-8": "\udcff",
}


@pytest.mark.parametrize("name", WRONG)
def test_row_outside_the_vocabulary_is_refused(name: str) -> None:
    with pytest.raises(RemoteError):
        parse_rows(WRONG[name].encode("utf-8", "surrogateescape"), "bundle")


def test_bundle_has_one_spelling() -> None:
    files = shipped_files()
    packed = pack_bundle(files)
    assert unpack_bundle(packed) == files
    assert pack_bundle(dict(reversed(list(files.items())))) == packed
    assert Bundle.unpack(packed).digest == Bundle.from_files(files).digest


BAD_FILES = {
    "no policy": lambda f: f.pop("policy.toml"),
    "stray file": lambda f: f.update({"notes.txt": b"hello"}),
    "path that climbs": lambda f: f.update({"../policy.toml": b""}),
    "scheme twice": lambda f: f.update({"schemes/again.toml": f["schemes/est.toml"]}),
    "row twice": lambda f: f.update({"agreements/again.toml": f["agreements/regional.toml"]}),
    "lowering round trip": lambda f: f.update(
        {
            "schemes/nato.toml": f["schemes/nato.toml"]
            + b'[[equivalence]]\nto = "EST"\nvalid = [2026-01-01, 2026-12-31]\nlevels = { SECRET = "RESTRICTED" }\n'
        }
    ),
    "row about a permissive tag": lambda f: f.update(
        {"agreements/x.toml": DENY.encode() + b'tags = { project = ["NORTHWIND"] }\n'}
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_unsound_bundle_is_refused(name: str) -> None:
    files = shipped_files()
    BAD_FILES[name](files)
    with pytest.raises(LocalError):
        Bundle.from_files(files)
    with pytest.raises(RemoteError):
        Bundle.unpack(pack_bundle(files))


def test_rows_of_the_directory_change_the_key_and_not_the_digest() -> None:
    bundle = shipped_bundle()
    rows = parse_rows(DENY.encode(), "restriction", ("EST",))
    narrowed = bundle.with_rows(rows, groups={"@nordic": ["FIN"]})
    assert narrowed.digest == bundle.digest
    assert narrowed.key != bundle.key
    assert narrowed.key == shipped_bundle().with_rows(rows, groups={"@nordic": ["FIN"]}).key
    assert narrowed.key != bundle.with_rows([replace(rows[0], to=frozenset({"FIN"}))], groups={"@nordic": ["FIN"]}).key
