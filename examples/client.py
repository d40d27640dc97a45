"""A client of the service that waits when it is told to: one picture in, a cut-out out.

    python examples/client.py cat.jpg cat.png [--url http://127.0.0.1:8000] [--product cutout]

A key is read from the environment variable HAIRLINE_KEY.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import requests

AGAIN = (429, 503, 504)  # busy, starting, too late: what Retry-After belongs to


def cut(url: str, product: str, picture: bytes, name: str, attempts: int = 5, **options: str) -> requests.Response:
    """The service's answer, a file or an error. Raises requests.RequestException where none comes at all."""
    headers = {"X-Api-Key": os.environ["HAIRLINE_KEY"]} if os.environ.get("HAIRLINE_KEY") else {}
    for left in reversed(range(attempts)):
        answer = requests.post(
            f"{url}/v1/{product}", files={"image_file": (name, picture)}, data=options, headers=headers, timeout=120
        )
        if answer.status_code not in AGAIN or not left:
            break
        time.sleep(float(answer.headers.get("Retry-After", 1)))
    return answer


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--product", default="cutout")
    given = parser.parse_args()
    answer = cut(given.url, given.product, given.source.read_bytes(), given.source.name)
    if not answer.ok:
        for error in answer.json()["errors"]:  # code: one of the reason codes, if it is the picture
            print(f"{given.source}: {error['title']} ({error['code']})", file=sys.stderr)
        return 1
    given.target.write_bytes(answer.content)
    print(answer.headers["X-Hairline-Category"], answer.headers["X-Hairline-Confidence"], given.target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
