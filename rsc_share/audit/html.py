"""The report as one page: no scripts, nothing loaded from anywhere, readable in black and white and on paper.

Everything that came from an export is escaped. Colour repeats what a word says and never says it alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from rsc_share.audit.completeness import witnessed
from rsc_share.audit.findings import Grade
from rsc_share.audit.markup import bullets, cell, css_text, facts, groups, para, section, table, time_cell
from rsc_share.audit.outcome import Exit
from rsc_share.audit.page_style import STYLE
from rsc_share.audit.plots import activity, bar
from rsc_share.audit.times import dtg, iso

_INK = (
    '<section><h2>Signatures</h2><dl><dt>examiner, date</dt><dd class="ink"></dd>'
    '<dt>second examiner, same digest</dt><dd class="ink"></dd></dl></section>'
)
"""For a pen."""
_CLASS = {"breach": "breach", "integrity failure": "integrity", "irregularity": "irregular", "observation": "observe"}


def render(made: Mapping[str, Any]) -> str:
    """A whole HTML document from the values of `report.report`."""
    content = made["content"]
    label = escape(content["mandate"]["label"])
    digest = f"findings digest {made['findings_digest']}"
    lead = _lead(made)
    sections = (
        section("1. Mandate", _mandate(content["mandate"])),
        section("2. Custody", _custody(content["custody"])),
        section("3. Anchors from outside the export", _anchors(content["anchors"])),
        section("4. Reconciliation", _reconciliation(content["reconciliation"])),
        section("5. Completeness", _completeness(content["completeness"])),
        section("6. Findings", _findings(content)),
        section("7. Labels against content", para(content["labels_against_content"])),
        section("8. Rules and versions", _versions(content["rules"], made["run"])),
        section("9. What was not checked", bullets(content["not_checked"])),
    )
    style = STYLE.replace("@@LABEL@@", css_text(content["mandate"]["label"])).replace("@@DIGEST@@", digest)
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>Audit report {made["findings_digest"][:16]}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f'<style>{style}</style></head><body><header><p class="label">{label}</p>'
        f'<h1 class="lead {lead}">{escape(made["first_line"])}</h1>'
        f'<p class="scope">{escape(made["scope"])}</p>'
        f'<p class="digest">findings digest <code>{made["findings_digest"]}</code></p>'
        f"{_totals(content, lead)}</header><main>{''.join(sections)}</main>{_INK}"
        f'<footer><p class="digest">{digest}</p><p class="label">{label}</p></footer></body></html>\n'
    )


def _lead(made: Mapping[str, Any]) -> str:
    """Green only for an audit that is anchored and has nothing to tell."""
    if made["exit_code"] == Exit.CLEAN:
        return "observe" if made["content"]["findings"] else "clean"
    return "breach" if made["content"]["grades"][Grade.BREACH.text] else "integrity"


def _totals(content: Mapping[str, Any], lead: str) -> str:
    counts = content["reconciliation"]
    tiles = [("entries", counts["entries"], ""), ("checked", counts["checked"], lead if lead == "clean" else "")]
    tiles += [(grade, count, _CLASS[grade] if count else "") for grade, count in content["grades"].items()]
    tiles.append(("not checkable", counts["not_checkable"], ""))
    cells = "".join(f'<li class="{css}"><b>{count}</b> {escape(name)}</li>' for name, count, css in tiles)
    return f'<ul class="totals">{cells}</ul>'


def _mandate(mandate: Mapping[str, Any]) -> str:
    names = ("asked_by", "question", "period", "basis", "examiner", "channels", "view")
    return facts((name.replace("_", " "), mandate[name]) for name in names)


def _custody(custody: Mapping[str, Any]) -> str:
    return facts(
        [
            ("manifest SHA-256", custody["manifest_sha256"]),
            ("exported by", custody["exported_by"]),
            ("exported at (a claim)", f"{dtg(custody['exported_at_claimed'])} {iso(custody['exported_at_claimed'])}"),
            ("written with", custody["tool"]),
            ("files", f"{custody['files']}, {custody['bytes']} bytes"),
            ("manifest signed by", custody["signed_by"]),
            ("key", custody["signed_by_key"]),
            ("hand-overs recorded", custody["hand_overs"]),
        ]
    )


def _anchors(anchors: Mapping[str, Any]) -> str:
    given = "yes" if anchors["charter_digest_given"] else "no: taken from the export itself"
    given_facts = facts(
        [
            ("charter digest", groups(anchors["charter_digest"])),
            ("given from outside", given),
            ("where it was taken from", anchors["charter_digest_from"]),
            ("keys from outside", anchors["keys"]),
            ("logs without a checkpoint from outside", anchors["logs_without_outside_checkpoint"]),
        ]
    )
    rows = [
        (escape(h["from"]), escape(h["log"]), str(h["size"]), f"<code>{h['root']}</code>", time_cell(h["witnessed"]))
        for h in anchors["checkpoints"]
    ]
    return given_facts + (table(("from", "log", "size", "root", "quorum at"), rows) if rows else "")


def _reconciliation(found: Mapping[str, Any]) -> str:
    rows = []
    for log in found["logs"]:
        dark = sum(log["not_checkable"].values())
        plot = bar([("clean", log["checked"]), ("breach", log["with_finding"]), ("dark", dark)])
        numbers = [str(n) for n in (log["size"], log["checked"], log["with_finding"], dark)]
        rows.append([escape(log["log"]), *numbers, plot])
    sums = [str(found[key]) for key in ("entries", "checked", "with_finding", "not_checkable")]
    rows.append(["<b>sum</b>", *sums, ""])
    reasons = [
        f"{log['log']}: {count} not checkable, {reason}"
        for log in found["logs"]
        for reason, count in log["not_checkable"].items()
    ]
    bodies = [
        f"{log['log']}: {log['bodies']['erased']} bodies gone in order, {log['bodies']['missing']} missing"
        for log in found["logs"]
        if log["bodies"]
    ]
    work = (
        f"{found['bodies_present']} bodies present; {found['attachments']['checked']} attachments checked, "
        f"{found['attachments']['not_checked']} not; {found['signatures']} signatures verified; {found['decisions']} "
        f"sharing decisions, {found['distinct_decisions']} different ones, each asked of two programs."
    )
    kinds = [
        (escape(log["log"]), escape(row["sender"]), escape(row["kind"]), str(row["entries"]))
        for log in found["logs"]
        for row in log["by_sender"]
    ]
    return (
        table(("log", "size", "checked", "with finding", "not checkable", ""), rows)
        + bullets([*reasons, *bodies, work])
        + table(("log", "sender", "kind", "entries"), kinds)
    )


def _completeness(found: Mapping[str, Any]) -> str:
    parts = []
    for log in found["logs"]:
        parts.append(f"<h3>{escape(log['log'])}</h3>")
        parts.append(
            facts(
                [
                    ("up to", f"{log['size']} entries, root {log['root']}"),
                    ("witnessed by", witnessed(log)),
                    ("between", f"{dtg(log['witnessed_from'])} and {dtg(log['witnessed_until'])}"),
                ]
            )
        )
        if log["senders"]:
            rows = [
                (
                    escape(s["sender"]),
                    str(s["last_seq"]),
                    str(s["checked"]),
                    time_cell(s["last_heartbeat"]),
                    cell(s["gaps"]),
                )
                for s in log["senders"]
            ]
            parts.append(table(("sender", "last number", "checked", "last heartbeat", "gaps at entry"), rows))
            parts.append(activity(log["recipients"]))
    return "".join(parts) + para(found["limits"])


def _findings(content: Mapping[str, Any]) -> str:
    if not content["findings"]:
        return para("None.")
    return "".join(_finding(number, found) for number, found in enumerate(content["findings"], 1))


def _finding(number: int, f: Mapping[str, Any]) -> str:
    """A block for each, numbered so that a committee can quote it: a row of seven columns does not fit on paper."""
    entry = "" if f["index"] is None else f" <b>{f['index']}</b>"
    when = "" if f["when"] is None else time_cell(f["when"])
    grade = f'<span class="grade {_CLASS[f["grade"]]}">{escape(f["grade"])}</span>'
    place = " ".join(
        part for part in (f"{escape(f['log'])}{entry}" if f["log"] else "", when, escape(f["who"])) if part
    )
    known = [("rule", f["rule"]), ("basis", f["basis"]), *sorted(f["evidence"].items())]
    shown = "".join(
        f"<dt>{escape(name)}</dt><dd>{cell(value)}</dd>" for name, value in known if value not in ("", None)
    )
    return (
        f'<article class="finding"><p><b>{number}</b> {grade}'
        f" <code>{escape(f['code'])}</code> {place}</p><p>{escape(f['what'])}</p><dl>{shown}"
        '<dt>reply of the party</dt><dd class="none">none on file</dd></dl></article>'
    )


def _versions(rules: Mapping[str, Any], run: Mapping[str, Any] | None) -> str:
    rows = [
        (
            str(c["version"]),
            str(c["from_directory_entry"]),
            time_cell(c["from"]),
            f"<code>{c['charter_sha256']}</code>",
            f"<code>{c['policy_sha256']}</code>",
            str(c["rulebook"]),
        )
        for c in rules["charters"]
    ]
    found = table(("charter", "from entry", "from", "charter SHA-256", "policy SHA-256", "rulebook"), rows)
    found += para(f"Disagreements with the second program: {rules['second_program_disagreements']}.")
    if run is not None:
        times = [("started", f"{dtg(run['started'])} {iso(run['started'])}"), ("took", f"{run['milliseconds']} ms")]
        found += facts([*times, *sorted(run["versions"].items())])
    return found
