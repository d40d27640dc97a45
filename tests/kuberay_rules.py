"""What is wrong with manifests: by the schemas of KubeRay and Kubernetes, and by KubeRay's rules that no schema holds.

The rules are those of KubeRay's validation and of what its controllers look for; each line says which.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator

SCHEMAS = json.loads((Path(__file__).parent / "cluster" / "kuberay.json").read_text())
SPECS = ("RayCluster", "RayJob", "RayCronJob", "RayService")
KUBERNETES = "1.34"
Manifest = dict[str, Any]


def manifests(files: dict[str, str]) -> list[Manifest]:
    texts = [text for name, text in files.items() if name.endswith(".yaml")]
    return [each for text in texts for each in yaml.safe_load_all(text) if isinstance(each, dict) and "kind" in each]


def clusters(manifest: Any) -> Iterator[Manifest]:
    """Every specification of a Ray cluster inside."""
    if isinstance(manifest, dict):
        if "headGroupSpec" in manifest:
            yield manifest
        for inner in manifest.values():
            yield from clusters(inner)


def wrong(manifest: Manifest) -> list[str]:
    """All that is wrong with a manifest."""
    kind = manifest["kind"]
    if kind in SPECS:
        validator = Draft202012Validator({**SCHEMAS, "$ref": f"#/{kind}"})
        found = [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(manifest["spec"])]
        if found:
            return found
        found = wrong_in_service(manifest) if kind == "RayService" else wrong_in_job(manifest)
        return [*found, *(each for spec in clusters(manifest) for each in wrong_in_cluster(spec))]
    if kind in ("PodMonitor", "PrometheusRule", "Kustomization"):  # not Kubernetes' own
        return []
    if kind == "PodDisruptionBudget" and "maxUnavailable" in manifest["spec"]:
        return ["RayClusters have no scale subresource, by which maxUnavailable is counted"]
    return invalid(manifest)


def invalid(manifest: Manifest) -> list[str]:
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [error.message]
    return []


def wrong_in_cluster(cluster: Manifest) -> list[str]:
    """What Kubernetes would say of its pods, and what KubeRay refuses though its schema takes it."""
    found: list[str] = []
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        pod = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": group["template"]}
        found += invalid(pod)
        if group["template"]["spec"].get("restartPolicy", "Never") != "Never":
            found.append("autoscaler v2 wants restartPolicy Never")
        mounts = {mount["name"] for each in group["template"]["spec"]["containers"] for mount in each["volumeMounts"]}
        if mounts - {volume["name"] for volume in group["template"]["spec"]["volumes"]}:
            found.append("a mount without its volume")
        if "app.kubernetes.io/name" in group["template"]["metadata"]["labels"]:
            found.append("KubeRay's services look for its own app.kubernetes.io/name")
        if group.get("resources") and group["rayStartParams"].keys() & {"num-cpus", "num-gpus", "memory", "resources"}:
            found.append("resources twice")
    if any(each["mountPath"] == "/tmp/ray" for each in groups[0]["template"]["spec"]["containers"][0]["volumeMounts"]):
        found.append("the head's /tmp/ray is not the one that KubeRay's autoscaler has")
    for group in cluster["workerGroupSpecs"]:
        if not group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]:
            found.append(f"replicas of {group['groupName']} are out of order")
    names = [group["groupName"] for group in cluster["workerGroupSpecs"]]
    if len(set(names)) < len(names):
        found.append("two groups of one name")
    options = cluster.get("gcsFaultToleranceOptions", {})
    if options.get("backend") == "rocksdb" and options.keys() & {"redisAddress", "redisPassword"}:
        found.append("rocksdb with a Redis")
    if options.get("backend", "redis") == "redis" and "storage" in options:
        found.append("redis with a volume")
    return found


def wrong_in_service(manifest: Manifest) -> list[str]:
    (head,) = manifest["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]["containers"]
    return [] if "serve" in {port["name"] for port in head["ports"]} else ["no port called serve, so no service"]


def wrong_in_job(manifest: Manifest) -> list[str]:
    job = manifest["spec"].get("jobTemplate", manifest["spec"])
    rules = job.get("deletionStrategy", {}).get("deletionRules", [])
    found = []
    if rules and (job.get("shutdownAfterJobFinishes") or job.get("ttlSecondsAfterFinished")):
        found.append("deletion rules beside shutdownAfterJobFinishes")
    order = ("DeleteWorkers", "DeleteCluster", "DeleteSelf")
    if rules and not any(rule["condition"].get("jobDeploymentStatus") == "Failed" for rule in rules):
        found.append("a job that was never submitted keeps its cluster: its jobStatus is not FAILED")
    for status in ("SUCCEEDED", "FAILED", "Failed"):
        times = {
            rule["policy"]: rule["condition"]["ttlSeconds"]
            for rule in rules
            if status in (rule["condition"].get("jobStatus"), rule["condition"].get("jobDeploymentStatus"))
        }
        if "DeleteWorkers" in times:
            found.append("DeleteWorkers with an autoscaler")
        steps = [times[policy] for policy in order if policy in times]
        if steps != sorted(steps):
            found.append(f"deletion out of order after {status}")
    return found
