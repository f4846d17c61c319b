"""The report for a terminal: plain lines, every list complete, nothing that only colour says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rsc_share.audit.completeness import witnessed
from rsc_share.audit.findings import printable, spelled
from rsc_share.audit.times import both


def render(made: Mapping[str, Any]) -> str:
    """The whole report as text, from the values of `report.report`."""
    # A name that an exporter chose must not move the examiner's cursor.
    return "\n".join(map(printable, _lines(made))) + "\n"


def _lines(made: Mapping[str, Any]) -> Iterator[str]:
    content = made["content"]
    yield made["first_line"]
    yield made["scope"]
    yield f"findings digest {made['findings_digest']}"
    yield from _head(content)
    yield from _reconciliation(content["reconciliation"])
    yield from _completeness(content["completeness"])
    yield from _findings(content)
    yield from _rules(content["rules"], made["run"])
    yield ""
    yield "WHAT WAS NOT CHECKED"
    yield from (f"  - {line}" for line in content["not_checked"])


def _head(content: Mapping[str, Any]) -> Iterator[str]:
    mandate, custody, anchors = content["mandate"], content["custody"], content["anchors"]
    for name in ("asked_by", "question", "period", "basis", "examiner"):
        if mandate[name]:
            yield f"{name.replace('_', ' ')}: {mandate[name]}"
    yield f"view {mandate['view']}, channels {', '.join(mandate['channels']) or 'none'}, label {mandate['label']}"
    yield f"exported by {custody['exported_by']}, who says at {both(custody['exported_at_claimed'])}"
    signed = custody["signed_by"] or "nobody"
    yield f"manifest {custody['manifest_sha256']}, {custody['files']} files, signed by {signed}"
    if anchors["charter_digest_from"]:
        yield f"charter digest taken from {anchors['charter_digest_from']}"
    given = "given from outside" if anchors["charter_digest_given"] else "TAKEN FROM THE EXPORT ITSELF"
    yield f"charter digest {anchors['charter_digest']}, {given}"
    for head in anchors["checkpoints"]:
        yield f"checkpoint from {head['from']}: {head['log']} at {head['size']}, witnessed {both(head['witnessed'])}"
    for key in anchors["keys"]:
        yield f"key from outside: {key}"
    for log in anchors["logs_without_outside_checkpoint"]:
        yield f"no checkpoint from outside for {log}"


def _reconciliation(found: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield "ENTRIES"
    rows = [
        (log["log"], log["size"], log["checked"], log["with_finding"], sum(log["not_checkable"].values()))
        for log in found["logs"]
    ]
    total = ("all", found["entries"], found["checked"], found["with_finding"], found["not_checkable"])
    yield from table(("log", "size", "checked", "finding", "not checkable"), [*rows, total])
    for log in found["logs"]:
        for reason, count in log["not_checkable"].items():
            yield f"  not checkable in {log['log']}: {count}, {reason}"
        if log["bodies"]:
            bodies = log["bodies"]
            yield f"  bodies of {log['log']}: {bodies['erased']} gone in order, {bodies['missing']} missing"
    yield f"  {found['bodies_present']} bodies present; {found['signatures']} signatures verified"
    if any(found["attachments"].values()):
        held = found["attachments"]
        right = f"{held['checked']} checked, {held['checked_bytes']} bytes"
        yield f"  attachments: {right}; {held['not_checked']} NOT CHECKED"
    asked = f"{found['decisions']} sharing decisions, {found['distinct_decisions']} different ones"
    yield f"  {asked}, each asked of two programs"


def _completeness(found: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield "COMPLETENESS"
    for log in found["logs"]:
        yield f"  {log['log']} up to {log['size']}, witnessed by {witnessed(log)}"
        if log["witnessed_from"] is not None:
            yield f"    between {both(log['witnessed_from'])} and {both(log['witnessed_until'])}"
        for sender in log["senders"]:
            beat = both(sender["last_heartbeat"])
            gaps = f", gaps at {', '.join(map(str, sender['gaps']))}" if sender["gaps"] else ""
            yield f"    {sender['sender']}: last number {sender['last_seq']}, last heartbeat {beat}{gaps}"
        for row in log["recipients"]:
            yield f"    {row['sender']} to {row['node']}: {row['last_number']}"
    yield f"  {found['limits']}"


def _findings(content: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    counts = ", ".join(f"{count} {grade}" for grade, count in content["grades"].items())
    yield f"FINDINGS ({counts})"
    for number, finding in enumerate(content["findings"], 1):
        place = f"{finding['log']} {'' if finding['index'] is None else finding['index']}".strip()
        head = f"{number}. {finding['grade'].upper()} {finding['code']}"
        yield f"  {head}  {place}  {both(finding['when'])}  {finding['who']}".rstrip()
        yield f"    {finding['what']}"
        if finding["rule"] or finding["basis"]:
            yield f"    rule: {finding['rule']}{'; basis: ' + finding['basis'] if finding['basis'] else ''}"
        for name, value in sorted(finding["evidence"].items()):
            if value not in ("", None):
                yield f"    {name}: {spelled(value)}"
        yield "    reply of the party: none on file"


def _rules(rules: Mapping[str, Any], run: Mapping[str, Any] | None) -> Iterator[str]:
    """By what was judged, and with what: whoever repeats it needs the same."""
    yield ""
    yield "RULES AND VERSIONS"
    for charter in rules["charters"]:
        since = f"from entry {charter['from_directory_entry']}, {both(charter['from'])}"
        yield f"  charter {charter['version']} {charter['charter_sha256']}, rulebook {charter['rulebook']}, {since}"
        yield f"    policy {charter['policy_sha256']}"
    yield f"  disagreements with the second program: {rules['second_program_disagreements']}"
    for name, version in sorted(run["versions"].items()) if run is not None else ():
        yield f"  {name}: {version}"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Columns as wide as they need; numbers to the right."""
    cells = [list(map(str, head)), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        first, *rest = (
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  " + "  ".join((first, *rest)).rstrip()
