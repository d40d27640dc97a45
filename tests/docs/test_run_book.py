"""The run book is true to the code: its files are valid, its commands are commands, its alerts and panels are there."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import yaml

from hairline.cli import parser
from hairline.cluster.monitoring import RUN, SERVICE, run_alerts, service_alerts
from hairline.cluster.render import render_into
from kuberay_rules import manifests, wrong

TEXT = (Path(__file__).parents[2] / "docs" / "run-book.md").read_text("utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = FENCE.findall(TEXT)
JOB, PROMETHEUS = (text for language, text in BLOCKS if language == "yaml")
RENDERED = {
    *("deploy/alerts.yaml", "deploy/monitoring.yaml", "deploy/dashboard.json", "deploy/ray-up.yaml"),
    *("deploy/configmap.yaml", "deploy/policies.yaml", "deploy/raycluster.yaml", "deploy/"),
}


def commands() -> list[list[str]]:
    """Each command of each block of shell, as words, without comments and variables set before it."""
    lines = "".join(text for language, text in BLOCKS if language == "sh").replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        for part in re.split(r" && | -- |\$\(|\)$", line):
            words = shlex.split(part, comments=True) if part.count('"') % 2 == 0 else []
            found.append([*words][next((i for i, word in enumerate(words) if "=" not in word), len(words)) :])
    return [words for words in found if words]


OURS = [words[1:] for words in commands() if words[0] == "hairline"]


@pytest.mark.parametrize("words", OURS, ids=" ".join)
def test_every_command_is_one(words: list[str]) -> None:
    assert parser().parse_args(words).command == words[0]


def test_the_commands_are_found() -> None:
    assert {words[0] for words in OURS} == {"plan", "keys", "cluster", "run"} and len(OURS) >= 9
    assert {words[0] for words in commands()} >= {"kubectl", "docker", "ray", "hairline"}


def test_the_example_is_rendered_into_what_is_named(tmp_path: Path) -> None:
    (tmp_path / "nightly.yaml").write_text(JOB)
    changes = ['nodes.0.instance="m5.4xlarge"', 'nodes.1.instance="g5.2xlarge"']
    names, _ = render_into(str(tmp_path / "nightly.yaml"), changes, str(tmp_path / "deploy"))
    named = set(re.findall(r"deploy/[\w.-]*", TEXT))
    assert named == RENDERED and named - {"deploy/"} <= {f"deploy/{name}" for name in names}
    files = {name: (tmp_path / "deploy" / name).read_text() for name in names}
    assert [each for each in manifests(files) if wrong(each)] == []
    if which("promtool"):
        (tmp_path / "prometheus.yml").write_text(PROMETHEUS)
        (tmp_path / "metrics-key").write_text("x")
        config: dict[str, Any] = yaml.safe_load(PROMETHEUS)
        assert config["rule_files"] == ["deploy/alerts.yaml"]
        done = subprocess.run(["promtool", "check", "config", "prometheus.yml"], cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_section_and_every_such_section_an_alert() -> None:
    names = {alert.name for alert in (*run_alerts(), *service_alerts(30.0))}
    assert set(re.findall(r"^### (\w+)$", TEXT, re.MULTILINE)) == names
    assert set(re.findall(r"\bHairline[A-Z]\w+", TEXT)) == names


def test_what_stands_in_italics_is_on_the_dashboard() -> None:
    titles = {panel.title for panel in (*RUN, *SERVICE)}
    shown = set(re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", re.sub(r"\n", " ", TEXT)))
    assert len(shown) >= 7 and shown <= titles
