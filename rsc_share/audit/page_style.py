"""The page's style sheet. Red is a breach, violet a record that is wrong, amber an irregularity, grey what is dark."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1a1c20; --paper: #fff; --soft: #f2f3f5; --line: #d4d7dd; --mute: #626873;
 --clean: #1f7a4d; --breach: #b3261e; --integrity: #7b2d8e; --irregular: #9a5b00; --observe: #35618f; --dark: #8b909a }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e8e9ec; --paper: #16181c; --soft: #22252b;
 --line: #3a3e46; --mute: #a0a6b1; --clean: #5cc48d; --breach: #ff8a80; --integrity: #d69be6; --irregular: #f0b35a;
 --observe: #8bb8e8 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; color: var(--ink); background: var(--paper);
 font: 15px/1.5 system-ui, "Segoe UI", "Liberation Sans", sans-serif }
h1 { margin: .2rem 0; font-size: 2rem; letter-spacing: .02em }
h2 { margin: 2.2rem 0 .6rem; padding-bottom: .2rem; border-bottom: 2px solid var(--line); font-size: 1.2rem }
h3 { margin: 1.4rem 0 .4rem; font-size: 1rem }
.label { margin: 0; font-weight: 700; text-align: center; letter-spacing: .08em }
.digest, .iso, small, caption { color: var(--mute); font-size: .85em }
code { font: .85em ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere }
h1.clean, li.clean b { color: var(--clean) } h1.breach, li.breach b { color: var(--breach) }
h1.observe { color: var(--observe) }
h1.integrity, li.integrity b { color: var(--integrity) } li.irregular b { color: var(--irregular) }
li.observe b { color: var(--observe) }
.totals { display: flex; flex-wrap: wrap; gap: .6rem; padding: 0; list-style: none }
.totals li { padding: .4rem .9rem; border: 1px solid var(--line); border-radius: .4rem; background: var(--soft) }
.totals b { font-size: 1.3rem; font-variant-numeric: tabular-nums }
dl { display: grid; grid-template-columns: minmax(11rem, max-content) 1fr; gap: .15rem 1rem }
dt { color: var(--mute) } dd { margin: 0; overflow-wrap: anywhere }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100%; margin: .6rem 0 }
th, td { overflow-wrap: anywhere; padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: left;
 vertical-align: top }
th { overflow-wrap: normal } thead th { background: var(--soft) }
td { font-variant-numeric: tabular-nums } .none { color: var(--mute) }
.matrix { width: auto } .matrix td { text-align: right;
 background: color-mix(in srgb, var(--observe) calc(var(--share, 0%) / 3), transparent) }
caption { caption-side: bottom; text-align: left; padding: .3rem 0 }
.scope { margin: .2rem 0; font-weight: 600 } .ink { height: 2.4rem; border-bottom: 1px solid var(--ink) }
.finding { padding: .5rem .8rem; margin: .6rem 0; border: 1px solid var(--line); border-radius: .4rem }
.finding p, .finding dl { margin: .2rem 0; overflow-wrap: anywhere } .finding dl { font-size: .85em }
.grade { padding: .1rem .5rem; border-radius: .3rem; color: var(--paper); font-weight: 600; white-space: nowrap }
.grade.breach { background: var(--breach) } .grade.integrity { background: var(--integrity) }
.grade.irregular { background: var(--irregular) } .grade.observe { background: var(--observe) }
svg .clean { fill: var(--clean) } svg .breach { fill: var(--breach) } svg .dark { fill: var(--dark) }
footer { margin-top: 3rem; border-top: 1px solid var(--line) }
@page { margin: 18mm 14mm; @top-center { content: "@@LABEL@@"; font-size: 8pt }
 @bottom-center { content: "@@LABEL@@"; font-size: 8pt } @bottom-left { content: "@@DIGEST@@"; font-size: 6pt }
 @bottom-right { content: counter(page) " / " counter(pages); font-size: 7pt } }
@media print { body { max-width: none; padding: 0; font-size: 10pt }
 tr, .finding { break-inside: avoid } h2, h3 { break-after: avoid } .wide { overflow: visible }
 .grade { border: 1px solid; color: var(--ink); background: none !important } svg { print-color-adjust: exact } }
"""
