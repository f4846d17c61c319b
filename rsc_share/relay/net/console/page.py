"""The page as HTML, whole at every request: the script only carries what is new into what is shown.

No style, script, font or picture from elsewhere and none inline: the Content-Security-Policy forbids all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rsc_share.relay.net.console.alarms import CERTIFICATE_DAYS
from rsc_share.relay.net.console.state import Alarm, CodeRow, LogRow, SessionRow, State
from rsc_share.relay.net.console.words import (
    count,
    duration,
    latency,
    mark,
    moment,
    rate,
    size,
    spark,
    text,
    time_tag,
)
from rsc_share.relay.room import Room

MOST_SESSIONS = 500
"""Rows of sessions on the page; `state.json` has all."""
_KINDS = {"ready": "good", "stopped": "stop", "clock": "stop"}
Column = tuple[str, bool]
"""A heading, and whether its cells are numbers."""


def page(state: State) -> str:
    """The document."""
    word = _overall(state)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{text(word)}: {text(state.host)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<link rel="stylesheet" href="/console/console.css">
<script src="/console/console.js" defer></script>
</head>
<body>
<header>
<h1>Relay <span class="name">{text(state.host)}</span></h1>
<p class="tools"><noscript>New every 5 seconds.</noscript>
<button type="button" id="pause" aria-pressed="false" hidden>Pause</button></p>
</header>
<p id="lost" role="alert" hidden></p>
<main>
{_summary(state, word)}
{_logs(state)}
{_sessions(state)}
<div class="cards">
{_machine(state)}
{_codes("Entries not logged", "Every entry was logged.", state.refused, state.kept_seconds)}
{_codes("Connections and requests turned away", "Nobody was turned away.", state.turned_away, state.kept_seconds)}
{_codes("Sessions that ended", "No session has ended.", state.ended, state.kept_seconds)}
</div>
</main>
<footer><p>Read only. The same for programs: <a href="/console/state.json">state.json</a>.</p></footer>
</body>
</html>
"""


def _overall(state: State) -> str:
    if any(alarm.level == "stop" for alarm in state.alarms):
        return "Stopped in part"
    return "Needs attention" if state.alarms else "All is well"


def _summary(state: State, word: str) -> str:
    kind = "stop" if word.startswith("Stopped") else "attention" if state.alarms else "good"
    taking = sum(row.state == "ready" for row in state.logs)
    listed = "".join(_alarm(alarm) for alarm in state.alarms)
    return (
        f'<section class="summary {kind}" aria-label="Summary">'
        f'<p class="overall" role="status">{mark(kind)} <strong>{text(word)}</strong>: '
        f"{taking} of {len(state.logs)} logs take entries</p>"
        f'<p class="asof">as of {time_tag(state.at, moment(state.at))} UTC</p>'
        + (f'<ul class="alarms">{listed}</ul>' if listed else "")
        + "</section>"
    )


def _alarm(alarm: Alarm) -> str:
    word = {"stop": "Stop", "attention": "Attention"}[alarm.level]
    what, advice = text(alarm.what), text(alarm.advice)
    return f'<li>{mark(alarm.level)} <strong>{word}:</strong> {what}. <span class="advice">Do: {advice}.</span></li>'


def _logs(state: State) -> str:
    columns = (
        ("Log", False),
        ("State", False),
        ("Entries", True),
        ("Witnessed", True),
        ("Witnessed ago", True),
        ("A second", True),
        ("Last 5 minutes", False),
        ("Commit p50", True),
        ("p99", True),
    )
    return _table("Logs", columns, (_log(row, state.host) for row in state.logs), "No logs.")


