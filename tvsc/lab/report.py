"""What a run found: frozen, and the JSON that `--format json` prints."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from tvsc.lab.spread import Spread

FORMAT_VERSION = 1


class Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Setting(Row):
    """What was brought up, and with which of the machine's abilities."""

    lab: str
    site: str
    clusters: dict[str, list[str]]
    serving: list[str]
    real_servers: int
    steering: str
    resilient_groups: bool
    started_ms: float | None


class Sample(Row):
    """A request, and who took it. `local` is what the real server saw."""

    source: str
    target: str
    node: str
    worker: int
    local: str
    server: str
    took_ms: float


class Requests(Row):
    """All requests of the traffic part. `per_second` is new connections through the whole lab."""

    made: int
    failed: int
    failures: dict[str, int]
    per_second: float
    median_ms: float
    p99_ms: float


class NodeCounters(Row):
    """What a node's workers counted over the traffic part, and what the switch's end of its link
    did. `drops` are by reason.
    """

    node: str
    frames: int
    tx: int
    kernel: int
    handover: int
    sync: int
    drops: dict[str, int]
    sessions: int
    link_to_node: int
    link_from_node: int


class Check(Row):
    """An equation over the counters that must hold."""

    what: str
    left: int
    right: int

    @property
    def good(self) -> bool:
        return self.left == self.right


class Counters(Row):
    nodes: list[NodeCounters]
    checks: list[Check]
    good: bool


class Outage(Row):
    """What clients noticed: `failed` of all `requests`, the last of them asked `lasted_ms` after
    the break.
    """

    requests: int
    failed: int
    lasted_ms: float
    reasons: list[str]


class FailoverDrill(Row):
    """The loss of nodes. `lost_*` are connections that were open before and answer no more;
    `lost_by_rejoin` those that still did while the nodes were away. `keeps_sessions`: nodes of the
    same cluster are left, and it has session sync.
    """

    name: str
    what: str
    link_down_ms: float | None
    rerouted_ms: float | None
    outage: Outage
    recovered: bool
    held: int
    held_by_victims: int
    lost_with_victims: int
    lost_elsewhere: int
    lost_by_rejoin: int
    keeps_sessions: bool
    flows_of_survivors: int
    moved_flows_of_survivors: int
    served_by: list[str]
    rejoin_ms: float | None
    moved_flows_by_rejoin: int
    flows: int
    good: bool


class BackendDrill(Row):
    """The loss of a real server: sessions went to it for `outage.lasted_ms`, at most
    `gone_within_ms` by its pool's check.
    """

    name: Literal["backend-down"] = "backend-down"
    server: str
    outage: Outage
    gone_within_ms: int
    returned_ms: float | None
    returned_within_ms: int
    failed_after_return: int
    good: bool


class PoolDrill(Row):
    """The loss of all real servers of a pool that has a sorry pool: nobody answered for
    `outage.lasted_ms`, at most `gone_within_ms` by the pool's check; then the sorry pool did,
    `by_sorry` times, until a server of the pool was back.
    """

    name: Literal["pool-down"] = "pool-down"
    pool: str
    sorry: str
    outage: Outage
    gone_within_ms: int
    by_sorry: int
    returned_ms: float | None
    returned_within_ms: int
    failed_after_return: int
    good: bool


Drill = FailoverDrill | BackendDrill | PoolDrill


class Report(Row):
    format_version: int = FORMAT_VERSION
    setting: Setting
    samples: list[Sample]
    requests: Requests
    spreads: list[Spread]
    counters: Counters
    drills: list[Drill]
    problems: list[str]
    good: bool
