"""Results of a class as one HTML page, which needs no network and runs nothing that a submission says."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from tinygrad_np.automark.results import Result, spoken
from tinygrad_np.automark.running import Marked, verdict

SIGNS = {
    "completed": "\N{CHECK MARK}",
    "wrong": "\N{BALLOT X}",
    "exception": "E",
    "time limit": "T",
    "memory": "M",
    "crashed": "C",
    "broken": "B",
    "not marked": "?",
    "not defined": "\N{EN DASH}",
}
"""How each verdict is shown in a cell."""

MEANINGS = {
    "completed": "passed all cases",
    "wrong": "returned something else than it should",
    "exception": "ended with an error",
    "time limit": "did not end in time",
    "memory": "took more memory than it may",
    "crashed": "ended the process that marked it",
    "broken": "the submission could not be read or loaded",
    "not marked": "the marker itself failed, which is no fault of the submission",
    "not defined": "is not among the submission's own functions",
}

GENERATOR = '<meta name="generator" content="tinygrad_np mark">'
"""What a report has among its first characters, by which it is known as one."""

LOOK = "look at it"
"""How a note ends that a teacher should read, whatever the results are."""

FEW = 8
"""Names that are shown without being asked for."""


class Mistake(NamedTuple):
    """A kind of mistake in a function, and whose it is.

    Examples
    --------
    >>> Mistake("hinge_forward", "factor N", ("ann.py", "bob.py")).count
    2
    """

    function: str
    kind: str
    names: tuple[str, ...]

    @property
    def count(self) -> int:  # type: ignore[override]
        return len(self.names)


def mistakes(marked: Sequence[Marked]) -> list[Mistake]:
    """The mistakes of a class, the commonest first; functions that were not written are none.

    Examples
    --------
    >>> wrong = Result("mse_forward", False, "...", "factor N", 37, 1)
    >>> mistakes([Marked("ann.py", "ann.py", "", (wrong,)), Marked("bob.py", "bob.py", "", (wrong,))])
    [Mistake(function='mse_forward', kind='factor N', names=('ann.py', 'bob.py'))]
    """
    found: dict[tuple[str, str], list[str]] = {}
    for one in marked:
        for result in one.results:
            if not result.passed and result.kind not in ("not defined", "broken", "not marked"):
                found.setdefault((result.function, result.kind), []).append(one.name)
    made = [Mistake(function, kind, tuple(names)) for (function, kind), names in found.items()]
    return sorted(made, key=lambda mistake: (-len(mistake.names), mistake.function, mistake.kind))


def html(
    marked: Sequence[Marked],
    names: Sequence[str],
    seed: int,
    title: str = "Marks",
    *,
    when: date | None = None,
    folder: str = "",
    options: Mapping[str, Any] | None = None,
) -> str:
    """One page: the class, its commonest mistakes, and each submission's results with reasons.

    Parameters
    ----------
    marked
        The results, in the order to be shown.
    names
        Of the functions, in their order.
    seed
        Of the hidden cases.
    title
        Of the page.
    when
        The date that it shows; today's, if not given.
    folder
        The name of the folder that was marked; that of the innermost one that holds all files, if not given.
    options
        What else was chosen, to be shown by name.

    Examples
    --------
    >>> page = html([Marked("<ann>", "", "", (Result("mse_forward", True, "", "", 37, 1),))], ["mse_forward"], 1)
    >>> "&lt;ann&gt;" in page, "<ann>" in page
    (True, False)
    """
    body = "\n".join(
        [
            f"<h1>{_text(title)}</h1>",
            *_summary(marked, names, seed, when or date.today(), folder or _common_folder(marked), options or {}),
            *_overview(marked, names),
            *_mistakes(marked),
            "<h2>Submissions</h2>",
            *(line for number, one in enumerate(marked, 1) for line in _submission(number, one)),
        ]
    )
    policy = f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; base-uri 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"{GENERATOR}\n"
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    """What a submission says, as text and never as markup; characters that no page may hold are replaced."""
    kept = re.sub(r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", text)
    return escape(kept)


def _parts(text: str) -> str:
    """A name as text, which a narrow column may break between its parts."""
    return re.sub(r"(?<=[_.-])(?=[^_.-])", "<wbr>", _text(text))


def _name(text: str) -> str:
    return f"<bdi>{_parts(text)}</bdi>"  # a name written from right to left turns nothing else around


def _code(function: str) -> str:
    return f"<code>{_parts(function)}</code>"


def _said(result: Result) -> str:
    """What is said of a result in words: its verdict, and for a wrong one the mistake."""
    if result.passed:
        return verdict(result)
    return spoken(result.kind) if verdict(result) == result.kind else f"{verdict(result)}: {spoken(result.kind)}"


def _to_look_at(one: Marked) -> list[str]:
    return [note for note in one.notes if note.endswith(LOOK)]


def _common_folder(marked: Sequence[Marked]) -> str:
    """The name of the innermost folder that holds all files; "" where there is none, as on different drives."""
    try:
        return Path(os.path.commonpath([Path(one.file).absolute().parent for one in marked])).name
    except ValueError:
        return ""


def _hash(text: str) -> str:
    """What lets a browser use this style or script, and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _class(name: str) -> str:
    return name.replace(" ", "-")


