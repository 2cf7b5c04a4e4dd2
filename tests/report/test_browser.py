"""Pages in a real browser: they sort and slide, by pointer and by keyboard, fetch nothing, and fit on a phone.

Chromium is driven over the pipe that its DevTools protocol offers beside the socket, so that this takes no package.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exposurebench.compare_runs import compare_runs
from exposurebench.evaluate import evaluate
from exposurebench.explain_gap import claim, explain_gap
from exposurebench.report.gap import write_gap_page
from exposurebench.report.page import write_comparison_page, write_page
from exposurebench.result import write_result

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
# The browser reads commands from descriptor 3 and writes answers to 4, each ended by a zero byte.
STARTER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
)
pytestmark = pytest.mark.slow


class Browser:
    """One page of a headless Chromium."""

    def __init__(self, profile: Path) -> None:
        down, up = os.pipe(), os.pipe()
        words = [CHROMIUM, *FLAGS, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(down[0]), str(up[1]), *words],
            pass_fds=(down[0], up[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(down[0])
        os.close(up[1])
        self.commands, self.answers = os.fdopen(down[1], "wb", buffering=0), os.fdopen(up[0], "rb")
        self.number, self.session, self.events = 0, "", []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def close(self) -> None:
        self.send("Browser.close")
        self.process.wait(30)
        self.commands.close()
        self.answers.close()

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self.number:
            pass
        assert "error" not in answer, answer
        return dict(answer["result"])

    def _read(self) -> dict[str, Any]:
        data = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "the browser went away"
            data += byte
        message: dict[str, Any] = json.loads(data)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, page: Path, width: int, height: int = 900, script: bool = True) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        self.send("Emulation.setScriptExecutionDisabled", value=not script)
        self.events = []
        self.send("Page.navigate", url=page.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._read()

    def run(self, script: str) -> Any:
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str) -> None:
        code = {"ArrowRight": 39, "ArrowLeft": 37, "Home": 36, "Enter": 13, "Tab": 9}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def complaints(self) -> list[str]:
        """Everything in the console, and every address that was asked for beside the page itself."""
        said = [str(e["params"]) for e in self.events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")]  # fmt: skip
        asked = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return said + [url for url in asked[1:] if not url.startswith("data:")]

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("needs Chromium: no chromium, chromium-browser or google-chrome on the path")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def pages(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of each kind."""
    out = tmp_path_factory.mktemp("pages")
    metrics = ("psnr", "ssim", "error_parts", "histogram_similarity")
    results = [evaluate(f"baseline:{name}", samples, metrics=metrics) for name in ("gamma", "inverse_clip", "identity")]
    for result in results:
        write_result(result, out / result.name)
    folders = [out / result.name for result in results]
    gap = explain_gap(folders, samples, [claim("psnr=17.6")])
    return {
        "result": write_page(results[:1], samples, out / "one"),
        "several": write_page(results, samples, out / "several"),
        "comparison": write_comparison_page(compare_runs(folders), out / "comparison", dataset=samples),
        "gap": write_gap_page(gap, out / "gap"),
    }


KINDS = ("result", "several", "comparison", "gap")


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_fits_says_nothing_and_asks_for_nothing(browser: Browser, pages: dict[str, Path], kind: str) -> None:
    for width in (360, 1400):
        browser.open(pages[kind], width)
        browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert browser.run("document.documentElement.scrollWidth") <= width, "no sideways scrolling of the page"
        broken = (
            "Array.from(document.images).filter(i => (i.loading = 'eager') && i.complete && !i.naturalWidth).length"
        )
        assert browser.run(broken) == 0
        assert browser.complaints() == []


def test_a_column_sorts_both_ways_by_pointer_and_keyboard(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["result"], 1400)
    column = "Array.from(document.querySelectorAll('#every-picture ~ .scroll tbody')[0].rows).map(r => r.cells[1].dataset.value)"
    head = "document.querySelectorAll('#every-picture ~ .scroll th[data-column=\"1\"]')[0]"
    first = [float(value) for value in browser.run(column)]
    assert first == sorted(first) and len(set(first)) == 6
    assert browser.run(f"{head}.getAttribute('aria-sort')") == "ascending"
    browser.run(f"{head}.querySelector('button').click()")
    assert [float(value) for value in browser.run(column)] == first[::-1]
    assert browser.run(f"{head}.getAttribute('aria-sort')") == "descending"
    browser.run(f"{head}.querySelector('button').focus()")
    browser.press("Enter")
    assert [float(value) for value in browser.run(column)] == first


def test_the_scores_of_several_methods_sort(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["comparison"], 1400)
    cells = "Array.from(document.querySelectorAll('tr.result')).slice(0, 3).map(r => r.cells[{}].{})"
    for column in (1, 2, 0):
        browser.run(f"document.querySelectorAll('#scores ~ .scroll th[data-column=\"{column}\"] button')[0].click()")
        seen = browser.run(cells.format(column, "dataset.value" if column else "textContent"))
        values = [float(value) for value in seen] if column else seen
        assert values == sorted(values) and len(set(values)) == 3


def test_the_divider_moves_by_keyboard_and_pointer(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["result"], 1400)
    slider = "document.querySelector('.stage input')"
    browser.run(f"{slider}.scrollIntoView({{block: 'center'}})")
    assert browser.run(f"{slider}.getAttribute('aria-label')") == "divider between gamma and target"
    assert browser.run(f"{slider}.getAttribute('aria-valuetext')") == "50 % gamma, the rest target"
    browser.run(f"{slider}.focus()")
    browser.press("ArrowRight")
    assert browser.run(f"{slider}.value") == "51"
    clip = "getComputedStyle(document.querySelector('.stage .right')).clipPath"
    assert browser.run(clip) == "inset(0px 0px 0px 51%)"
    browser.press("Home")
    assert browser.run(clip) == "inset(0px 0px 0px 0%)"
    box = browser.run("(r => [r.x, r.y, r.width, r.height])(document.querySelector('.stage').getBoundingClientRect())")
    middle = box[1] + box[3] / 2
    browser.drag((box[0] + 1, middle), (box[0] + box[2] * 0.75, middle))
    assert abs(int(browser.run(f"{slider}.value")) - 75) <= 2


def test_what_is_left_and_right_of_the_divider_is_chosen(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["comparison"], 1400)
    options = "Array.from(document.querySelector('.choices select').options).map(o => o.textContent)"
    assert browser.run(options) == ["input", "target", "gamma", "inverse_clip", "identity"]
    browser.run(
        "(s => { s.value = 3; s.dispatchEvent(new Event('change')); })(document.querySelector('.choices select'))"
    )
    assert browser.run("document.querySelector('.stage .left').alt") == "inverse_clip"
    same = "document.querySelector('.stage .left').src === document.querySelector('img[data-layer=inverse_clip]').src"
    assert browser.run(same)
    assert browser.run("document.querySelector('.stage .right').alt") == "target"


def test_everything_can_be_read_without_a_script(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["comparison"], 360, script=False)
    root = browser.send("DOM.getDocument")["root"]["nodeId"]
    for selector, least, most in ((".stage", 0, 0), ("img[data-layer=target]", 1, 5), ("tr.result td", 9, 1000)):
        found = browser.send("DOM.querySelectorAll", nodeId=root, selector=selector)["nodeIds"]
        assert least <= len(found) <= most, selector
