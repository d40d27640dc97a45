"""Rendered manifests: valid by the schemas of KubeRay and Kubernetes and by KubeRay's rules, changed by the pools."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from hairline.cluster.render import load, render_into
from hairline.configs.job import check
from hairline.configs.service import check_service
from hairline.stages.errors import HairlineError
from kit import hairline

SCHEMAS = json.loads((Path(__file__).parent / "kuberay.json").read_text())
SPECS = {"RayCluster": "spec", "RayJob": "spec", "RayCronJob": "spec", "RayService": "spec"}
KUBERNETES = "1.34"
Manifest = dict[str, Any]
JOB: Manifest = {
    "name": "Nightly catalog",
    "input": "s3://bucket/photos",
    "output": "s3://bucket/cut",
    "pools": [
        {"name": "read", "stages": ["filter"], "workers": [8, 64], "batch": 64},
        {
            "name": "networks",
            "stages": ["classify", "detect", "coarse", "fine"],
            "gpu_memory_gib": 8,
            "workers": [1, 8],
        },
        {"name": "write", "stages": ["products"], "workers": [4, 32]},
    ],
    "nodes": [
        {"name": "cpu", "cpus": 15, "max": 8, "instance": "m5.4xlarge"},
        {"name": "gpu", "cpus": 7, "gpus": 1, "card": "A10G", "max": 4, "spot": True, "instance": "g5.2xlarge"},
    ],
}
SERVICE: Manifest = {
    "pools": [
        {"name": "read", "stages": ["filter"], "workers": [1, 4]},
        {
            "name": "networks",
            "stages": ["classify", "detect", "coarse", "fine"],
            "gpu_memory_gib": 8,
            "workers": [0, 2],
        },
        {"name": "write", "stages": ["products"], "workers": [1, 6]},
    ],
    "nodes": [
        {"name": "cpu", "cpus": 8, "min": 1, "max": 2},
        {"name": "gpu", "cpus": 7, "gpus": 1, "card": "L4", "max": 2},
    ],
    "hosts": ["cut.example.org"],
}
EVERYTHING = {
    "pull_secret": "registry",
    "secret": "s3-credentials",
    "service_account": "hairline",
    "gcs": "redis",
    "redis_secret": "redis",
    "deadline_s": 7200,
}
CASES = {
    "job": JOB,
    "job with everything": {**JOB, "cluster": EVERYTHING},
    "job with rocksdb": {**JOB, "cluster": {"gcs": "rocksdb", "storage_class": "fast"}},
    "job by the clock": {**JOB, "cluster": {"schedule": "0 2 * * *", "time_zone": "Europe/Berlin"}},
    "service": SERVICE,
    "service with everything": {**SERVICE, "cluster": {**EVERYTHING, "gateway": "istio"}},
}


def write(folder: Path, data: Manifest) -> Path:
    path = folder / "file.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def rendered(folder: Path, data: Manifest) -> dict[str, str]:
    out = folder / "out"
    names, _ = render_into(str(write(folder, data)), [], str(out), force=True)
    return {name: (out / name).read_text() for name in names}


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
        return [*wrong_in_job(manifest), *(each for spec in clusters(manifest) for each in wrong_in_cluster(spec))]
    if kind in ("PodMonitor", "PrometheusRule", "Kustomization"):  # not Kubernetes' own
        return []
    return invalid(manifest)


def invalid(manifest: Manifest) -> list[str]:
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [error.message]
    return []


def wrong_in_cluster(cluster: Manifest) -> list[str]:
    """What Kubernetes would say of its pods, and what KubeRay refuses though its schema takes it."""
    found = []
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        pod = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": group["template"]}
        found += invalid(pod)
        if group["template"]["spec"].get("restartPolicy", "Never") != "Never":
            found.append("autoscaler v2 wants restartPolicy Never")
        mounts = {mount["name"] for each in group["template"]["spec"]["containers"] for mount in each["volumeMounts"]}
        if mounts - {volume["name"] for volume in group["template"]["spec"]["volumes"]}:
            found.append("a mount without its volume")
        if group.get("resources") and group["rayStartParams"].keys() & {"num-cpus", "num-gpus", "memory", "resources"}:
            found.append("resources twice")
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


def wrong_in_job(manifest: Manifest) -> list[str]:
    job = manifest["spec"].get("jobTemplate", manifest["spec"])
    rules = job.get("deletionStrategy", {}).get("deletionRules", [])
    found = []
    if rules and (job.get("shutdownAfterJobFinishes") or job.get("ttlSecondsAfterFinished")):
        found.append("deletion rules beside shutdownAfterJobFinishes")
    order = ("DeleteWorkers", "DeleteCluster", "DeleteSelf")
    for status in ("SUCCEEDED", "FAILED"):
        times = {
            rule["policy"]: rule["condition"]["ttlSeconds"]
            for rule in rules
            if rule["condition"]["jobStatus"] == status
        }
        if "DeleteWorkers" in times:
            found.append("DeleteWorkers with an autoscaler")
        steps = [times[policy] for policy in order if policy in times]
        if steps != sorted(steps):
            found.append(f"deletion out of order after {status}")
    return found


@pytest.mark.parametrize("case", CASES)
def test_every_manifest_is_valid(case: str, tmp_path: Path) -> None:
    files = rendered(tmp_path, CASES[case])
    found = manifests(files)
    kinds = {each["kind"] for each in found}
    service = "service" in case
    main = "RayService" if service else "RayCronJob" if "clock" in case else "RayJob"
    assert {main, "RayCluster", "ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "PriorityClass"} <= kinds
    assert {each["kind"]: wrong(each) for each in found if wrong(each)} == {}
    assert "token" in {each["authOptions"]["mode"] for manifest in found for each in clusters(manifest)}
    applied = yaml.safe_load(files["kustomization.yaml"])["resources"]
    assert set(applied) <= files.keys() and len(applied) == 3
    assert not any("password: " in text or "AWS_SECRET" in text for text in files.values())


SPOILED = {
    "a misspelt key": lambda job: job["spec"].update(backofLimit=3),
    "a wrong type": lambda job: job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0].update(maxReplicas="many"),
    "a wrong word": lambda job: job["spec"]["rayClusterSpec"]["autoscalerOptions"].update(version="v3"),
    "a pod's misspelt key": lambda job: head(job).update(imagePullPolice="Always"),
    "no container": lambda job: job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"].pop("containers"),
    "a head that restarts": lambda job: pod(job).update(restartPolicy="Always"),
    "a mount without a volume": lambda job: pod(job)["volumes"].pop(),
    "replicas out of order": lambda job: job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0].update(replicas=99),
    "deletion out of order": lambda job: job["spec"]["deletionStrategy"]["deletionRules"][0]["condition"].update(
        ttlSeconds=99999
    ),
    "deletion and shutdown": lambda job: job["spec"].update(shutdownAfterJobFinishes=True),
}


def pod(job: Manifest) -> Manifest:
    found: Manifest = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    return found


def head(job: Manifest) -> Manifest:
    found: Manifest = pod(job)["containers"][0]
    return found


@pytest.mark.parametrize("case", SPOILED)
def test_a_wrong_manifest_is_found(case: str, tmp_path: Path) -> None:
    (job,) = (each for each in manifests(rendered(tmp_path, JOB)) if each["kind"] == "RayJob")
    assert wrong(job) == []
    spoiled = copy.deepcopy(job)
    SPOILED[case](spoiled)
    try:
        assert wrong(spoiled), case
    except KeyError:
        assert case == "no container"


def groups(tmp_path: Path, data: Manifest) -> dict[str, tuple[int, int, int]]:
    (job,) = (each for each in manifests(rendered(tmp_path, data)) if each["kind"] == "RayJob")
    found = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    return {each["groupName"]: (each["replicas"], each["minReplicas"], each["maxReplicas"]) for each in found}


def test_a_changed_pool_changes_the_manifests(tmp_path: Path) -> None:
    assert groups(tmp_path, JOB) == {"cpu": (1, 0, 7), "gpu": (1, 0, 4)}
    more = copy.deepcopy(JOB)
    more["pools"][0]["workers"] = [20, 80]
    assert groups(tmp_path, more)["cpu"] == (2, 0, 8)
    less = copy.deepcopy(JOB)
    less["pools"][1]["workers"] = [1, 2]
    assert groups(tmp_path, less)["gpu"] == (1, 0, 1)
    before, after = rendered(tmp_path, JOB), rendered(tmp_path, less)
    assert {name for name in before if before[name] != after[name]} == {
        "configmap.yaml", "job.yaml", "rayjob.yaml", "raycluster.yaml", "ray-up.yaml"
    }  # fmt: skip
    too_much = copy.deepcopy(JOB)
    too_much["pools"][1]["workers"] = 99
    with pytest.raises(HairlineError, match="8 of networks have room, so workers: 8 would fit"):
        rendered(tmp_path, too_much)


def test_the_file_in_the_config_map_is_a_job_again(tmp_path: Path) -> None:
    files = rendered(tmp_path, JOB)
    (config_map,) = (each for each in manifests(files) if each["kind"] == "ConfigMap")
    (tmp_path / "again.yaml").write_text(config_map["data"]["job.yaml"])
    config, document = load(str(tmp_path / "again.yaml"), [])
    assert config == check(load(str(write(tmp_path, JOB)), [])[1]) and document.data == JOB
    (entry,) = (each["spec"]["entrypoint"] for each in manifests(files) if each["kind"] == "RayJob")
    assert entry == "hairline run /etc/hairline/job.yaml --metrics 0.0.0.0:8081"


def test_a_service_is_one_application_beside_whose_port_the_probes_ask(tmp_path: Path) -> None:
    files = rendered(tmp_path, SERVICE)
    (service,) = (each for each in manifests(files) if each["kind"] == "RayService")
    config = yaml.safe_load(service["spec"]["serveConfigV2"])
    (application,) = config["applications"]
    assert config["proxy_location"] == "Disabled" and application["import_path"] == "hairline.serve.front:app"
    assert application["args"]["command"][:3] == ["hairline", "serve", "/etc/hairline/service.yaml"]
    for group in service["spec"]["rayClusterConfig"]["workerGroupSpecs"]:
        probe = group["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]
        assert (probe["path"], probe["port"]) == ("/readyz", 8000)
        assert probe["httpHeaders"] == [{"name": "Host", "value": "cut.example.org"}]
    assert check_service(load(str(write(tmp_path, SERVICE)), [])[1]).hosts == ("cut.example.org",)
    compose = yaml.safe_load(files["compose.yaml"])["services"]["hairline"]
    assert compose["ports"] == ["127.0.0.1:8000:8000"] and compose["cap_drop"] == ["ALL"]


def test_spot_secrets_and_cards(tmp_path: Path) -> None:
    files = rendered(tmp_path, {**JOB, "cluster": EVERYTHING})
    (job,) = (each for each in manifests(files) if each["kind"] == "RayJob")
    cpu, gpu = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    spec = gpu["template"]["spec"]
    assert {each["key"] for each in spec["tolerations"]} == {"hairline/spot", "nvidia.com/gpu"}
    assert gpu["labels"]["ray.io/accelerator-type"] == "A10G" and gpu["labels"]["ray.io/market-type"] == "spot"
    assert (
        spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
        and "tolerations" not in cpu["template"]["spec"]
    )
    assert spec["containers"][0]["envFrom"] == [{"secretRef": {"name": "s3-credentials"}}]
    assert spec["priorityClassName"] in {each["metadata"]["name"] for each in manifests(files) if "metadata" in each}
    redis = job["spec"]["rayClusterSpec"]["gcsFaultToleranceOptions"]["redisPassword"]["valueFrom"]["secretKeyRef"]
    assert redis == {"name": "redis", "key": "password"}
    up = yaml.safe_load(files["ray-up.yaml"])
    assert up["available_node_types"]["gpu"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert up["available_node_types"]["cpu"]["max_workers"] == 7


def test_what_was_not_rendered_is_not_replaced(tmp_path: Path) -> None:
    job, out = write(tmp_path, JOB), tmp_path / "out"
    render_into(str(job), [], str(out))
    render_into(str(job), ["pools.0.batch=8"], str(out))  # over what is as it was rendered
    (out / "rayjob.yaml").write_text("mine")
    done = hairline("cluster", "render", job, "--output", out)
    assert done.returncode == 2 and "rayjob.yaml is there and not as rendered here" in done.stderr
    assert (out / "rayjob.yaml").read_text() == "mine"
    (out / "mine.yaml").write_text("mine")
    done = hairline("cluster", "render", job, "--output", out, "--force")
    assert done.returncode == 0 and "RayJob" in (out / "rayjob.yaml").read_text()
    assert (out / "mine.yaml").read_text() == "mine"


def test_mistakes(tmp_path: Path) -> None:
    without = {key: value for key, value in JOB.items() if key != "nodes"}
    with pytest.raises(HairlineError, match="no nodes to render a cluster of; declare their kinds in the file"):
        rendered(tmp_path, without)
    service = {key: value for key, value in SERVICE.items() if key != "nodes"}
    names, notes = render_into(str(write(tmp_path, service)), [], str(tmp_path / "laptop"))
    assert "compose.yaml" in names and "rayservice.yaml" not in names and "no manifests for Kubernetes" in notes[0]
    for change, told in (
        ("cluster.gcs=disk", "cluster.gcs"),
        ("cluster.schedule=every night", "no cron schedule of five fields"),
        ("cluster.nmae=x", "did you mean name"),
        ("nodes.0.name=CPU", "lower-case letters"),
        ("nodes.1.card=Voodoo", "memory of its card Voodoo is not known"),
        ("nodes.1.name=cpu", "two kinds of nodes are called 'cpu'"),
    ):
        with pytest.raises(HairlineError, match=told):
            render_into(str(write(tmp_path, JOB)), [change], str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()


@pytest.mark.skipif(not which("hadolint"), reason="no hadolint here")
@pytest.mark.parametrize("data", [JOB, SERVICE], ids=["job", "service"])
def test_the_dockerfile_is_sound(data: Manifest, tmp_path: Path) -> None:
    rendered(tmp_path, data)
    done = subprocess.run(["hadolint", tmp_path / "out" / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
