"""Manifests of a job or service as text: from its pools, nodes and `cluster` key, through the templates beside this."""

from __future__ import annotations

import hashlib
import json
import math
import platform
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from .. import __version__
from ..configs.cluster import LONGEST
from ..configs.job import Job
from ..configs.nodes import NodeType
from ..configs.pipeline import PipelineConfig
from ..configs.service import Service
from ..stages.documents import Document
from ..stages.errors import HairlineError
from .monitoring import Alert, dashboard, rules, run_alerts, service_alerts
from .nodes import nodes_at_most
from .placement import allocate, nodes_in_use

FOLDER, KEYS, JOBS = "/etc/hairline", "/etc/hairline-keys/keys.json", "/var/hairline/jobs"
TORCH = "torch>=2.11,<2.14"  # as the distribution asks for it
EXAMPLE = "nodes: [{name: cpu, cpus: 16, max: 8}, {name: gpu, cpus: 8, gpus: 1, card: L4, max: 4}]"
METRICS_PORT = 8081  # of a run; a service's metrics are at its own port
OPERATOR = "kuberay-operator"  # the namespace that KubeRay's chart is installed into


@dataclass(frozen=True)
class Group:
    """A worker group: nodes of one type, as many as the pools need.

    Attributes:
        replicas: at the start; min, max: nodes that the autoscaler keeps to.
        ray_cpus: whole cores that Ray gives out.
    """

    name: str
    replicas: int
    min: int
    max: int
    cpus: str
    ray_cpus: int
    memory_gib: int
    gpus: int
    card: str
    spot: bool
    instance: str

    @property
    def resources(self) -> dict[str, int]:
        return {"CPU": self.ray_cpus, **({"GPU": self.gpus} if self.gpus else {})}


@dataclass(frozen=True)
class Rendered:
    """What was rendered.

    Attributes:
        files: name -> text.
        notes: what was left out, and why.
    """

    files: dict[str, str]
    notes: list[str]