def _summary(
    marked: Sequence[Marked], names: Sequence[str], seed: int, when: date, folder: str, options: Mapping[str, Any]
) -> Iterator[str]:
    passed = sum(one.passed for one in marked)
    mean = f"{passed / len(marked):.1f} of {len(names)}" if marked else "none"
    yield '<dl class="summary">'
    for term, value in {
        "date": when.isoformat(),
        "folder": folder,
        "submissions": len(marked),
        "functions": len(names),
        "completed on average": mean,
        "seed of the hidden cases": seed,
        **options,
    }.items():
        if value != "":
            yield f"<div><dt>{_text(term)}</dt><dd>{_name(str(value))}</dd></div>"
    yield "</dl>"


def _overview(marked: Sequence[Marked], names: Sequence[str]) -> Iterator[str]:
    yield '<h2 id="class">The class</h2>'
    yield '<div class="wide tall" role="region" aria-labelledby="class" tabindex="0">'
    yield '<table class="class"><caption>Who completed what</caption>'
    yield '<thead><tr><th scope="col" class="who">submission</th><th scope="col" class="total">completed</th>'
    yield "".join(f'<th scope="col" class="function"><span>{_text(name)}</span></th>' for name in names)
    yield "</tr></thead><tbody>"
    for number, one in enumerate(marked, 1):
        link = f'<a href="#submission-{number}">{_name(one.name)}{_look(one)}</a>'
        cells = "".join(map(_cell, one.results))
        yield f'<tr><th scope="row" class="who">{link}</th><td class="total">{one.score}</td>{cells}</tr>'
    completed = Counter(result.function for one in marked for result in one.results if result.passed)
    yield '<tr><th scope="row" class="who">completed by</th>'  # no tfoot: print repeats it on each page
    yield f'<td class="total">{sum(completed.values())} of {len(marked) * len(names)}<br>in all</td>'
    yield "".join(f'<td class="count">{completed[name]}</td>' for name in names)
    yield "</tr></tbody></table></div>"
    shown = {verdict(result) for one in marked for result in one.results}
    yield '<ul class="legend">'
    for name, sign in SIGNS.items():
        if name in shown:
            yield f'<li><span class="sign {_class(name)}">{sign}</span> {name}: {MEANINGS[name]}</li>'
    if any(map(_to_look_at, marked)):
        yield '<li><span class="sign">!</span> look at it: the notes on this submission say why</li>'
    yield "</ul>"


def _cell(result: Result) -> str:
    name, said = verdict(result), _said(result)
    return (
        f'<td class="sign {_class(name)}" title="{_text(f"{result.function}: {said}")}">'
        f'<span aria-hidden="true">{SIGNS[name]}</span><span class="spoken">{_text(said)}</span></td>'
    )


def _look(one: Marked) -> str:
    """A sign beside the name of a submission that a teacher should look at; "" for the others."""
    if not _to_look_at(one):
        return ""
    return f' <span class="sign" title="{LOOK}" aria-hidden="true">!</span><span class="spoken">{LOOK}</span>'


