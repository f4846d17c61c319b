"""The policy of the vectors: small, and with one of everything the file formats can say."""

from __future__ import annotations

from rsc_share.policy.bundle import Bundle, pack_bundle

REGIONAL = b"""\
scheme = "REGIONAL"
title = "A scheme for test vectors"
version = 1
audience_mode = "restrict"

[[level]]
name = "OPEN"
portion = "R-O"
public_release = true

[[level]]
name = "RESTRICTED"
portion = "R-R"

[[level]]
name = "SECRET"
portion = "R-S"
banner = "REGIONAL SECRET"

[[level]]
name = "TOP SECRET"
portion = "R-TS"
named = true

[[tag]]
name = "caveat"
type = "restrictive"

[[tag.value]]
name = "SOURCE-SENSITIVE"
portion = "SS"

[[tag.value]]
name = "CRYPTO"

[[tag.value]]
name = "LIMITED"
obsolete = true
replaced_by = "SOURCE-SENSITIVE"

[[tag]]
name = "project"
type = "permissive"
prefix = "PROJECT"

[[tag.value]]
name = "NORTHWIND"

[[tag.value]]
name = "EASTWIND"

[[tag]]
name = "control"
type = "informative"
originator_control = true

[[tag.value]]
name = "ORCON"
portion = "OC"

[[tag]]
name = "pap"
type = "handling"
prefix = "PAP"

[[tag.value]]
name = "GREEN"

[[tag.value]]
name = "RED"

[[rule]]
when = { level = ["OPEN"] }
excludes = { caveat = ["SOURCE-SENSITIVE", "CRYPTO", "LIMITED"] }

[[rule]]
when = { caveat = ["CRYPTO"] }
requires = { level = ["SECRET", "TOP SECRET"] }

[[equivalence]]
to = "PACT"
valid = [2026-01-01, 2026-12-31]
levels = { RESTRICTED = "GREY", SECRET = "BLACK", "TOP SECRET" = "BLACK" }
tags = [["caveat", "SOURCE-SENSITIVE", "handling-caveat", "HUMINT"]]
"""

PACT = b"""\
scheme = "PACT"
title = "A second scheme, whose REL TO adds to its members"
version = 1
separator = ":"
audience_mode = "extend"
base_audience = ["@pact"]
default_audience = ["@pact"]

[[level]]
name = "GREY"

[[level]]
name = "BLACK"
obligations = { onward = "no" }

[[tag]]
name = "handling-caveat"
type = "restrictive"

[[tag.value]]
name = "HUMINT"

[groups]
"@pact" = [
  { member = "FIN", first = 2026-06-01 },
  { member = "LVA" },
  { member = "LTU", last = 2026-01-31 },
]
"""

POLICY = b"""\
policy = "vectors"
version = 1
valid = [2026-01-01, 2027-06-30]

[agreement]
originators = ["LTU"]
"""

ROWS = b"""\
[[agreement]]
id = "LTU-all"
effect = "permit"
from = ["LTU"]
to = ["@members"]
actions = ["receive", "open"]
max_level = "REGIONAL SECRET"
except = { caveat = ["SOURCE-SENSITIVE"] }
families = ["threat"]
purpose = ["warning"]
valid = [2026-01-01, 2026-12-31]
obligations = { onward = "no", retain_days = 365 }
basis = "Memorandum 1/2026"

[[agreement]]
id = "no-crypto-to-LTU"
effect = "deny"
from = ["@members"]
to = ["LTU"]
tags = { caveat = ["CRYPTO"] }
min_level = "REGIONAL SECRET"

[[agreement]]
id = "nordic-ceiling"
effect = "ceiling"
from = ["@nordic"]
to = ["LVA"]
max_level = "REGIONAL RESTRICTED"
valid = [2026-01-01, 2026-06-30]

[[agreement]]
id = "two-persons"
effect = "require-release"
from = ["EST"]
to = ["@members"]
tags = { caveat = ["CRYPTO"] }
"""

FILES = {
    "agreements/rows.toml": ROWS,
    "policy.toml": POLICY,
    "schemes/pact.toml": PACT,
    "schemes/regional.toml": REGIONAL,
}
PACKED = pack_bundle(FILES)


def bundle() -> Bundle:
    return Bundle.unpack(PACKED)
