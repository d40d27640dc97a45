"""A review by keyboard alone, in a real Chromium, at a person's pace; the command is killed in the middle.

    python benchmarks/review.py [--output OUT] [--pictures 100] [--pace 1.2] [--shots FOLDER]

OUT is an output of a run, whose decisions must be none so far; left out, a run is made of generated pictures. A person
looks at each picture for a while (log-normal around `--pace` seconds), presses a key, and now and then takes the last
decision back. At half of the pictures `hairline review` is killed (SIGKILL) at the moment of a decision; the person
presses again until it is taken; then the browser is thrown away, too, and a new one goes on. At the end two browsers
share what is left. What the person saw confirmed is compared with what lies in OUT: nothing lost, nothing doubled.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pictures
from command import free_port, hairline_run
from playwright.sync_api import Page, sync_playwright

from hairline.pipeline.decisions import Decisions
from hairline.pipeline.storage import Folder

LONGEST_S = 600.0  # that the person waits for anything; the machine may be busy
KEYS = {"a": "accepted", "s": "skipped", **{str(n): "rejected" for n in range(1, 7)}}
CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


@dataclass
class Person:
    """Somebody at a keyboard, and what they saw happen: id -> the verdict that was confirmed last."""

    tab: Page
    rng: np.random.Generator
    pace: float
    confirmed: dict[str, str] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)

    @property
    def at(self) -> str:
        return str(self.tab.evaluate("document.body.dataset.picture ?? ''"))

    @property
    def over(self) -> bool:
        return self.tab.locator("#over").is_visible()

    def until(self, condition: str, argument: Any = None, seconds: float = LONGEST_S) -> None:
        self.tab.wait_for_function(condition, arg=argument, timeout=1000 * seconds)

    def shown(self) -> None:
        """Waits until the picture is there to be looked at, or all is over."""
        self.until(
            "() => document.querySelector('#over').checkVisibility() || (document.body.dataset.picture"
            " && document.body.dataset.shown?.startsWith(document.body.dataset.picture + ' '))"
        )

    def think(self) -> None:
        time.sleep(float(self.rng.lognormal(np.log(self.pace), 0.5)))

    def decide(self, before: Any = None) -> None:
        """Looks at a picture and presses a key until the next one comes. before: called right before the key."""
        self.shown()
        if self.over:
            return
        self.think()
        id, key = self.at, str(self.rng.choice(["a"] * 14 + ["s"] + ["1", "2", "3", "4", "5"]))
        if before:
            before()
        started = time.monotonic()
        while True:
            self.tab.keyboard.press(key)
            try:
                self.until("(id) => document.body.dataset.picture !== id", id, 15)
                break
            except Exception:  # no answer yet: somebody would press again, too
                if time.monotonic() - started > LONGEST_S:
                    raise
        self.shown()
        self.waits.append(time.monotonic() - started)
        self.confirmed[id] = KEYS[key]

    def undo(self) -> None:
        """Takes the last decision back and decides anew."""
        before = self.at
        self.tab.keyboard.press("u")
        self.until("(id) => document.body.dataset.picture && document.body.dataset.picture !== id", before)
        self.confirmed.pop(self.at, None)
        self.decide()


class Command:
    """`hairline review` on one port, which can be killed and started again."""

    def __init__(self, output: str, port: int) -> None:
        self.output, self.port = output, port
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "hairline", "review", self.output, "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line.startswith("http://"), f"the review did not start: {line!r}"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> str:
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=LONGEST_S)[0]


def opened(browser: Any, port: int, who: str) -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(f"localStorage.who = {who!r}")
    tab = context.new_page()
    tab.goto(f"http://127.0.0.1:{port}", timeout=1000 * LONGEST_S)
    return tab


def reviewed(browser: Any, output: str, count: int, pace: float) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    command = Command(output, free_port())
    anna = Person(opened(browser, command.port, "anna"), rng, pace)
    alone = count * 4 // 5
    started = time.monotonic()
    while len(anna.confirmed) < alone // 2:
        anna.decide()
        if len(anna.confirmed) % 15 == 14:
            anna.undo()

    def kill() -> None:
        command.kill()
        restart.append(time.monotonic())
        command.start()

    restart: list[float] = []
    anna.decide(kill)
    anna.tab.context.close()  # the browser is gone as well; a new one does not know what the old one had
    anna.tab = opened(browser, command.port, "anna")
    while len(anna.confirmed) < alone:
        anna.decide()
    print(f"{len(anna.confirmed)} decided by one person in {time.monotonic() - started:.0f} s", flush=True)
    ben = Person(opened(browser, command.port, "ben"), rng, pace)
    while not (anna.over and ben.over):
        for person in (anna, ben):
            person.decide()
        if len(anna.confirmed | ben.confirmed) >= count and not (anna.over or ben.over):
            break
    both = anna.confirmed.keys() & ben.confirmed.keys()
    skipped = {id for id in both if "skipped" in (anna.confirmed[id], ben.confirmed[id])}
    told = command.end()
    return {**compare(output, [anna, ben]), "decided_by_both": len(both - skipped), "said_at_the_end": told.strip()}


def compare(output: str, people: list[Person]) -> dict[str, Any]:
    """What people saw confirmed beside what lies in the output."""
    decisions = Decisions(Folder(output))
    held = {id: standing.top.verdict for id, standing in decisions.pictures() if standing.top}
    seen: dict[str, set[str]] = {}
    for person in people:
        for id, verdict in person.confirmed.items():
            seen.setdefault(id, set()).add(verdict)
    lost = [id for id, verdicts in seen.items() if held.get(id) not in verdicts]
    strays = [id for id in held if id not in seen]
    doubled = [id for id, _ in decisions.pictures() if doubles(decisions, id)]
    waits = np.array([wait for person in people for wait in person.waits])
    return {
        "pictures": len(held),
        "decisions": len(decisions),
        "lost": lost,
        "without_a_person": strays,
        "doubled": doubled,
        "key_to_next_picture_s": {
            "median": round(float(np.median(waits)), 3),
            "p95": round(float(np.quantile(waits, 0.95)), 3),
        },
    }


def doubles(decisions: Decisions, id: str) -> bool:
    """Whether a picture has two decisions in a row that should be one: neither skipped nor undone between them."""
    made = [each.verdict for each in decisions.of(id)]
    return any(a not in ("skipped", "undone") and b != "undone" for a, b in pairwise(made))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--output", help="of a run; nothing decided yet")
    options.add_argument("--pictures", type=int, default=100)
    options.add_argument("--pace", type=float, default=1.2, help="seconds at a picture, median (%(default)s)")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        output = given.output
        if not output:
            output = f"{folder}/out"
            pictures.make(Path(folder) / "in", given.pictures, size=(480, 360), rendered=False)
            subprocess.run(hairline_run(f"{folder}/in", output), check=True)
        path = next(path for path in CHROMIUM if Path(path).exists())
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        found = reviewed(browser, output, given.pictures, given.pace)
        browser.close()
        print(json.dumps(found, indent=1, ensure_ascii=False))
        sys.exit(1 if found["lost"] or found["doubled"] or found["without_a_person"] else 0)


if __name__ == "__main__":
    main()
