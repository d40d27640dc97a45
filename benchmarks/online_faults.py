"""The service while its processes are killed, and while its weights change: no request may fail.

    python benchmarks/online_faults.py [--quick]

First a random process of a pool gets SIGKILL every 15 seconds. Then the service file names other weights for the fine
stage, and SIGHUP changes them under load: every answer must be, byte by byte, the old model's or the new one's, and
the header must say which. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import requests
import yaml
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parent))
from load import CORES, Found, closed, metrics, percentile, service
from pictures import make
from record import record

from hairline.configs.documents import find_config
from hairline.stages.checkpoints import FOLDER

EVERY_S = 15.0


def other_weights(path: Path) -> None:
    """The fine stage's weights, a little different."""
    tensors = load_file(FOLDER / "fine-general.safetensors")
    save_file({k: v * 1.01 if v.is_floating_point() and v.ndim == 4 else v for k, v in tensors.items()}, path)


def under_kills(running, url: str, pictures: list[bytes], seconds: float, rng: random.Random) -> tuple[Found, int]:
    """Load, and a kill every 15 seconds; the answers, and how many processes were killed."""
    kills: list[int] = []
    stop = threading.Event()

    def kill() -> None:
        while not stop.wait(EVERY_S):
            alive = running.replicas
            if alive:
                victim = rng.choice(alive)
                victim.kill()
                kills.append(victim.pid)
                print(f"killed process {victim.pid} of {len(alive)}", flush=True)

    thread = threading.Thread(target=kill)
    thread.start()
    found = closed(url, pictures, CORES + 1, seconds)
    stop.set()
    thread.join()
    return found, len(kills)


def failed(found: Found) -> int:
    return sum(count for status, count in found.statuses().items() if status != 200)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 kills instead of 15")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    seconds = (3 if args.quick else 15) * EVERY_S + EVERY_S / 2
    with tempfile.TemporaryDirectory(prefix="hairline-faults-") as folder:
        base = Path(folder)
        file = base / "service.yaml"
        settings = yaml.safe_load(find_config("service-laptop.yaml").read_text())
        file.write_text(yaml.safe_dump(settings))
        other_weights(base / "other.safetensors")
        with service(path=str(file)) as running:
            url = running.url + "/v1/mask"
            pictures = usable(url, [path.read_bytes() for path in make(base / "in", 16, seed=3)])
            calm = closed(url, pictures, CORES + 1, 20)
            killed, kills = under_kills(running, url, pictures, seconds, random.Random(args.seed))
            retries = metrics(running.url)["hairline_retries_total"]
            print(f"{kills} kills: {killed.statuses()}", flush=True)
            time.sleep(10)
            answers = Update(running, url, pictures)
            settings["stages"] = {"fine": {"weights": str(base / "other.safetensors")}}
            file.write_text(yaml.safe_dump(settings))
            updated = answers.change()
            print(f"update: {updated.statuses()}", flush=True)
    facts = {
        "kills": kills,
        "failed_under_kills": failed(killed),
        "retries": int(retries),
        "p99_calm_s": round(percentile(calm.latencies(), 0.99), 2),
        "p99_under_kills_s": round(percentile(killed.latencies(), 0.99), 2),
        "failed_in_update": failed(updated),
        "p99_in_update_s": round(percentile(updated.latencies(), 0.99), 2),
        "answers_in_update": answers.counts,
        "mixed_answers": answers.mixed,
    }
    record(facts)
    return int(bool(facts["failed_under_kills"] or facts["failed_in_update"] or facts["mixed_answers"]))


def usable(url: str, pictures: list[bytes]) -> list[bytes]:
    """Those that the filter lets through: every other status is a failure here."""
    return [p for p in pictures if requests.post(url, files={"image_file": p}, timeout=120).status_code == 200]


class Update:
    """An update under load, with what each model says of each picture."""

    def __init__(self, running, url: str, pictures: list[bytes]) -> None:
        self.running, self.url, self.pictures = running, url, pictures
        self.counts: dict[str, int] = {}
        self.mixed = 0

    def change(self) -> Found:
        """Sends SIGHUP with clients at work, until the new model has answered for a while."""
        old = self._all()
        seen: list[tuple[int, str]] = []
        told = threading.Event()
        found = Found()

        def follow() -> None:
            time.sleep(3)
            self.running.process.send_signal(signal.SIGHUP)
            print("update:", self.running.process.stdout.readline().strip(), flush=True)
            time.sleep(3)
            told.set()

        thread = threading.Thread(target=follow)
        thread.start()
        while not told.is_set():
            part = closed(self.url, self.pictures, CORES + 1, 3, lambda n, body: seen.append((n, _digest(body))))
            found.answers += part.answers
            found.seconds += part.seconds
        thread.join()
        new = self._all()
        assert not set(old.values()) & set(new.values()), "the two models say the same"
        for number, digest in seen:
            kind = "old" if digest == old[number] else "new" if digest == new[number] else "neither"
            self.counts[kind] = self.counts.get(kind, 0) + 1
        self.mixed = self.counts.get("neither", 0)
        return found

    def _all(self) -> dict[int, str]:
        return {
            number: _digest(requests.post(self.url, files={"image_file": data}, timeout=120).content)
            for number, data in enumerate(self.pictures)
        }


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