def _log(row: LogRow, host: str) -> list[str]:
    size_seen = "none" if row.witnessed_size is None else count(row.witnessed_size)
    return [
        f'<span class="name">{_broken(row.log.removeprefix(f"{host}/"))}</span>',
        f'<span class="state">{mark(_KINDS.get(row.state, "attention"))} {text(row.state)}</span>',
        count(row.size),
        size_seen,
        "never" if row.witness_age is None else duration(row.witness_age),
        rate(row.per_second),
        spark(row.history),
        latency(row.commit_p50, row.commits),
        latency(row.commit_p99, row.commits),
    ]


def _broken(name: str) -> str:
    """A log's name without its host, which is the page's heading; it may be broken after its slashes."""
    return "/<wbr>".join(text(part) for part in name.split("/"))


def _sessions(state: State) -> str:
    columns = (("Node", False), ("Member", False), ("Since (UTC)", False), ("Open for", True), ("Backlog", True))
    rows = [_session(row, state.at) for row in state.sessions[:MOST_SESSIONS]]
    left = len(state.sessions) - len(rows)
    more = f'<p class="more">{count(left)} more are in state.json.</p>' if left else ""
    members = len({row.member for row in state.sessions})
    title = f"Sessions: {count(len(state.sessions))}, of {count(members)} member{'' if members == 1 else 's'}"
    return _table(title, columns, rows, "No node is connected.") + more


def _session(row: SessionRow, now: int) -> list[str]:
    since = time_tag(row.since, moment(row.since))
    return [text(row.node), text(row.member), since, duration(now - row.since), size(row.backlog)]


def _codes(title: str, nothing: str, rows: Sequence[CodeRow], seconds: float) -> str:
    columns = (("Code", False), (f"Last {duration(round(seconds) * 1000)}", True), ("Since start", True))
    cells = ([f"<code>{text(row.code)}</code>", count(row.lately), count(row.total)] for row in rows)
    return _table(title, columns, cells, nothing)


def _machine(state: State) -> str:
    clock = "stop" if state.clock_off else "good"
    certificate = "good" if state.certificate_days >= CERTIFICATE_DAYS else "attention"
    rows = [
        ["Connections", count(state.connections)],
        ["Clock stepped by", f"{mark(clock)} {state.clock_step:+.3f} s"],
        ["TLS certificate ends in", f"{mark(certificate)} {state.certificate_days:,.0f} days"],
        *_disk(state),
    ]
    return _table("Machine", (("What", False), ("Now", True)), rows, "")


def _disk(state: State) -> list[list[str]]:
    if not state.durable:
        return [["Store", f"{mark('attention')} in memory"]]
    if state.disk is None:
        return [["Disk", f"{mark('stop')} does not answer"]]
    disk = state.disk
    kind = {Room.ENOUGH: "good", Room.CRITICAL: "stop"}.get(disk.room, "attention")
    return [
        ["Room on the disk", f"{mark(kind)} {text(disk.room)}, {disk.percent:.1f} % free"],
        ["Free", f"{size(disk.free)} of {size(disk.total)}"],
        ["Database", size(disk.store)],
        ["Write-ahead file", size(disk.wal)],
    ]


def _table(title: str, columns: Sequence[Column], rows: Iterable[Sequence[str]], nothing: str) -> str:
    """Cells are HTML already. The first of each row is its heading."""
    numbers = [' class="number"' if number else "" for _, number in columns]
    head = "".join(f'<th scope="col"{kind}>{text(name)}</th>' for (name, _), kind in zip(columns, numbers, strict=True))
    body = "".join(f"<tr>{_row(cells, numbers)}</tr>" for cells in rows)
    if not body:
        body = f'<tr class="nothing"><td colspan="{len(columns)}">{text(nothing)}</td></tr>'
    return (
        f'<div class="wide" role="region" aria-label="{text(title)}" tabindex="0"><table>'
        f"<caption>{text(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(cells: Sequence[str], numbers: Sequence[str]) -> str:
    first, *others = (f"{kind}>{cell}" for cell, kind in zip(cells, numbers, strict=True))
    return f'<th scope="row"{first}</th>' + "".join(f"<td{other}</td>" for other in others)
