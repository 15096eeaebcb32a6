"""The report: one page that says what it should, holds on to nothing outside, and runs nothing that it is told."""

import json
import re
from datetime import date
from html.parser import HTMLParser

import pytest

from tests import browser
from tinygrad_np.automark import report
from tinygrad_np.automark.results import Result
from tinygrad_np.automark.running import VERDICTS, Marked, verdict

NAMES = ["hinge_forward", "mse_forward", "relu_forward"]
EVIL = (
    "</pre></script><script>document.title='broken into'</script><img src=x onerror=\"document.title='broken into'\">"
)
VOID = {"meta", "link", "img", "br", "hr", "input"}


def result(function, kind, reason="for x = [1.]\n  expected 1, got 2"):
    return Result(function, not kind, kind and f"  {reason}", kind, 37, 5)


def marked(name, *kinds, **more):
    results = tuple(result(function, kind) for function, kind in zip(NAMES, kinds, strict=True))
    return Marked(name, name, "", results, **more)


LOOK = "relu_forward uses relu_forward of tinygrad_np: look at it"
CLASS = [
    marked("ann.ipynb", "", "", ""),
    marked("bob.py", "factor N", "factor N", "time limit"),
    marked("eve.py", "factor N", "not defined", "exception", notes=("eve.py, line 1: ModuleNotFoundError", LOOK)),
    marked("zoe.py", "broken", "broken", "broken"),
]

EVILS = [
    Marked(
        EVIL, EVIL, "", (Result("mse_forward", False, EVIL, EVIL, 1, 1),), notes=(EVIL,), output=EVIL + "\0\x1b\ud800"
    ),
]