def _mistakes(marked: Sequence[Marked]) -> Iterator[str]:
    numbers = {one.name: number for number, one in enumerate(marked, 1)}
    yield '<h2 id="mistakes">The commonest mistakes</h2>'
    found = mistakes(marked)
    if not found:
        yield "<p>None.</p>"
        return
    yield '<div class="wide" role="region" aria-labelledby="mistakes" tabindex="0">'
    yield '<table class="mistakes"><caption>Mistakes by function and kind, the commonest first</caption>'
    yield '<thead><tr><th scope="col">function</th><th scope="col">mistake</th><th scope="col">how many</th>'
    yield '<th scope="col">whose</th></tr></thead><tbody>'
    for mistake in found:
        links = [f'<a href="#submission-{numbers[name]}">{_name(name)}</a>' for name in mistake.names]
        whose = ", ".join(links)
        if len(links) > FEW:
            more = f"<details><summary>and {len(links) - FEW} more</summary>{', '.join(links[FEW:])}</details>"
            whose = f"{', '.join(links[:FEW])}, {more}"
        yield f'<tr><th scope="row">{_code(mistake.function)}</th><td class="kind">{_text(spoken(mistake.kind))}</td>'
        yield f'<td class="count">{len(links)}</td><td class="whose">{whose}</td></tr>'
    yield "</tbody></table></div>"


def _submission(number: int, one: Marked) -> Iterator[str]:
    yield f'<section id="submission-{number}"><details><summary><h3>{_name(one.name)}{_look(one)}</h3> '
    yield f'<span class="score">{one.score}</span></summary>'
    yield from _notes("Look at it", _to_look_at(one))
    broken = {result.reason for result in one.results if result.kind == "broken"}
    if broken and len(broken) == 1 and all(result.kind == "broken" for result in one.results):
        yield f"<pre>{_text(textwrap.dedent(broken.pop()))}</pre>"
    else:
        yield from _results(one.results)
    yield from _notes("While it was loaded", [note for note in one.notes if not note.endswith(LOOK)])
    if one.output.strip():
        yield f"<details><summary>What it printed</summary><pre>{_text(one.output)}</pre></details>"
    yield "</details></section>"


def _notes(heading: str, notes: Sequence[str]) -> Iterator[str]:
    if notes:
        yield f"<h4>{heading}</h4><ul>"
        yield from (f"<li>{_text(note)}</li>" for note in notes)
        yield "</ul>"


def _results(results: Sequence[Result]) -> Iterator[str]:
    for result in results:
        name = verdict(result)
        if not result.passed and name != "not defined":
            yield f'<h4><span class="sign {_class(name)}" aria-hidden="true">{SIGNS[name]}</span> '
            yield f"{_code(result.function)}: {_text(_said(result))}</h4>"
            yield f"<pre>{_text(textwrap.dedent(result.reason))}</pre>"
    missing = [result for result in results if verdict(result) == "not defined"]
    if missing:
        yield "<h4>Not defined</h4><ul>"
        for reason in dict.fromkeys(result.reason for result in missing):
            of = ", ".join(_code(r.function) for r in missing if r.reason == reason)
            yield f'<li>{of}: <span class="lines">{_text(textwrap.dedent(reason))}</span></li>'
        yield "</ul>"
    passed = ", ".join(_code(result.function) for result in results if result.passed)
    if passed:
        yield f"<h4>Completed</h4><p>{passed}</p>"


_SCRIPT = """
// Paper shows all: what is closed is opened to be printed, and closed again.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  closed.forEach(d => { d.open = true; });
});
addEventListener("afterprint", () => closed.forEach(d => { d.open = false; }));
// A link to a submission opens it.
const show = () => document.getElementById(location.hash.slice(1))?.querySelector("details")?.setAttribute("open", "");
addEventListener("hashchange", show);
show();
"""

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1b1f24; --quiet: #57606a; --line: #d0d7de; --soft: #f3f5f7;
  --link: #0550ae; --good: #116329; --on-good: #dafbe1; --bad: #a40e26; --on-bad: #ffebe9; --odd: #7d4e00;
  --on-odd: #fff3c4; }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --text: #e6edf3; --quiet: #9ea7b3; --line: #3d444d;
  --soft: #161b22; --link: #79b8ff; --good: #7ee787; --on-good: #12361f; --bad: #ffa198; --on-bad: #4b1113;
  --odd: #f2cc60; --on-odd: #3f2e00; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 75rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; margin: .5rem 0; } h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; display: inline; overflow-wrap: break-word; } h4 { font-size: 1rem; margin: 1rem 0 .25rem; }
