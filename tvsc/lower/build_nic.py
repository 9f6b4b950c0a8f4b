"""Settings to NIC profiles."""

from __future__ import annotations

from tvsc.diag import codes
from tvsc.lower.fields import Entry
from tvsc.lower.nics import PACKET_BUFFER_BYTES, RETA_SIZES, profile
from tvsc.lower.schema import Named
from tvsc.lower.scope import Context, Scope
from tvsc.model import Driver, FlowRules, NicProfile


def build_nic(context: Context, entry: Entry) -> NicProfile:
    """A profile: the driver's facts, lessened by what the site says."""
    assert isinstance(entry.value, Named)
    name = entry.value.name
    scope = Scope(context, entry, f"nic/{name}", f"NIC profile `{name}`")
    driver = Driver(scope.need("driver", str, "null"))
    base = profile(name, driver, scope.at)
    return base.model_copy(
        update={
            "queues": _at_most(scope, "queues", base.queues, driver),
            "reta_size": _reta(scope, base),
            "flow_rules": _rules(scope, base),
        }
    )


def _at_most(scope: Scope, keyword: str, limit: int, driver: Driver) -> int:
    value = scope.get(keyword, int, limit)
    entry = scope.entry(keyword)
    if entry is not None and value > limit:
        scope.context.report(
            codes.OUT_OF_RANGE, f"`{driver}` has at most {limit} {keyword}, not {value}", entry.span
        )
    return min(value, limit)


def _reta(scope: Scope, base: NicProfile) -> int:
    value = scope.get("reta", int, base.reta_size)
    sizes = RETA_SIZES.get(base.driver, (base.reta_size,))
    entry = scope.entry("reta")
    if entry is not None and value not in sizes:
        have = " or ".join(str(s) for s in sizes if s)
        message = f"the redirection table of `{base.driver}` has {have} entries, not {value}"
        if not base.reta_size:
            message = f"`{base.driver}` has no redirection table"
        scope.context.report(codes.OUT_OF_RANGE, message, entry.span)
        return base.reta_size
    return value


def _rules(scope: Scope, base: NicProfile) -> FlowRules | None:
    rules = base.flow_rules
    buffer = scope.get("packet-buffer", int, PACKET_BUFFER_BYTES)
    buffer_entry, rules_entry = scope.entry("packet-buffer"), scope.entry("rules")
    if buffer_entry is not None:
        if base.driver is not Driver.IXGBE:
            scope.context.report(
                codes.UNKNOWN_SETTING,
                f"`{base.driver}` has no setting `packet-buffer`",
                buffer_entry.span,
            )
        elif buffer // 1024 not in (64, 128, 256) or buffer % 1024:
            scope.context.report(
                codes.OUT_OF_RANGE,
                "`packet-buffer` is 64KiB, 128KiB or 256KiB",
                buffer_entry.span,
            )
        elif buffer != PACKET_BUFFER_BYTES:
            # DPDK has had no way to ask for more since 22.11 hid the old filter interface.
            scope.context.report(
                codes.UNSUPPORTED,
                "a `packet-buffer` other than 64KiB is not supported in this version",
                buffer_entry.span,
            )
    if rules_entry is None:
        return rules
    wanted = scope.get("rules", int, 0)
    if rules is None:
        scope.context.report(
            codes.OUT_OF_RANGE, f"`{base.driver}` has no flow rules", rules_entry.span
        )
        return None
    if rules.max_rules is not None and wanted > rules.max_rules:
        scope.context.report(
            codes.OUT_OF_RANGE,
            f"`{base.driver}` has at most {rules.max_rules} rules, not {wanted}",
            rules_entry.span,
        )
    return rules.model_copy(update={"max_rules": wanted})