class Page(HTMLParser):
    """A page's tags, attributes and text; refuses what does not balance."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.said = [], [], [], []
        self.feed(text.replace("<wbr>", ""))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.open)

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.said.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.said).split())


def page(found=CLASS, names=NAMES):
    return report.html(found, names, 5)


# --- what it says -----------------------------------------------------------------------------------------------------


def test_tags_balance_and_ids_and_links_meet():
    for found in (CLASS, EVILS, [], CLASS * 30):
        read = Page(page(found))
        ids = [value for _, name, value in read.attributes if name == "id"]
        assert len(ids) == len(set(ids))
        links = [value for tag, name, value in read.attributes if (tag, name) == ("a", "href")]
        assert {link.removeprefix("#") for link in links} <= set(ids)
        assert all(link.startswith("#") for link in links)


def test_nothing_outside_is_referred_to():
    text = page(CLASS + EVILS)
    read = Page(text)
    assert not {"src", "srcset", "action", "data", "style", "background"} & {name for _, name, _ in read.attributes}
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & set(read.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "//" not in re.sub(r"^// .*$", "", text, flags=re.MULTILINE).replace("</", "")
    assert "default-src 'none'" in text


def test_nothing_that_a_submission_says_is_markup():
    read = Page(page(EVILS, ["mse_forward"]))
    assert read.tags.count("script") == 1
    assert read.tags.count("title") == 1
    assert not [name for _, name, _ in read.attributes if name.startswith("on")]
    assert read.text.count(EVIL) >= 5
    text = page(EVILS, ["mse_forward"])
    text.encode()
    assert not set(text) & {"\0", "\x1b"}


def test_the_class_is_one_table_of_functions_by_submissions_with_totals():
    text = page()
    table = text[text.index('<table class="class">') : text.index("</table>")]
    read = Page(table + "</table>")
    assert [(tag, name, value) for tag, name, value in read.attributes if name == "scope"].count(
        ("th", "scope", "col")
    ) == 2 + len(NAMES)
    assert read.attributes.count(("th", "scope", "row")) == len(CLASS) + 1
    assert "<caption>" in table
    rows = [Page(f"{row}</tr>").text for row in re.findall(r"<tr>.*?(?=</tr>)", table, re.DOTALL)]
    assert rows[1] == "ann.ipynb 3 of 3 ✓ completed ✓ completed ✓ completed"
    undivided = "✗ wrong: not divided by how many there are"
    assert rows[2] == f"bob.py 0 of 3 {undivided} {undivided} T it does not end in time"
    assert rows[3].startswith("eve.py ! look at it 0 of 3 ")
    assert rows[4] == "zoe.py 0 of 3 B broken B broken B broken"
    assert rows[5] == "completed by 3 of 12 in all 1 1 1"
    assert "! look at it: the notes" in Page(text).text
    assert "look at it" not in page(CLASS[:2])
    assert "tfoot" not in text  # a browser prints it on each page


def test_the_head_tells_what_was_marked_when_and_how():
    inside = [Marked(n, f"homes/class/{n}", "", m.results) for n, m in zip(("ann/a.py", "b.py"), CLASS, strict=False)]
    head = page(inside).partition("<h2")[0]
    assert head.index('<meta charset="utf-8">\n<meta name="generator" content="tinygrad_np mark">') < 100
    said = Page(f"{head}</main></body></html>").text
    assert re.search(r"date \d{4}-\d\d-\d\d folder class submissions 2 functions 3 ", said)
    text = report.html(inside, NAMES, 5, when=date(2030, 1, 2), folder="<week 1>", options={"seconds": 20.0})
    assert "date 2030-01-02 folder <week 1> submissions" in Page(text).text
    assert "seed of the hidden cases 5 seconds 20.0 The class" in Page(text).text
    assert "homes" not in text


def test_names_break_between_their_parts():
    text = page([marked("Zoë de-Vries_26.ipynb", "factor N", "", "")])
    assert "<bdi>Zoë de-<wbr>Vries_<wbr>26.<wbr>ipynb</bdi>" in text
    assert '<th scope="row"><code>hinge_<wbr>forward</code></th>' in text


def test_every_verdict_has_a_sign_and_a_meaning():
    kinds = [*VERDICTS, "", "factor N"]
    found = {verdict(result("mse_forward", kind)) for kind in kinds}
    assert found == set(report.SIGNS) == set(report.MEANINGS)
    assert len(set(report.SIGNS.values())) == len(report.SIGNS)


def test_mistakes_are_counted_by_function_and_kind_the_commonest_first():
    found = report.mistakes(CLASS)
    assert [(m.function, m.kind, m.count) for m in found] == [
        ("hinge_forward", "factor N", 2),
        ("mse_forward", "factor N", 1),
        ("relu_forward", "exception", 1),
        ("relu_forward", "time limit", 1),
    ]
    assert found[0].names == ("bob.py", "eve.py")
    many = [marked(f"{number}.py", "factor N", "", "") for number in range(20)]
    assert "7.py , and 12 more 8.py" in Page(page(many)).text
    assert '<td class="kind">not divided by how many there are</td>' in page()


def test_reasons_notes_and_what_is_missing_are_told_once_each():
    text = page()
    eve = Page(text[text.index('<section id="submission-3">') : text.index('<section id="submission-4">')]).text
    assert eve.startswith(
        f"eve.py ! look at it 0 of 3 Look at it {LOOK} ✗ hinge_forward : wrong: not divided by how many there are "
        "for x = [1.] expected 1, got 2 E relu_forward : it ends with an error for x"
    )
    assert eve.count(LOOK) == 1
    assert "Not defined mse_forward : for x" in eve
    assert "While it was loaded eve.py, line 1: ModuleNotFoundError" in eve
    zoe = Page(text[text.index('<section id="submission-4">') : text.index("</main>")]).text
    assert zoe == "zoe.py 0 of 3 for x = [1.] expected 1, got 2"


# --- in a browser -----------------------------------------------------------------------------------------------------

in_a_browser = pytest.mark.skipif(browser.find() is None, reason=browser.NONE)

PROBE = """<script>
const box = e => getComputedStyle(e), found = {};
for (const sign of document.querySelectorAll(".sign, a, th, dt, body"))
  found[sign.className + " " + sign.tagName] = [box(sign).color, ground(sign)];
