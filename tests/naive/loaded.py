"""The laptop example with everything at once: a VLAN, the client's address, limits, schedules by
hash and by load, sorry pools, session sync.
"""

from pathlib import Path

from tests.naive import runtime

LAPTOP = runtime.ROOT / "examples" / "laptop" / "site.tvs"
VLAN = 210

# Each text is in the example; what comes instead.
CHANGES = (
    ("            nic     tap0\n", f"            nic     tap0\n            vlan    {VLAN}\n"),
    ("pool web {\n    schedule wrr\n", "pool web {\n    schedule maglev\n"),
    ("pool api {\n    schedule rr\n", "pool api {\n    schedule least-loaded\n"),
    ("pool echo {\n    schedule rr\n", "pool echo {\n    schedule source-hash\n"),
    (
        """# Answers while no server of `api` can.
pool apology {
    on-down keep
    server  host(servers, 29):8080
}
""",
        """
pool apology {
    on-down keep
    server  host(servers, 28):8080 weight 3
    server  host(servers, 29):8080
}

pool regret {
    schedule maglev
    on-down  reset
    server   host(servers, 28):8081 weight 3
    server   host(servers, 29):8081
}

pool echo-too {
    schedule least-loaded
    check    none
    server   host(servers, 28):7
    server   host(servers, 29):7 weight 2
}
""",
    ),
    (
        "service web {\n",
        """service web {
    client-address toa
    sorry          regret
    limits { connections 12  new-per-source 4/s  deny 198.18.0.2/32 }
""",
    ),
    (
        "service api {\n",
        """service api {
    client-address toa
    limits { new-per-source 3/s  allow 198.18.0.0/29  deny 198.18.0.5 }
""",
    ),
    (
        "service echo {\n",
        "service echo {\n    sorry echo-too\n    limits { connections 9 }\n",
    ),
)


def loaded_site(path: Path) -> None:
    """Writes the site file."""
    text = LAPTOP.read_text(encoding="utf-8")
    for old, new in CHANGES:
        assert old in text, old
        text = text.replace(old, new)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
