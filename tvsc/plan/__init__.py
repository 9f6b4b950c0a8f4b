"""Model -> node plan (the compiler's IR): classes, tables, steering, routes, sizes.

    site, diagnostics, sources = load_site(path)
    plan = plan_site(site, sources)          # -> SitePlan, one NodePlan per node
    plan_json(plan.nodes[0])                 # what becomes OUT/nodes/NODE/plan.json

Pure functions; every choice in a plan carries its reason and the place in the site that asked for
it. `types.py` is the whole shape: read it first.
"""

from tvsc.plan.dump import PlanWriter, plan_json, plan_object
from tvsc.plan.node import PlanOptions, plan_site
from tvsc.plan.types import (
    FORMAT_VERSION,
    AccessPlan,
    AnnouncePlan,
    BackendPlan,
    BgpPlan,
    CheckPlan,
    ClassPlan,
    CorePlan,
    LimitPlan,
    LipMap,
    LipPlan,
    MemoryPlan,
    NeighborPlan,
    NodePlan,
    PeerPlan,
    PoolPlan,
    PortPlan,
    RangePlan,
    RoutePlan,
    RulePlan,
    SchedulePlan,
    ServicePlan,
    SitePlan,
    SteeringPlan,
    SyncPathPlan,
    SyncPlan,
    VipSlot,
    VipTable,
)

__all__ = [
    "FORMAT_VERSION",
    "AccessPlan",
    "AnnouncePlan",
    "BackendPlan",
    "BgpPlan",
    "CheckPlan",
    "ClassPlan",
    "CorePlan",
    "LimitPlan",
    "LipMap",
    "LipPlan",
    "MemoryPlan",
    "NeighborPlan",
    "NodePlan",
    "PeerPlan",
    "PlanOptions",
    "PlanWriter",
    "PoolPlan",
    "PortPlan",
    "RangePlan",
    "RoutePlan",
    "RulePlan",
    "SchedulePlan",
    "ServicePlan",
    "SitePlan",
    "SteeringPlan",
    "SyncPathPlan",
    "SyncPlan",
    "VipSlot",
    "VipTable",
    "plan_json",
    "plan_object",
    "plan_site",
]
