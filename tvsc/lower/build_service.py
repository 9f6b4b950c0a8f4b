"""Settings to services."""

from __future__ import annotations

from collections.abc import Iterator

from tvsc.lower.fields import Entry
from tvsc.lower.lists import prefixes
from tvsc.lower.moving import dotted
from tvsc.lower.schema import Named
from tvsc.lower.scope import Context, Scope
from tvsc.lower.settings_service import AccessLine, FromFile, ListenLine
from tvsc.model import (
    AccessRule,
    Address,
    ClientAddress,
    Limits,
    Listener,
    Load,
    Mode,
    Network,
    Service,
    Timeouts,
    Vip,
    known_listener,
    known_service,
    known_timeouts,
    known_vip,
)
from tvsc.source import Span

_TIMEOUTS = {"syn": 10_000, "established": 900_000, "fin": 30_000, "close": 5_000, "udp": 30_000}


def build_service(context: Context, entry: Entry) -> Service:
    """One service; whether the pools that it names exist is seen later."""
    assert isinstance(entry.value, Named)
    name = entry.value.name
    scope = Scope(context, entry, f"service/{name}", f"service `{name}`")
    if scope.fields is not None and all(k in _FREQUENT for k, _ in scope.fields.entries):
        return _usual_service(scope, name)
    return known_service(
        at=scope.at,
        name=name,
        vips=_vips(scope),
        listeners=tuple(_listener(scope, e) for e in scope.entries("listen")),
        mode=Mode(scope.get("mode", str, "fullnat")),
        client_address=ClientAddress(scope.get("client-address", str, "none")),
        timeouts=_timeouts(scope),
        limits=_limits(scope),
        min_up=scope.get("min-up", int, 0),
        sorry=scope.get("sorry", str, None),
        load=_load(scope),
    )


_FREQUENT = ("vip", "listen")


def _usual_service(scope: Scope, name: str) -> Service:
    """One that says nothing but what it listens on: in most loops of thousands they are such."""
    return known_service(
        at=scope.at,
        name=name,
        vips=_vips(scope),
        listeners=tuple([_listener(scope, e) for e in scope.entries("listen")]),
        mode=Mode.FULLNAT,
        client_address=ClientAddress.NONE,
        timeouts=known_timeouts(f"{scope.at}/timeouts", **_TIMEOUTS),
        limits=None,
        min_up=0,
        sorry=None,
        load=None,
    )


def _vips(scope: Scope) -> tuple[Vip, ...]:
    written: tuple[tuple[Address, Span], ...] = scope.need("vip", tuple, ())
    if len(written) == 1:
        ((address, span),) = written
        at = f"{scope.at}/vip/{_shown(address)}"
        scope.context.origins.put(at, span)
        return (known_vip(at, address),)
    vips: list[Vip] = []
    seen: set[Address] = set()
    for index, (address, span) in enumerate(written):
        at = f"{scope.at}/vip/{_shown(address)}"
        if address in seen:  # a mistake, and a message shall point at it
            at = f"{at}/{index}"
        seen.add(address)
        scope.context.origins.put(at, span)
        vips.append(known_vip(at, address))
    return tuple(vips)


def _shown(address: Address) -> str:
    return dotted(int(address)) if address.version == 4 else str(address)


def _listener(scope: Scope, entry: Entry) -> Listener:
    line = entry.value
    assert isinstance(line, ListenLine)
    at = f"{scope.at}/listen/{entry.key}"
    scope.context.origins.put_parts(at, entry.span, entry.parts)
    return known_listener(at, line.protocol, line.port, line.pool)


def pools_of(service: Service) -> Iterator[tuple[str, str]]:
    """The names of the pools that a service refers to, and the paths of where it does."""
    for listener in service.listeners:
        yield listener.pool, f"{listener.at}/pool"
    if service.sorry is not None:
        yield service.sorry, f"{service.at}/sorry"


def _timeouts(scope: Scope) -> Timeouts:
    entry = scope.entry("timeouts")
    at = f"{scope.at}/timeouts"
    if entry is None:
        return known_timeouts(at, **_TIMEOUTS)
    inner = Scope(scope.context, entry, at, f"the timeouts of {scope.title}")
    return known_timeouts(
        at, **{keyword: inner.get(keyword, int, usual) for keyword, usual in _TIMEOUTS.items()}
    )


def _limits(scope: Scope) -> Limits | None:
    entry = scope.entry("limits")
    if entry is None:
        return None
    inner = Scope(scope.context, entry, f"{scope.at}/limits", f"the limits of {scope.title}")
    rules: list[AccessRule] = []
    for rule in entry.fields.entries.values() if entry.fields is not None else ():
        line = rule.value
        if isinstance(line, AccessLine):
            at = f"{inner.at}/access/{len(rules) + 1}"
            scope.context.origins.put(at, rule.span)
            sources = line.sources
            if isinstance(sources, FromFile):
                sources = _listed(scope.context, sources, at)
            rules.append(AccessRule(at=at, allow=line.allow, sources=sources))
    return Limits(
        at=inner.at,
        connections=inner.get("connections", int, None),
        new_per_source=inner.get("new-per-source", int, None),
        access=tuple(rules),
    )


def _listed(context: Context, source: FromFile, at: str) -> tuple[Network, ...]:
    """The sources of a list file; each has its line for its place."""
    key = (source.span.file, source.name)
    listed = context.lists.get(key)
    if listed is None:
        listed = context.lists[key] = tuple(prefixes(context, source))
    elif not context.take_line(source.span, len(listed)):
        return ()
    for index, (_, span) in enumerate(listed):
        context.origins.put(f"{at}/{index}", span)
    return tuple([network for network, _ in listed])


def _load(scope: Scope) -> Load | None:
    entry = scope.entry("load")
    if entry is None:
        return None
    inner = Scope(scope.context, entry, f"{scope.at}/load", f"the load of {scope.title}")
    return Load(
        at=inner.at,
        sessions=inner.need("sessions", int, 1),
        new_per_s=inner.get("new", int, 0),
    )