function ground(e) {
  for (; e; e = e.parentElement) if (box(e).backgroundColor !== "rgba(0, 0, 0, 0)") return box(e).backgroundColor;
}
const tall = document.querySelector(".tall"), head = tall.querySelector("thead th");
tall.scrollTo(0, 1000);
const stuck = tall.scrollTop > 500 && head.getBoundingClientRect().top - tall.getBoundingClientRect().top;
document.body.style.width = "390px";
const cut = document.querySelector(".mistakes").parentElement;
document.title = JSON.stringify({ width: innerWidth, stuck, cut: cut.scrollWidth - cut.clientWidth, found,
  needed: document.documentElement.scrollWidth, turned: box(document.querySelector(".function span")).writingMode });
</script></body>"""


@pytest.fixture
def shown(tmp_path):
    """Show a page in the browser; what it prints."""

    def show(text, *options, at="", name="report.html"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return browser.run(path.as_uri() + at, tmp_path / "profile", *options)

    return show


def probed(shown, *options):
    """What a script of ours sees of the page, let in by leaving out the page's policy."""
    found = [marked(f"{'Hohenzollern' * 5}_week1_final.ipynb", "transposed", "factor N", "exception"), *CLASS * 40]
    text = re.sub(r"<meta http-equiv[^>]*>", "", page(found)).replace("</body>", PROBE)
    dom = shown(text, "--dump-dom", *options)
    return json.loads(re.search(r"<title>(.*?)</title>", dom, re.DOTALL)[1])


@in_a_browser
def test_a_browser_runs_our_script_alone(shown):
    dom = shown(page(EVILS, ["mse_forward"]), "--dump-dom", at="#submission-1")
    assert "<title>Marks</title>" in dom
    assert "<img" not in dom
    assert dom.count("<script>") == 1
    assert re.search(r'<section id="submission-1"><details open="?', dom)
    assert "<details open" not in shown(page(EVILS, ["mse_forward"]), "--dump-dom")


@in_a_browser
def test_a_browser_lets_in_no_script_that_the_page_did_not_come_with(shown):
    text = page().replace("</main>", "<script>document.title = 'broken into'</script></main>")
    assert "<title>Marks</title>" in shown(text, "--dump-dom")


def luminance(color):
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    r, g, b = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@in_a_browser
@pytest.mark.parametrize("scheme", [0, 1], ids=["dark", "light"])
def test_all_is_legible_on_a_phone_by_day_and_by_night(shown, scheme):
    seen = probed(shown, "--window-size=390,844", f"--blink-settings=preferredColorScheme={scheme}")
    assert seen["needed"] <= seen["width"] <= 500
    assert seen["turned"] == "vertical-rl"
    assert (seen["stuck"], seen["cut"]) == (0, 0)
    assert (luminance(seen["found"][" BODY"][1]) < 0.2) == (scheme == 0)
    for what, pair in seen["found"].items():
        dark, light = sorted(map(luminance, pair))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (what, pair)


@in_a_browser
def test_print_shows_what_is_closed(shown, tmp_path):
    def pages(text):
        shown(text, f"--print-to-pdf={tmp_path / 'report.pdf'}", "--no-pdf-header-footer")
        return len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes()))

    long = [marked(f"{n}.py", "factor N", "factor N", "factor N") for n in range(12)]
    long = [Marked(m.name, "", "", tuple(result(r.function, r.kind, "x\n" * 40) for r in m.results)) for m in long]
    text = page(long)
    assert pages(text) == pages(text.replace("<details>", "<details open>")) > 12
    many = page(CLASS * 40)
    assert pages(many) == pages(many.replace('"wide tall"', '"wide"'))
    without_script = text.replace("<script>", '<script type="text/plain">')
    assert pages(without_script) > 12
