"""Settings to pools: servers from lines and CSV files, health checks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tvsc.diag import codes
from tvsc.diag.diagnostic import Diagnostic, Note
from tvsc.lower.fields import Entry
from tvsc.lower.lists import csv_servers
from tvsc.lower.schema import Named
from tvsc.lower.scope import Context, Scope
from tvsc.lower.settings_service import FromFile, ServerLine
from tvsc.model import (
    HealthCheck,
    HttpCheck,
    OnDown,
    Pool,
    Schedule,
    Server,
    StatusRange,
    TcpCheck,
    known_server,
    server_key,
)
from tvsc.source import Span


def build_pool(context: Context, entry: Entry) -> Pool:
    """One pool."""
    assert isinstance(entry.value, Named)
    name = entry.value.name
    scope = Scope(context, entry, f"pool/{name}", f"pool `{name}`")
    return Pool(
        at=scope.at,
        name=name,
        schedule=Schedule(scope.get("schedule", str, "wrr")),
        check=_check(scope),
        on_down=OnDown(scope.get("on-down", str, "reset")),
        servers=_servers(scope),
    )


def _servers(scope: Scope) -> tuple[Server, ...]:
    servers: dict[str, Server] = {}
    spans: dict[str, tuple[Span, Span | None]] = {}
    prefix = f"{scope.at}/server/"

    def add(line: ServerLine, key: str | None, span: Span, weight_span: Span | None) -> None:
        address, port = line.endpoint.address, line.endpoint.port
        if key is None:
            key = server_key(address, port)
        elif address.version == 6:
            key = f"[{key.rpartition(':')[0]}]:{port}"  # the text of such an address is dear
        if key in servers:
            scope.context.sink(
                Diagnostic(
                    codes.DUPLICATE_SERVER,
                    f"server `{key}` is listed twice in {scope.title}",
                    span,
                    (Note("first listed here", spans[key][0]),),
                )
            )
            return
        servers[key] = known_server(f"{prefix}{key}", address, port, line.weight, line.drain)
        spans[key] = (span, weight_span)

    for entry in scope.entries("server"):
        assert isinstance(entry.value, ServerLine)
        add(entry.value, entry.key, entry.span, entry.parts.get("weight"))
    for entry in scope.entries("servers"):
        assert isinstance(entry.value, FromFile)
        for line, span in csv_servers(scope.context, entry.value):
            add(line, None, span, None)
    if spans:
        scope.context.origins.put_later(prefix[:-1], partial(_places, prefix, spans))
    return tuple(servers.values())


def _places(prefix: str, spans: dict[str, tuple[Span, Span | None]]) -> Iterator[tuple[str, Span]]:
    """Where servers and their weights were written."""
    for key, (span, weight) in spans.items():
        yield f"{prefix}{key}", span
        if weight is not None:
            yield f"{prefix}{key}/weight", weight


_HTTP_ONLY = ("path", "expect", "host")


def _check(scope: Scope) -> HealthCheck | None:
    entry = scope.entry("check")
    kind = scope.get("check", str, "tcp")
    if entry is None:
        return TcpCheck(at=f"{scope.at}/check", every_ms=2000, timeout_ms=1000, rise=2, fall=3)
    inner = Scope(scope.context, entry, f"{scope.at}/check", f"the check of {scope.title}")
    if kind != "http" and inner.fields is not None:
        for keyword in _HTTP_ONLY if kind == "tcp" else list(inner.fields.kind.settings):
            extra = inner.entry(keyword)
            if extra is not None:
                scope.context.report(
                    codes.UNKNOWN_SETTING, f"`check {kind}` has no setting `{keyword}`", extra.span
                )
    if kind == "none":
        return None
    every, timeout = inner.get("every", int, 2000), inner.get("timeout", int, 1000)
    rise, fall = inner.get("rise", int, 2), inner.get("fall", int, 3)
    port = inner.get("port", int, None)
    if kind == "tcp":
        return TcpCheck(
            at=inner.at, every_ms=every, timeout_ms=timeout, rise=rise, fall=fall, port=port
        )
    expect: tuple[StatusRange, ...] = inner.get(
        "expect", tuple, (StatusRange(first=200, last=299),)
    )
    return HttpCheck(
        at=inner.at,
        every_ms=every,
        timeout_ms=timeout,
        rise=rise,
        fall=fall,
        port=port,
        path=inner.get("path", str, "/"),
        expect=expect,
        host=inner.get("host", str, None),
    )
