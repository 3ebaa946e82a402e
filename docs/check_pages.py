"""Look at every page of the built documentation in a browser: ``make docs-check``.

Run as ``python docs/check_pages.py [FOLDER]``, where FOLDER is ``docs/_build/html``
unless another one is given. A headless Chromium loads all pages from a server on this
machine, and no other host can be reached. Findings are: links and anchors that lead
nowhere, formulas that are not drawn, errors in the console, requests to other hosts,
pages that are wider than the window, text of too little contrast in the light or the
dark theme (WCAG 2 AA), and pictures without a text. The exit status is 1 on any.

Without a Chromium nothing is looked at; that is said, and the exit status is 0, or 1
where ``SKHMC_REQUIRE_BROWSER=1`` is set.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

import websocket

DOCS = Path(__file__).resolve().parent
BUILT = DOCS / "_build" / "html"
IN_PAGE = (DOCS / "check_pages.js").read_text()
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTHS = (390, 768, 1440)
HEIGHT = 900
THEMES = ("light", "dark")
STATIC = "_static/"  # pieces of the theme
PATIENCE = 30  # seconds for a page
SHOWN = 4  # pages that are named with a finding

FLAGS = (
    "--headless",
    "--no-sandbox",  # which root has to do without; all pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
UNASKED = ("/favicon.ico",)  # what the browser asks for by itself


# -- the server and the browser --------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and prints nothing."""

    def log_message(self, *args):
        """Print nothing."""


@contextmanager
def serve(folder):
    """Serve a folder on this machine and give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def find_browser():
    """Return the path of a Chromium, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def wait_for_port(profile, process):
    """Return the port that the browser has chosen, and written into its profile."""
    told = Path(profile) / "DevToolsActivePort"
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if told.exists() and (lines := told.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.05)
    raise RuntimeError(
        f"{process.args[0]} did not start within {PATIENCE} s. Try it by hand: "
        f"{' '.join(process.args)} about:blank"
    )


@contextmanager
def start_browser(path):
    """Start a browser with an empty profile and give a tab of it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [path, *FLAGS, f"--user-data-dir={profile}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with closing(Tab(wait_for_port(profile, process))) as tab:
                yield tab
        finally:
            process.terminate()
            process.wait(PATIENCE)


class Tab:
    """One page of the browser, by the Chrome DevTools protocol."""

    def __init__(self, port):
        new = Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
        with urlopen(new, timeout=PATIENCE) as answer:
            address = json.load(answer)["webSocketDebuggerUrl"]
        self.socket = websocket.create_connection(
            address, timeout=PATIENCE, suppress_origin=True
        )
        self.n_calls = 0
        self.events = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self):
        """Close the connection."""
        self.socket.close()

    def receive(self):
        """Wait for a message; events are kept."""
        message = json.loads(self.socket.recv())
        if "method" in message:
            self.events.append(message)
        return message

    def call(self, method, **params):
        """Call a method of the protocol and return its result."""
        self.n_calls += 1
        call = {"id": self.n_calls, "method": method, "params": params}
        self.socket.send(json.dumps(call))
        while (answer := self.receive()).get("id") != self.n_calls:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method} failed: {answer['error']}")
        return answer["result"]

    def evaluate(self, expression):
        """Return the value of an expression of JavaScript, or of its promise."""
        result = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression[:60]}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def resize(self, width):
        """Make the window as wide as that of a phone, a tablet or a computer."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=HEIGHT,
            deviceScaleFactor=1,
            mobile=width < 500,
        )

    def open(self, address):
        """Load a page, to the end of its formulas."""
        self.events.clear()
        self.call("Page.navigate", url=address)
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            self.receive()
        self.evaluate("window.MathJax?.startup?.promise.then(() => null)")
        self.evaluate(IN_PAGE)


# -- what a page has -------------------------------------------------------------------


def read_event(event, home):
    """Return what an event of the browser says is wrong, or None."""
    params = event["params"]
    match event["method"]:
        case "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            thrown = details.get("exception", {}).get("description", details["text"])
            return f"console: {thrown.splitlines()[0]}"
        case "Runtime.consoleAPICalled" if params["type"] in ("error", "assert"):
            said = [str(a.get("value", a.get("description"))) for a in params["args"]]
            return f"console: {' '.join(said)}"
        case "Log.entryAdded" if params["entry"]["level"] == "error":
            return read_log(params["entry"])
        case "Network.requestWillBeSent":
            url = params["request"]["url"]
            is_ours = url.startswith((home, "data:", "blob:"))
            return None if is_ours else f"request to another host: {url}"
    return None


