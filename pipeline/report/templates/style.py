"""The style sheet of the page: system fonts, light and dark, phone and print; every colour is defined here."""

CSS = """\
:root {
  color-scheme: light dark;
  --rival: #5c6672; --arm0: #a3520a; --arm1: #a8224a; --arm2: #2b7a4b; --arm3: #1d5fa8; --arm4: #6b3fa0;
  --arm5: #0b7285;
  --paper: #fff; --panel: #f6f7f9; --ink: #1b1f24; --muted: #57606c; --rule: #dfe3e8;
  --first: #1d5fa8; --second: #a8480a; --third: #1f7146; --hit: #7fb0e6; --miss: #f2a06a;
  --fourth: #7b3fa0; --fifth: #b3246b; --sixth: #0b7285; --seventh: #7a6a00;
  --good: #17663c; --bad: #a3271f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --rival: #a2acb8; --arm0: #f0a36a; --arm1: #f48ba6; --arm2: #74cd9e; --arm3: #82b7f2; --arm4: #c3a1f5;
    --arm5: #67cbdc;
    --paper: #14171b; --panel: #1c2026; --ink: #e7eaee; --muted: #a2acb8; --rule: #333a43;
    --first: #82b7f2; --second: #f0a36a; --third: #74cd9e; --hit: #2b5f9c; --miss: #96501f;
    --fourth: #c9a0ee; --fifth: #f58cbf; --sixth: #5cc8d7; --seventh: #d6c451;
    --good: #7ad0a0; --bad: #f39a92;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 70rem; background: var(--paper); color: var(--ink);
  font: 0.9375rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
h1, h2, h3 { line-height: 1.25; letter-spacing: -0.012em; margin: 0; font-weight: 650; }
h1 { font-size: 2rem; }
h2 { font-size: 1.5rem; }
h3 { font-size: 1rem; margin: 2.25rem 0 0.6rem; }
p { margin: 0.4rem 0; max-width: 44rem; }
a { color: var(--first); text-underline-offset: 0.15em; }
:focus-visible { outline: 2px solid var(--first); outline-offset: 2px; border-radius: 2px; }
.muted, figcaption, .caption, dt { color: var(--muted); }
.lead { font-size: 1.125rem; margin: 0.35rem 0 1rem; }
.small { font-size: 0.8125rem; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; list-style: none; margin: 0.9rem 0 0; padding: 0; }
main > section { border-top: 1px solid var(--rule); margin-top: 3rem; padding-top: 1.75rem; }
main > section:first-child { border: 0; margin-top: 1.25rem; padding-top: 0; }

.scroll { overflow-x: auto; margin: 0.5rem 0 1.25rem; }
table { border-collapse: collapse; min-width: 100%; font-size: 0.875rem; }
.caption { font-size: 0.8125rem; margin: 0.75rem 0 0.15rem; }
.caption + .scroll { margin-top: 0; }
.quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
th, td { padding: 0.38rem 0.9rem 0.38rem 0; text-align: left; vertical-align: top; overflow-wrap: normal; }
th:last-child, td:last-child { padding-right: 0; }
th { font-weight: 600; }
thead th { color: var(--muted); font-size: 0.8125rem; font-weight: 500; vertical-align: bottom; }
thead tr { border-bottom: 1px solid var(--ink); }
tbody tr { border-bottom: 1px solid var(--rule); }
.number { text-align: right; white-space: nowrap; }
.nowrap { white-space: nowrap; }
.interval { color: var(--muted); font-size: 0.8125rem; }
.reason { display: block; max-width: 14rem; margin-left: auto; white-space: normal; }
/* An inline block takes no more than its max-width from the other columns, however long a word is. */
td .data, th .data { display: inline-block; min-width: 3.25rem; max-width: 16rem; overflow-wrap: break-word; }
td.text { width: 60%; min-width: 16rem; }
td.text .data { max-width: none; overflow-wrap: anywhere; }
td.half { width: 38%; min-width: 14rem; }
td.half .data { max-width: none; overflow-wrap: anywhere; }
.words { min-width: 11rem; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.plain { font-weight: 600; }

.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 0.75rem; margin: 1rem 0; }
.figures div { background: var(--panel); border-radius: 6px; padding: 0.6rem 0.8rem; }
.figures dd { font-size: 1.375rem; font-weight: 600; line-height: 1.3; margin: 0; }
.figures .interval { display: block; font-weight: 400; min-height: 1.3em; }
.facts {
  display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.2rem 1.25rem; align-items: baseline;
  margin: 0.5rem 0;
}
dt { font-size: 0.8125rem; }
.facts dd { margin: 0; }
.columns {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr)); gap: 0 3rem;
  align-items: start;
}
.columns > * { min-width: 0; }
details { margin: 0.75rem 0; }
summary { cursor: pointer; color: var(--first); width: fit-content; }

figure { margin: 0.5rem 0 1rem; }
figcaption { font-size: 0.8125rem; margin-top: 0.25rem; max-width: 30rem; }
svg { display: block; max-width: 100%; height: auto; }
.chart svg { width: 100%; max-width: 28rem; }
.wide svg { max-width: none; }
.large { overflow-x: auto; }
.large svg { width: 100%; min-width: 36rem; max-width: 50rem; }
.large figcaption { max-width: 44rem; }
svg text { font-size: 12px; fill: var(--ink); font-family: inherit; }
svg .axis, svg .note { fill: var(--muted); }
svg .note, svg .small { font-size: 11px; }
svg .value, svg .cell, svg .name { font-weight: 600; }
svg .cell.small { font-weight: 400; }
svg .first { --series: var(--first); }
svg .second { --series: var(--second); }
svg .third { --series: var(--third); }
svg .rest { --series: var(--muted); }
svg .class-0 { --series: var(--first); }
svg .class-1 { --series: var(--second); }
svg .class-2 { --series: var(--third); }
svg .class-3 { --series: var(--fourth); }
svg .class-4 { --series: var(--fifth); }
svg .class-5 { --series: var(--sixth); }
svg .class-6 { --series: var(--seventh); }
svg .dot { fill: var(--series); fill-opacity: 0.8; stroke: var(--paper); stroke-width: 0.5; }
svg .ring { fill: none; stroke: var(--ink); }
svg .rival { --series: var(--rival); }
svg .arm0 { --series: var(--arm0); }
svg .arm1 { --series: var(--arm1); }
svg .arm2 { --series: var(--arm2); }
svg .arm3 { --series: var(--arm3); }
svg .arm4 { --series: var(--arm4); }
svg .arm5 { --series: var(--arm5); }
svg .band { fill: var(--series); fill-opacity: 0.13; stroke: none; }
svg .leader { fill: none; stroke: var(--series); stroke-width: 1; stroke-opacity: 0.55; }
svg .dashed.line { stroke-dasharray: 6 3; }
svg .ground { fill: var(--paper); }
svg .name { fill: var(--series); }
svg .grid { stroke: var(--rule); }
svg .base { stroke: var(--muted); }
svg .ideal, svg .best { stroke: var(--muted); stroke-dasharray: 4 4; }
svg .frame { fill: none; stroke: var(--rule); }
svg .hit { fill: var(--hit); }
svg .miss { fill: var(--miss); }
svg .track { fill: var(--rule); }
svg .bar { fill: var(--muted); }
svg .first.bar { fill: var(--first); }
svg .line { fill: none; stroke: var(--series); stroke-width: 2; stroke-linejoin: round; }
svg .second.line { stroke-dasharray: 6 3; }
svg .spot { fill: var(--series); stroke: var(--paper); }
svg .whisker { stroke: var(--series); stroke-width: 2; stroke-linecap: round; }
svg.inline {
  display: inline-block; height: 6px; max-width: none; margin-right: 0.5rem; vertical-align: 0.1em; overflow: visible;
}

@media (max-width: 40rem) {
  body { padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.625rem; }
  h2 { font-size: 1.3125rem; }
  .lead { font-size: 1rem; }
  svg.stretch { width: 3rem; }
}
@media print {
  :root {
    --rival: #444; --arm0: #a3520a; --arm1: #a8224a; --arm2: #2b7a4b; --arm3: #1d5fa8; --arm4: #6b3fa0;
    --arm5: #0b7285;
    color-scheme: light; --paper: #fff; --panel: #f6f7f9; --ink: #000; --muted: #444; --rule: #ccc;
    --first: #1d5fa8; --second: #a8480a; --third: #1f7146; --hit: #7fb0e6; --miss: #f2a06a;
    --fourth: #7b3fa0; --fifth: #b3246b; --sixth: #0b7285; --seventh: #7a6a00;
    --good: #17663c; --bad: #a3271f;
  }
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  nav, summary { display: none; }
  details::details-content { content-visibility: visible; display: block; }
  .scroll, .large { overflow: visible; }
  main > section { break-before: page; border: 0; margin: 0; padding: 0; }
  main > section:first-child { break-before: auto; }
  h2, h3, thead { break-after: avoid; }
  figure, tr, .figures { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""

# What a chart needs that stands in a file of its own: the colours, and the rules of its elements.
CHART_CSS = "\n".join(
    [
        CSS[: CSS.index("* {")].rstrip(),
        "svg { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', sans-serif; }",
        *(line for line in CSS.splitlines() if line.startswith("svg ")),
    ]
)
