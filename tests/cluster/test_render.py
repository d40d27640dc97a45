"""Rendered manifests: valid by the schemas of KubeRay and Kubernetes and by KubeRay's rules, changed by the pools."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest
import yaml
from jsonschema import ValidationError

from hairline.cluster.render import load, render_into
from hairline.configs.job import check
from hairline.configs.service import check_service
from hairline.stages.errors import HairlineError
from kit import hairline
from kuberay_rules import Manifest, clusters, manifests, wrong

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
    "a name that is not KubeRay's": lambda job: labels(job).update({"app.kubernetes.io/name": "x"}),
    "a /tmp/ray of the head's own": lambda job: head(job)["volumeMounts"].append(
        {"name": "shm", "mountPath": "/tmp/ray"}
    ),
    "deletion out of order": lambda job: job["spec"]["deletionStrategy"]["deletionRules"][0]["condition"].update(
        ttlSeconds=99999
    ),
    "a cluster that nothing deletes": lambda job: job["spec"]["deletionStrategy"]["deletionRules"][1].update(
        condition={"jobStatus": "FAILED", "ttlSeconds": 3600}
    ),
    "deletion and shutdown": lambda job: job["spec"].update(shutdownAfterJobFinishes=True),
}


def labels(job: Manifest) -> Manifest:
    found: Manifest = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["metadata"]["labels"]
    return found


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
    port = {"name": "serve", "containerPort": 8000}
    assert port in service["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]["containers"][0]["ports"]
    for group in service["spec"]["rayClusterConfig"]["workerGroupSpecs"]:
        probe = group["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]
        assert (probe["path"], probe["port"]) == ("/readyz", 8000)
        assert probe["httpHeaders"] == [{"name": "Host", "value": "cut.example.org"}]
    assert check_service(load(str(write(tmp_path, SERVICE)), [])[1]).hosts == ("cut.example.org",)
    compose = yaml.safe_load(files["compose.yaml"])["services"]["hairline"]
    assert compose["ports"] == ["127.0.0.1:8000:8000"] and compose["cap_drop"] == ["ALL"]


def test_another_service_file_is_another_cluster(tmp_path: Path) -> None:
    """KubeRay compares the cluster's specification; a ConfigMap that changed is nothing to it."""
    marks = []
    for requests in (8, 9, 8):
        files = rendered(tmp_path, {**SERVICE, "queue": {"requests": requests}})
        pods = [each["template"]["metadata"] for cluster in clusters(yaml.safe_load(files["rayservice.yaml"]))
                for each in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]  # fmt: skip
        marks.append({pod["annotations"]["hairline/file"] for pod in pods})
    assert len(marks[0]) == len(marks[1]) == 1 and marks[0] != marks[1] and marks[0] == marks[2]


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
        ("cluster.schedule=0 24 * * *", "24 is no hour; give 0 to 23"),
        ("cluster.time_zone=Europe/Berln", "did you mean Europe/Berlin"),
        ("cluster.name=" + 37 * "a", "36 at most"),
        ("cluster.nmae=x", "did you mean name"),
        ("nodes.0.name=CPU", "lower-case letters"),
        ("nodes.1.card=Voodoo", "memory of its card Voodoo is not known"),
        ("nodes.1.name=cpu", "two kinds of nodes are called 'cpu'"),
    ):
        with pytest.raises(HairlineError, match=told):
            render_into(str(write(tmp_path, JOB)), [change], str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()


def test_what_the_pods_will_not_reach_is_told(tmp_path: Path) -> None:
    job = write(tmp_path, {**JOB, "cluster": {"schedule": "*/90 0-23/2 * JAN,MAR 7", "secret": "s3-credentials"}})
    assert render_into(str(job), [], str(tmp_path / "a"))[1] == []
    (local,) = render_into(str(job), ["output=/data/cut"], str(tmp_path / "b"))[1]
    assert local.startswith("output /data/cut is a path inside each pod")
    (keyless,) = render_into(str(write(tmp_path, JOB)), [], str(tmp_path / "c"))[1]
    assert "no cluster.secret, no cluster.service_account" in keyless


@pytest.mark.parametrize("data", [JOB, SERVICE], ids=["job", "service"])
def test_the_dockerfile_is_sound(data: Manifest, tmp_path: Path) -> None:
    rendered(tmp_path, data)
    assert complaints("hadolint", tmp_path / "out" / "Dockerfile") == ""


def test_compose_takes_its_file(tmp_path: Path) -> None:
    rendered(tmp_path, SERVICE)
    file = tmp_path / "out" / "compose.yaml"
    assert complaints("check-jsonschema", "--builtin-schema", "vendor.compose-spec", file) == ""


def test_ray_up_takes_its_file(tmp_path: Path) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load(rendered(tmp_path, JOB)["ray-up.yaml"])
    validate_config(prepare_config(copy.deepcopy(config)))
    assert (config["max_workers"], config["available_node_types"]["cpu"]["resources"]) == (11, {"CPU": 15})
    with pytest.raises(ValidationError, match="max_wrokers"):
        validate_config({**prepare_config(copy.deepcopy(config)), "max_wrokers": 3})


def complaints(name: str, *words: object) -> str:
    """What a program of the `dev` extra says that is wrong; skips the test in an environment made without it."""
    program = which(name, path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if not program:
        pytest.skip(f"no {name} here")
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""