def read_log(entry):
    """Return an error of the browser's log, unless the browser alone is to blame."""
    url = entry.get("url", "")
    if urlsplit(url).path in UNASKED:
        return None
    return f"console: {entry['text']} {url}".strip()


def look_at(tab, home, page):
    """Return the findings of one page, its links and its anchors."""
    tab.resize(WIDTHS[-1])
    tab.open(f"{home}/{page}")
    found = tab.evaluate(
        "[...skhmcCheck.rawTex(), ...skhmcCheck.picturesWithoutText()]"
    )
    for theme in THEMES:
        tab.evaluate(f"skhmcCheck.setTheme('{theme}')")
        low = tab.evaluate("skhmcCheck.lowContrast()")
        found += [f"{line} ({theme})" for line in low]
    for width in WIDTHS:
        tab.resize(width)
        wide = tab.evaluate("skhmcCheck.overflow()")
        found += [f"overflow at {width}: {line}" for line in wide]
    said = [read_event(event, home) for event in tab.events]
    found += [line for line in said if line]
    links, anchors = tab.evaluate("[skhmcCheck.links(), skhmcCheck.anchors()]")
    return list(dict.fromkeys(found)), links, set(anchors)


# -- where links lead ------------------------------------------------------------------


def check_link(link, home, folder, anchors):
    """Return what is wrong with an internal link, or None."""
    if not link.startswith(f"{home}/"):
        return None
    parts = urlsplit(link)
    page = unquote(parts.path).lstrip("/") or "index.html"
    shown = link.removeprefix(home)
    if not (folder / page).is_file():
        return f"broken link: {shown}"
    anchor = unquote(parts.fragment)
    if anchor and page in anchors and anchor not in anchors[page]:
        return f"broken anchor: {shown}"
    return None


def check_links(links, home, folder, anchors):
    """Yield (page, finding) of all links of all pages."""
    for page, targets in links.items():
        for link in dict.fromkeys(targets):
            if wrong := check_link(link, home, folder, anchors):
                yield page, wrong


# -- all pages -------------------------------------------------------------------------


def check_pages(folder, browser):
    """Return {finding: pages that have it} and the number of pages looked at."""
    pages = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*.html")
    )
    pages = [page for page in pages if not page.startswith(STATIC)]
    found, links, anchors = {}, {}, {}
    with serve(folder) as home, start_browser(browser) as tab:
        for page in pages:
            wrong, links[page], anchors[page] = look_at(tab, home, page)
            for line in wrong:
                found.setdefault(line, []).append(page)
        for page, line in check_links(links, home, folder, anchors):
            found.setdefault(line, []).append(page)
    return found, len(pages)


def show(found):
    """Print findings, each with some of its pages."""
    for line, pages in found.items():
        more = f" and {len(pages) - SHOWN} more" if len(pages) > SHOWN else ""
        print(f"{', '.join(pages[:SHOWN])}{more}\n    {line}")


def skip():
    """Say that there is no browser and return the exit status."""
    print(
        "SKIPPED: no page was looked at, for there is no Chromium among "
        f"{', '.join(BROWSERS)}. Install one (Debian: apt-get install chromium) and "
        "run make docs-check again.",
        file=sys.stderr,
    )
    return int(os.environ.get("SKHMC_REQUIRE_BROWSER") == "1")


def main(folder=BUILT):
    """Check all pages of a folder, print what is wrong and return the exit status."""
    browser = find_browser()
    if browser is None:
        return skip()
    folder = Path(folder).resolve()
    if not (folder / "index.html").is_file():
        print(f"{folder} has no index.html: run make docs first.", file=sys.stderr)
        return 1
    start = time.monotonic()
    found, n_pages = check_pages(folder, browser)
    show(found)
    n_findings = sum(len(pages) for pages in found.values())
    seconds = time.monotonic() - start
    print(
        f"{n_findings} findings on {n_pages} pages, at {WIDTHS} pixels, {seconds:.0f} s"
    )
    return int(n_findings > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
