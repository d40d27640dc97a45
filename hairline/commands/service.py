"""serve and keys: the service."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..stages.errors import HairlineError
from .base import Commands, add_changes, add_download, console


def add(commands: Commands) -> None:
    serve = commands.add_parser("serve", help="the online service and its web page")
    serve.add_argument(
        "service", metavar="SERVICE.yaml", help="a service file, or service-laptop.yaml, service-gpu.yaml"
    )
    serve.add_argument("--host", help="where to listen, instead of the file's host; beyond loopback it takes keys")
    serve.add_argument("--port", type=int, help="instead of the file's port; 0: any free one")
    add_changes(serve)
    add_download(serve)
    serve.set_defaults(work=_serve)

    keys = commands.add_parser("keys", help="API keys of the service")
    keys.add_argument("action", choices=("add", "list", "remove"))
    keys.add_argument("name", nargs="?", help="whose key it is")
    keys.add_argument("--file", default="keys.json", help="where hashes and limits are kept (default: %(default)s)")
    keys.add_argument("--per-minute", type=int, default=600, metavar="N", help="requests a minute (%(default)s)")
    keys.add_argument("--metrics", action="store_true", help="a key for /metrics, and for nothing else")
    keys.add_argument("--concurrent", type=int, default=16, metavar="N", help="requests at once (%(default)s)")
    keys.set_defaults(work=_keys)


def _serve(options: argparse.Namespace) -> int:
    from ..serve.server import serve

    flags = {"host": options.host, "port": options.port}
    changes = [f"{name}={json.dumps(value)}" for name, value in flags.items() if value is not None]
    return serve(options.service, [*options.changes, *changes], console())


def _keys(options: argparse.Namespace) -> int:
    from typing import Literal

    from ..serve import keys

    path = Path(options.file)
    if options.action == "list":
        for key in keys.read_keys(path):
            only = "  /metrics alone" if key.opens == "metrics" else ""
            print(f"{key.name}  {key.per_minute} a minute, {key.concurrent} at once  {key.created}{only}")
    elif not options.name:
        raise HairlineError(f"keys {options.action}: whose? Give a name: hairline keys {options.action} NAME")
    elif options.action == "remove":
        keys.remove_key(path, options.name)
    else:
        opens: Literal["pictures", "metrics"] = "metrics" if options.metrics else "pictures"
        print(keys.add_key(path, options.name, options.per_minute, options.concurrent, opens))
        print(f"hairline: this key is not shown again; {path} holds its hash", file=sys.stderr)
    return 0
