"""A call of a route in curl, Python and JavaScript, with the values of the description's own examples."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KEY = "HAIRLINE_KEY"  # the environment variable that samples take the key from
ENDINGS = {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpg"}
LINE = 88  # characters of a curl line, before it is broken up
LANGUAGES = ("curl", "Python", "JavaScript")


@dataclass
class Call:
    """One call of a route.

    Attributes:
        files: (field, file name) in their order; fields: the other fields.
        saved: the name of the file that the answer goes to, or empty: it is JSON or text, and printed.
    """

    method: str
    url: str
    files: list[tuple[str, str]] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    saved: str = ""
    json: bool = True
    key: bool = False

    def samples(self) -> dict[str, str]:
        """The call in each of LANGUAGES."""
        return dict(zip(LANGUAGES, (self._curl(), self._python(), self._javascript()), strict=True))

    def _curl(self) -> str:
        words = ["curl -f"]
        if self.key:
            words.append(f'-H "X-Api-Key: ${KEY}"')
        words += [f"-F {shlex.quote(f'{name}=@{file}')}" for name, file in self.files]
        words += [f"-F {shlex.quote(f'{name}={value}')}" for name, value in self.fields.items()]
        words.append(shlex.quote(self.url))
        if self.saved:
            words.append(f"-o {shlex.quote(self.saved)}")
        line = " ".join(words)
        return line if len(line) <= LINE else " \\\n     ".join(words)

    def _python(self) -> str:
        lines = [*(["import os", ""] if self.key else []), "import requests", ""]
        arguments = [json.dumps(self.url)]
        if self.files:
            pairs = ", ".join(f'({json.dumps(name)}, open({json.dumps(file)}, "rb"))' for name, file in self.files)
            arguments.append(f"files=[{pairs}]")
        if self.fields:
            arguments.append(f"data={json.dumps(self.fields)}")
        if self.key:
            arguments.append(f'headers={{"X-Api-Key": os.environ["{KEY}"]}}')
        arguments.append("timeout=60")
        lines.append(f"answer = requests.{self.method}(")
        lines += [f"    {argument}," for argument in arguments]
        lines += [")", "answer.raise_for_status()"]
        if self.saved:
            lines.append(f'open({json.dumps(self.saved)}, "wb").write(answer.content)')
        else:
            lines.append(f"print({'answer.json()' if self.json else 'answer.text'})")
        return "\n".join(lines)

    def _javascript(self) -> str:
        used = ["openAsBlob"] * bool(self.files) + ["writeFileSync"] * bool(self.saved)
        lines = [f'import {{ {", ".join(used)} }} from "node:fs";', ""] if used else []
        options = []
        if self.method != "get":
            options.append(f'method: "{self.method.upper()}"')
        if self.key:
            options.append(f'headers: {{ "X-Api-Key": process.env.{KEY} }}')
        if self.files or self.fields:
            options.append("body: form")
            lines.append("const form = new FormData();")
        for name, file in self.files:
            blob = f"await openAsBlob({json.dumps(file)})"
            lines.append(f"form.append({json.dumps(name)}, {blob}, {json.dumps(file)});")
        lines += [f"form.append({json.dumps(name)}, {json.dumps(value)});" for name, value in self.fields.items()]
        given = f", {{ {', '.join(options)} }}" if options else ""
        lines.append(f"const answer = await fetch({json.dumps(self.url)}{given});")
        lines.append("if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);")
        if self.saved:
            lines.append(f"writeFileSync({json.dumps(self.saved)}, Buffer.from(await answer.arrayBuffer()));")
        else:
            lines.append(f"console.log(await answer.{'json' if self.json else 'text'}());")
        return "\n".join(lines)


def call_of(base: str, path: str, method: str, operation: Mapping[str, Any], key: bool) -> Call:
    """The call that a route's examples describe.

    Args:
        base: where the service is, as http://host:port.
        operation: of the description, its references resolved.
        key: whether the service has keys.
    """
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
    call = Call(method, base + path, key=key and operation.get("security") != [{}])
    content = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data", {})
    for name, value in content.get("example", {}).items():
        if name.endswith("_file"):
            call.files += [(name, file) for file in (value if isinstance(value, list) else [value])]
        else:
            call.fields[name] = value if isinstance(value, str) else json.dumps(value)
    answers = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
    kinds = list(answers["content"])
    call.json = kinds[0] == "application/json"
    if kinds[0] in ENDINGS:
        call.saved = f"result.{ENDINGS[kinds[0]]}"
    return call
