"""The demonstration: four states, a relay, real input, a relay that cheats, an audit. What it shows has happened.

`play.play` runs it and yields what happened as values (`parts`); `screen` shows them, `summary` makes JSON of them, and
every part carries claims that were checked against the running framework: one that does not hold fails the run.
"""
