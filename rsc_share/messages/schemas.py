"""JSON Schema for every standard type: `python -m rsc_share.messages.schemas docs/schemas`.

The files are for those who write a second implementation or a form. They describe what an author writes and what stands
in portion 0: an object `{"value", "label"}` or a mark `{"$portion": n}`. Extra fields are wrong when writing; a reader
keeps them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rsc_share.messages import STANDARD
from rsc_share.messages.body import Body
from rsc_share.messages.examples import EXAMPLES


def schema(kind: type[Body]) -> str:
    """The schema of one type as text, the same bytes on every run."""
    described = kind.model_json_schema()
    described |= {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:rsc-share:{kind.TYPE}",
        "examples": [
            example.model_dump(mode="json", exclude_none=True) for example in EXAMPLES if type(example) is kind
        ],
    }
    return json.dumps(described, indent=2, sort_keys=True) + "\n"


def file_name(kind: type[Body]) -> str:
    """`threat-assessment-1.json` for `threat/assessment/1`."""
    return kind.TYPE.replace("/", "-") + ".json"


def write(folder: Path) -> None:
    """Write every schema into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in STANDARD:
        (folder / file_name(kind)).write_text(schema(kind), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
