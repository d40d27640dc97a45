"""What `hairline cluster render` needs to know beside pools and nodes: names, the image, secrets, times."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator

from .. import __version__
from .nodes import NAME, RULE

FIELDS = re.compile(r"[\d*/,A-Za-z-]+")  # of a cron schedule
RANGES = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 7))
LONGEST = 36  # name: of a cron job KubeRay makes a job, of that a cluster, of that a service with at most 63 characters
Seconds = Annotated[int, Field(ge=0)]


class ClusterConfig(BaseModel):
    """The cluster that manifests are rendered for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("", description="of the rendered objects; the job's or the file's name otherwise")
    namespace: str = Field("hairline", description="Kubernetes namespace")
    image: str = Field(f"hairline:{__version__}", description="what all pods run, built from the rendered Dockerfile")
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = Field("IfNotPresent", description="of the image")
    pull_secret: str = Field("", description="Kubernetes secret of the registry")
    secret: str = Field(
        "", description="Kubernetes secret whose entries become environment variables, such as AWS keys"
    )
    service_account: str = Field("", description="of the pods, where the cloud gives rights by it instead of keys")
    keys_secret: str = Field("hairline-keys", description="Kubernetes secret with the service's keys.json")
    schedule: str = Field("", description="cron schedule of a job, such as 0 2 * * *; rendered as RayCronJob then")
    time_zone: str = Field("Etc/UTC", description="that the schedule is in")
    retries: int = Field(2, ge=0, description="how often a job that ends badly is started again, in a new cluster")
    deadline_s: Seconds = Field(0, description="longest that a job may take, seconds; 0: as long as it takes")
    pending_s: Seconds = Field(1800, description="longest that a job may wait for its cluster, seconds")
    keep_s: Seconds = Field(3600, description="how long a job that has ended, and failed pods, stay to be looked at")
    idle_s: Seconds = Field(120, description="a node without work goes after so long, seconds")
    head_cpus: float = Field(2.0, gt=0, description="cores of the head node, which runs the driver and no pool")
    head_memory_gib: float = Field(8.0, gt=0, description="memory of the head node, GiB")
    gcs: Literal["none", "rocksdb", "redis"] = Field(
        "none", description="where the head keeps its state, so that the cluster outlives it: a volume, or a Redis"
    )
    redis: str = Field("redis:6379", description="address of the Redis")
    redis_secret: str = Field("", description="Kubernetes secret with the Redis' password, at the key password")
    storage_class: str = Field("", description="of volumes; the cluster's default otherwise")
    gateway: str = Field("", description="a Gateway API class: upgrades of a service then move traffic step by step")
    monitoring: str = Field("monitoring", description="namespace of the Prometheus that may read the metrics")
    region: str = Field("eu-central-1", description="of the machines that ray up starts")

    @field_validator("name")
    @classmethod
    def _a_name(cls, name: str) -> str:
        if name and not (NAME.fullmatch(name) and len(name) <= LONGEST):
            raise ValueError(f"{name!r} {RULE.format(LONGEST)}")
        return name

    @field_validator("schedule")
    @classmethod
    def _five_fields(cls, schedule: str) -> str:
        fields = schedule.split()
        if fields and (len(fields) != 5 or not all(FIELDS.fullmatch(field) for field in fields)):
            raise ValueError(f"{schedule!r} is no cron schedule of five fields, such as 0 2 * * *")
        for field, (what, least, most) in zip(fields, RANGES, strict=False):
            for number in re.findall(r"(?<![/\d])\d+", field):  # after / stands a step
                if not least <= int(number) <= most:
                    raise ValueError(f"{schedule!r}: {number} is no {what}; give {least} to {most}")
        return schedule

    @field_validator("time_zone")
    @classmethod
    def _a_time_zone(cls, zone: str) -> str:
        known = available_timezones()
        if known and zone not in known:  # a machine without time zone data knows none
            near = [f"did you mean {name}?" for name in get_close_matches(zone, known, 1)]
            raise ValueError(f"no time zone is called {zone!r}; {(near or ['try Etc/UTC'])[0]}")
        return zone
