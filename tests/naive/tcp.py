"""The states of a session, as a table that can be read against the documentation."""

from tests.naive.wire import ACK, FIN, RST, SYN

REQUEST, REPLY = "request", "reply"

# (state, direction, what the packet says) -> the state after it; what is not here changes nothing
TRANSITIONS = {
    ("syn", REPLY, "syn-ack"): "syn-ack",
    ("syn-ack", REQUEST, "ack"): "established",
    ("syn-ack", REQUEST, "fin"): "fin-client",
    ("syn-ack", REPLY, "fin"): "fin-server",
    ("established", REQUEST, "fin"): "fin-client",
    ("established", REPLY, "fin"): "fin-server",
    ("fin-client", REPLY, "fin"): "closed",
    ("fin-server", REQUEST, "fin"): "closed",
}

REPLACED_BY_SYN = frozenset({"fin-client", "fin-server", "closed", "reset"})


def says(flags: int) -> str:
    """A combination that no TCP sends, such as SYN with FIN, says nothing."""
    if flags & RST:
        return "rst"
    meant = {SYN: "syn", SYN | ACK: "syn-ack", FIN: "fin", FIN | ACK: "fin", ACK: "ack"}
    return meant.get(flags & (SYN | FIN | ACK), "nothing")


def pure_syn(flags: int) -> bool:
    return flags & (SYN | ACK | RST | FIN) == SYN


def after(state: str, direction: str, flags: int) -> str:
    what = says(flags)
    return "reset" if what == "rst" else TRANSITIONS.get((state, direction, what), state)
