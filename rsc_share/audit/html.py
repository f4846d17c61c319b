"""The report as one page: no scripts, nothing loaded from anywhere, readable in black and white and on paper.

Everything that came from an export is escaped. Colour repeats what a word says and never says it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from rsc_share.audit.page_style import STYLE
from rsc_share.audit.plots import activity, bar
from rsc_share.audit.times import dtg, iso

_CLASS = {"breach": "breach", "integrity failure": "integrity", "irregularity": "irregular", "observation": "observe"}
_LEAD = {"NO FINDINGS": "clean", "FINDINGS": "breach"}


def render(made: Mapping[str, Any]) -> str:
    """A whole HTML document from the values of `report.report`."""
    content = made["content"]
    label = escape(content["mandate"]["label"])
    foot = f"{label} · findings digest {made['findings_digest']}"
    sections = (
        _section("1. Mandate", _mandate(content["mandate"])),
        _section("2. Custody", _custody(content["custody"])),
        _section("3. Anchors from outside the export", _anchors(content["anchors"])),
        _section("4. Reconciliation", _reconciliation(content["reconciliation"])),
        _section("5. Completeness", _completeness(content["completeness"])),
        _section("6. Findings", _findings(content)),
        _section("7. Labels against content", _para(content["labels_against_content"])),
        _section("8. Rules and versions", _versions(content["rules"], made["run"])),
        _section("9. What was not checked", _list(content["not_checked"])),
    )
    style = STYLE.replace("@@FOOT@@", foot.replace('"', "'"))
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>Audit report {made["findings_digest"][:16]}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f'<style>{style}</style></head><body><header><p class="label">{label}</p>'
        f'<h1 class="lead {_LEAD.get(made["first_line"], "integrity")}">{escape(made["first_line"])}</h1>'
        f'<p class="digest">findings digest <code>{made["findings_digest"]}</code></p>'
        f"{_totals(content)}</header><main>{''.join(sections)}</main>"
        f'<footer><p class="digest">{foot}</p></footer></body></html>\n'
    )


def _totals(content: Mapping[str, Any]) -> str:
    counts = content["reconciliation"]
    tiles = [("entries", counts["entries"], ""), ("checked", counts["checked"], "clean")]
    tiles += [(grade, count, _CLASS[grade] if count else "") for grade, count in content["grades"].items()]
    tiles.append(("not checkable", counts["not_checkable"], ""))
    cells = "".join(f'<li class="{css}"><b>{count}</b> {escape(name)}</li>' for name, count, css in tiles)
    return f'<ul class="totals">{cells}</ul>'


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inside}</section>"


def _para(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _list(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _facts(rows: Iterable[tuple[str, Any]]) -> str:
    cells = "".join(f"<dt>{escape(name)}</dt><dd>{_cell(value)}</dd>" for name, value in rows)
    return f"<dl>{cells}</dl>"


def _cell(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return '<span class="none">none</span>'
    if isinstance(value, list):
        return ", ".join(escape(str(item)) for item in value)
    return escape(str(value))


def time_cell(time: int | None) -> str:
    return '<span class="none">-</span>' if time is None else f'{dtg(time)} <span class="iso">{iso(time)}</span>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """`rows` hold HTML already: numbers and escaped text."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _mandate(mandate: Mapping[str, Any]) -> str:
    names = ("asked_by", "question", "period", "basis", "examiner", "channels", "view")
    return _facts((name.replace("_", " "), mandate[name]) for name in names)


def _custody(custody: Mapping[str, Any]) -> str:
    return _facts(
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
    facts = _facts(
        [
            ("charter digest", anchors["charter_digest"]),
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
    return facts + (table(("from", "log", "size", "root", "quorum at"), rows) if rows else "")


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
        f"{found['bodies_present']} bodies present; {found['signatures']} signatures verified; {found['decisions']} "
        f"sharing decisions, {found['distinct_decisions']} different ones, each asked of two programs."
    )
    kinds = [
        (escape(log["log"]), escape(row["sender"]), escape(row["kind"]), str(row["entries"]))
        for log in found["logs"]
        for row in log["by_sender"]
    ]
    return (
        table(("log", "size", "checked", "with finding", "not checkable", ""), rows)
        + _list([*reasons, *bodies, work])
        + table(("log", "sender", "kind", "entries"), kinds)
    )


def _completeness(found: Mapping[str, Any]) -> str:
    parts = []
    for log in found["logs"]:
        witnesses = f"{len(log['witnessed_by'])} of {log['may_witness']} ({log['needed']} needed)"
        parts.append(f"<h3>{escape(log['log'])}</h3>")
        parts.append(
            _facts(
                [
                    ("up to", f"{log['size']} entries, root {log['root']}"),
                    ("witnessed by", f"{witnesses}: {', '.join(log['witnessed_by'])}"),
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
                    _cell(s["gaps"]),
                )
                for s in log["senders"]
            ]
            parts.append(table(("sender", "last number", "checked", "last heartbeat", "gaps at entry"), rows))
            parts.append(activity(log["recipients"]))
    return "".join(parts) + _para(found["limits"])


def _findings(content: Mapping[str, Any]) -> str:
    if not content["findings"]:
        return _para("None.")
    rows = []
    for f in content["findings"]:
        place = escape(f["log"]) + ("" if f["index"] is None else f" <b>{f['index']}</b>")
        rule = escape(f["rule"]) + (f"<br>basis: {escape(f['basis'])}" if f["basis"] else "")
        evidence = "<br>".join(f"{escape(k)}: {_cell(v)}" for k, v in f["evidence"].items())
        grade = (
            f'<span class="grade {_CLASS[f["grade"]]}">{escape(f["grade"])}</span><br><code>{escape(f["code"])}</code>'
        )
        what = f"{escape(f['what'])}<br><small>reply of the party: none on file</small>"
        rows.append((grade, place, time_cell(f["when"]), escape(f["who"]), what, rule, f"<small>{evidence}</small>"))
    return table(("grade", "entry", "log time", "who", "what", "rule", "evidence"), rows)


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
    found += _para(f"Disagreements with the second program: {rules['second_program_disagreements']}.")
    if run is not None:
        facts = [("started", f"{dtg(run['started'])} {iso(run['started'])}"), ("took", f"{run['milliseconds']} ms")]
        found += _facts([*facts, *sorted(run["versions"].items())])
    return found