a { color: var(--link); }
.summary { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 0; }
.summary dt { color: var(--quiet); font-size: .875rem; } .summary dd { margin: 0; font-weight: 600; }
.wide { overflow-x: auto; position: relative; } .tall { max-height: 85vh; overflow-y: auto; }
table { border-collapse: separate; border-spacing: 0; } caption { text-align: left; color: var(--quiet);
  padding: .25rem 0; }
th, td { border: solid var(--line); border-width: 0 1px 1px 0; padding: .25rem .5rem; text-align: left;
  vertical-align: top; }
thead th { border-top-width: 1px; } th:first-child { border-left-width: 1px; }
th { font-weight: 600; background: var(--soft); }
thead th { vertical-align: bottom; }
.class th.who { position: sticky; left: 0; z-index: 1; }
.class thead th { position: sticky; top: 0; z-index: 2; } .class thead th.who { z-index: 3; }
.class .who a { display: block; width: max-content; max-width: min(38vw, 24rem); overflow-wrap: break-word; }
.class .function span { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap;
  font: .8125rem/1.2 ui-monospace, monospace; }
.class .function { text-align: center; padding: .25rem; }
.total, .count { white-space: nowrap; text-align: right; font-variant-numeric: tabular-nums; }
.class .sign, .class .count { text-align: center; min-width: 1.9rem; padding: .25rem; }
.class .who .sign { padding: 0; }
.sign { color: var(--odd); background: var(--on-odd); font-weight: 600; }
span.sign { display: inline-block; min-width: 1.5rem; text-align: center; border-radius: .25rem; }
.completed { color: var(--good); background: var(--on-good); } .wrong { color: var(--bad); background: var(--on-bad); }
.not-defined { color: var(--quiet); background: var(--soft); }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.legend { list-style: none; padding: 0; font-size: .875rem; display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; }
.mistakes .kind { min-width: 10rem; } .mistakes .whose { min-width: 7rem; overflow-wrap: anywhere; }
.mistakes code { display: inline-block; width: max-content; }
.mistakes details { display: inline; } .mistakes summary { padding: .25rem 0; }
@media screen and (max-width: 40rem) { table { font-size: .8125rem; line-height: 1.35; }
  .class .who { font-weight: 400; } .mistakes .kind { min-width: 0; } .mistakes code { width: auto; } }
section { border: 1px solid var(--line); border-radius: .375rem; margin: .5rem 0; }
section > details > *:not(summary) { margin-left: 1rem; margin-right: 1rem; }
summary { cursor: pointer; padding: .5rem 1rem; } section summary .score { float: right; font-weight: 600; }
section details details { margin-bottom: 1rem; } section details details summary { padding: .5rem 0; }
pre { background: var(--soft); padding: .5rem .75rem; margin: .25rem 0 1rem; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; font: .875rem/1.45 ui-monospace, monospace; border-radius: .25rem; }
code { font: .875em ui-monospace, monospace; overflow-wrap: break-word; } .lines { white-space: pre-line; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
@media print {
  :root { color-scheme: light; --page: #fff; --text: #000; --quiet: #444; --line: #999; --soft: #fff; --link: #000;
    --good: #000; --on-good: #fff; --bad: #000; --on-bad: #eee; --odd: #000; --on-odd: #eee; }
  @page { margin: 12mm; }
  body { font-size: 9pt; } main { max-width: none; padding: 0; } .wide { overflow: visible; max-height: none; }
  a { text-decoration: none; } .class th.who, .class thead th { position: static; }
  .class .who a { max-width: 16em; } .class .function { padding: .1rem; }
  .class .sign, .class .count { min-width: 0; padding: .1rem; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
  .mistakes details::details-content { display: inline; } .mistakes summary { display: none; }
  tr, h3, h4, summary, caption { break-inside: avoid; } h2, h3, h4, summary, caption, thead { break-after: avoid; }
  thead { display: table-header-group; }
}
"""