def render(config: Job | Service, document: Document) -> Rendered:
    """All files for a job or a service.

    Args:
        document: what it was read from; its data goes into the ConfigMap.

    Raises:
        HairlineError: the pools do not fit the nodes that the file declares, or a job declares none.
    """
    facts = _facts(config, document)
    environment = Environment(
        loader=PackageLoader("hairline.cluster"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    names, notes = _names(config)
    facts["applied"] = [name for name in names if name in ("configmap.yaml", "policies.yaml", facts["main"])]
    files = {name: environment.get_template(f"{name}.j2").render(c=facts).strip() + "\n" for name in names}
    if config.nodes:
        files["dashboard.json"] = json.dumps(dashboard(facts["name"], facts["service"]), indent=1) + "\n"
        files["alerts.yaml"] = facts["rules"] + "\n"
    files[facts["file_name"]] = facts["file_text"] + "\n"
    files["wheels/README"] = "Wheels that lie here are installed into the image; see the Dockerfile.\n"
    return Rendered(files, notes)


def _names(config: Job | Service) -> tuple[list[str], list[str]]:
    service, notes = isinstance(config, Service), []
    names = ["Dockerfile"]
    if service:
        names.append("compose.yaml")
    if not config.nodes and not service:
        raise HairlineError(f"no nodes to render a cluster of; declare their kinds in the file, such as {EXAMPLE}")
    if not config.nodes:
        return names, [f"no manifests for Kubernetes: they need the kinds of nodes in the file, such as {EXAMPLE}"]
    names += ["configmap.yaml", "policies.yaml", _main(config), "raycluster.yaml", "kustomization.yaml"]
    names.append("monitoring.yaml")
    if all(node.instance for node in config.nodes):
        names.append("ray-up.yaml")
    else:
        lacking = next(node.name for node in config.nodes if not node.instance)
        notes.append(f"no ray-up.yaml: nodes {lacking} has no instance, such as instance: g5.2xlarge")
    return names, [*notes, *_doubts(config)]


def _doubts(config: Job | Service) -> list[str]:
    """What the pods of a job will most likely not reach; only a person knows what the nodes have."""
    if isinstance(config, Service):
        return []
    places = {"input": config.input, "output": config.output}
    found = [
        f"{key} {place} is a path inside each pod, and no manifest here mounts anything there: give s3://…, or mount "
        "a file system that all nodes share"
        for key, place in places.items()
        if "://" not in place or place.startswith("file://")
    ]
    if any(place.startswith("s3://") for place in places.values()) and not (
        config.cluster.secret or config.cluster.service_account
    ):
        found.append("no cluster.secret, no cluster.service_account: the pods reach s3:// by their nodes' rights alone")
    return found


def _main(config: Job | Service) -> str:
    if isinstance(config, Service):
        return "rayservice.yaml"
    return "raycronjob.yaml" if config.cluster.schedule else "rayjob.yaml"


def _facts(config: Job | Service, document: Document) -> dict[str, Any]:
    """All that the templates show."""
    service = isinstance(config, Service)
    file_name = "service.yaml" if service else "job.yaml"
    hosts = config.hosts if isinstance(config, Service) else ()
    command = _command(config, f"{FOLDER}/{file_name}")
    facts = {
        **config.cluster.model_dump(),
        "name": _name(config, document),
        "version": __version__,
        "ray_version": version("ray"),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "torch": TORCH,
        "service": service,
        "main": _main(config),
        "groups": _groups(config),
        "has_cards": any(pool.gpu or pool.gpu_memory_gib for pool in config.pools),
        "head_cpus": f"{config.cluster.head_cpus:g}",
        "head_memory_gib": math.ceil(config.cluster.head_memory_gib),
        "operator_namespace": OPERATOR,
        "metrics_port": METRICS_PORT,
        "file_name": file_name,
        "file_text": yaml.safe_dump(document.data, sort_keys=False, allow_unicode=True).strip(),
        "entrypoint": " ".join(command),
        "probe_host": hosts[0] if hosts else "",
        "port": _port(config),
        "drain_s": math.ceil(config.times.drain) if isinstance(config, Service) else 0,
        "serve_command": command,
    }
    facts["file_digest"] = hashlib.sha256(facts["file_text"].encode()).hexdigest()[:16]
    facts["rules"] = yaml.safe_dump(rules(_alerts(config)), sort_keys=False, width=100).strip()
    facts["serve_config"] = _serve_config(facts)
    return facts


def _alerts(config: Job | Service) -> list[Alert]:
    if isinstance(config, Job):
        return run_alerts()
    sleeping = tuple(pool.name for pool in config.pools if isinstance(pool.workers, tuple) and not pool.workers[0])
    return service_alerts(config.times.request / 2, sleeping)


def _port(config: Job | Service) -> int:
    return (config.port or 8000) if isinstance(config, Service) else 0


def _command(config: Job | Service, path: str) -> list[str]:
    if isinstance(config, Job):
        return ["hairline", "run", path, "--metrics", f"0.0.0.0:{METRICS_PORT}"]
    changes = [f"keys={KEYS}", f"jobs.folder={JOBS}"]
    sets = [word for change in changes for word in ("--set", change)]
    return ["hairline", "serve", path, "--host", "0.0.0.0", "--port", str(_port(config)), *sets]


def _serve_config(facts: dict[str, Any]) -> str:
    """What KubeRay hands to Ray Serve: one application, the front, which starts the pools itself."""
    front = {"command": facts["serve_command"], "port": facts["port"], "host": facts["probe_host"]}
    application = {
        "name": facts["name"],
        "route_prefix": None,
        "import_path": "hairline.serve.front:app",
        "args": front,
    }
    return yaml.safe_dump({"proxy_location": "Disabled", "applications": [application]}, sort_keys=False).strip()


def _name(config: PipelineConfig, document: Document) -> str:
    given = config.cluster.name or (config.name if isinstance(config, Job) else "") or Path(document.name).stem
    plain = re.sub(r"[^a-z0-9]+", "-", given.lower()).strip("-")[:LONGEST].strip("-")
    return plain if plain[:1].isalpha() else f"hairline-{plain}".strip("-")


def _groups(config: PipelineConfig) -> list[Group]:
    """One group for each type of node. Raises HairlineError: the pools do not fit."""
    if not config.nodes:
        return []
    nodes = nodes_at_most(config.nodes)
    placements = allocate(config.pools, nodes, one_card=isinstance(config, Service))
    smallest, most = nodes_in_use(placements, nodes)
    return [_group(kind, smallest[kind.name], most[kind.name]) for kind in config.nodes]


def _group(kind: NodeType, smallest: int, most: int) -> Group:
    return Group(
        kind.name,
        max(kind.min, smallest),
        kind.min,
        max(kind.min, most, 1),
        f"{kind.cpus:g}",
        math.floor(kind.cpus),
        math.ceil(kind.gib),
        kind.gpus,
        kind.card,
        kind.spot,
        kind.instance,
    )
