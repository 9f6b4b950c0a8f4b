"""Sessions from the first packet to the last: capture in, capture out, compared byte by byte."""

from tests.replay.captures import Stamped
from tests.replay.run import replay
from tests.replay.scene import (
    CLIENT,
    DNS,
    ICMP,
    IP,
    KEPT,
    KEPT_VIP,
    LIPS,
    PORTS_OF_WORKER,
    TCP,
    UDP,
    VIP,
    WEB,
    Raw,
    from_node,
    to_node,
)

PORT = PORTS_OF_WORKER[0][0]
SECOND = 10**9


def request(flags: str, port: int = PORT, payload: bytes = b"", **fields: object) -> bytes:
    tcp = TCP(sport=port, dport=80, flags=flags, **fields)
    return to_node(IP(src=CLIENT, dst=VIP, id=7, tos=8) / tcp / Raw(payload))


def forwarded(
    flags: str,
    local_port: int = 10000,
    server: str = WEB[0],
    payload: bytes = b"",
    **fields: object,
) -> bytes:
    tcp = TCP(sport=local_port, dport=8080, flags=flags, **fields)
    ip = IP(src=LIPS[0][0], dst=server, id=7, tos=8, ttl=63)
    return from_node(ip / tcp / Raw(payload), port=1)


def reply(flags: str, payload: bytes = b"", **fields: object) -> bytes:
    tcp = TCP(sport=8080, dport=10000, flags=flags, **fields)
    return to_node(IP(src=WEB[0], dst=LIPS[0][0], id=9) / tcp / Raw(payload), port=1)


def returned(flags: str, payload: bytes = b"", **fields: object) -> bytes:
    tcp = TCP(sport=80, dport=PORT, flags=flags, **fields)
    return from_node(IP(src=VIP, dst=CLIENT, id=9, ttl=63) / tcp / Raw(payload), port=0)


def test_tcp_from_syn_to_fin() -> None:
    options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0))]
    outcome = replay(
        [
            request("S", seq=100, options=options),
            reply("SA", seq=500, ack=101, options=options),
            request("A", seq=101, ack=501),
            request("PA", seq=101, ack=501, payload=b"GET / HTTP/1.0\r\n\r\n"),
            reply("PA", seq=501, ack=119, payload=b"x" * 1400),
            reply("FA", seq=1901, ack=119),
            request("FA", seq=119, ack=1902),
            reply("A", seq=1902, ack=120),
        ]
    )
    assert outcome.frames == [
        forwarded("S", seq=100, options=options),
        returned("SA", seq=500, ack=101, options=options),
        forwarded("A", seq=101, ack=501),
        forwarded("PA", seq=101, ack=501, payload=b"GET / HTTP/1.0\r\n\r\n"),
        returned("PA", seq=501, ack=119, payload=b"x" * 1400),
        returned("FA", seq=1901, ack=119),
        forwarded("FA", seq=119, ack=1902),
        returned("A", seq=1902, ack=120),
    ]
    assert outcome.total["sessions_opened"] == outcome.stats["sessions"] == 1
    assert outcome.drops == {}


def test_one_packet_at_a_time_is_the_same() -> None:
    packets = [request("S", port) for port in PORTS_OF_WORKER[0]] + [reply("SA"), request("A")]
    assert replay(packets, "--burst", "1").frames == replay(packets).frames


def udp_there_and_back(checksum: int | None) -> None:
    port = PORTS_OF_WORKER[0][0]
    server, server_port = DNS[0]
    fields = {} if checksum is None else {"chksum": checksum}
    ask, answer = Raw(b"which?"), Raw(b"that one")
    outcome = replay(
        [
            to_node(IP(src=CLIENT, dst=VIP) / UDP(sport=port, dport=53, **fields) / ask),
            to_node(
                IP(src=server, dst=LIPS[0][0])
                / UDP(sport=server_port, dport=10000, **fields)
                / answer
            ),
        ],
        *("--worker", "0"),
    )
    assert outcome.frames == [
        from_node(
            IP(src=LIPS[0][0], dst=server, ttl=63)
            / UDP(sport=10000, dport=server_port, **fields)
            / ask,
            port=1,
        ),
        from_node(
            IP(src=VIP, dst=CLIENT, ttl=63) / UDP(sport=53, dport=port, **fields) / answer, port=0
        ),
    ]


def test_udp() -> None:
    udp_there_and_back(None)


def test_udp_without_checksum_stays_so() -> None:
    udp_there_and_back(0)


def test_a_wrong_tcp_checksum_stays_wrong() -> None:
    """The server must see the damage: 1 too much before, 1 too much after."""
    good = IP(to_node(IP(src=CLIENT, dst=VIP) / TCP(sport=PORT, dport=80))[14:])
    good[TCP].chksum += 1
    right = IP(forwarded("S")[14:])
    sent = IP(replay([to_node(good)]).frames[0][14:])
    del right[TCP].chksum, right[IP].chksum
    right.id, right.tos = 1, 0
    assert sent[TCP].chksum == IP(bytes(right))[TCP].chksum + 1


def test_padding_and_ip_options_are_kept() -> None:
    options = b"\x01\x01\x01\x00"
    tcp = TCP(sport=PORT, dport=80)
    outcome = replay([to_node(IP(src=CLIENT, dst=VIP, options=options) / tcp) + b"pad!"])
    wanted = IP(src=LIPS[0][0], dst=WEB[0], ttl=63, options=options)
    assert outcome.frames == [from_node(wanted / TCP(sport=10000, dport=8080), 1) + b"pad!"]


def test_echo_is_answered() -> None:
    question = ICMP(type="echo-request", id=77, seq=3) / Raw(b"abcdefg")
    answer = ICMP(type="echo-reply", id=77, seq=3) / Raw(b"abcdefg")
    outcome = replay(
        [
            to_node(IP(src=CLIENT, dst=address, id=5, ttl=1) / question)
            for address in (VIP, LIPS[0][0], LIPS[1][1])
        ]
    )
    assert outcome.frames == [
        from_node(IP(src=address, dst=CLIENT, id=5, ttl=64) / answer, port=0)
        for address in (VIP, LIPS[0][0], LIPS[1][1])
    ]
    assert outcome.total["tx_local"] == 3


def test_what_is_not_ours_goes_to_the_kernel_as_it_is() -> None:
    others = [
        to_node(IP(src=CLIENT, dst="192.0.2.11") / TCP(sport=5, dport=179)),
        to_node(IP(src=CLIENT, dst="192.0.2.11") / ICMP()),
        b"\xff" * 6 + to_node(IP(src=CLIENT, dst=VIP) / TCP(sport=PORT, dport=80))[6:],
        bytes.fromhex("0274767300000200000000c10806") + b"\0" * 28,
        bytes.fromhex("0274767300000200000000c18100000a0800") + b"\0" * 46,
    ]
    outcome = replay(others)
    assert [packet.frame for packet in outcome.kernel] == others
    assert outcome.frames == []


def test_weights_interleave() -> None:
    """Six sessions on one worker are one period: 3, 2 and 1 of them, spread out."""
    outcome = replay([request("S", 2000 + n) for n in range(6)], "--worker", "0")
    chosen = [IP(frame[14:]).dst for frame in outcome.frames]
    assert chosen == [WEB[n] for n in (0, 1, 0, 2, 1, 0)]


def test_workers_start_at_different_servers() -> None:
    first = replay([request("S")], "--worker", "0").frames[0]
    second = replay([request("S")], "--worker", "1").frames[0]
    assert IP(first[14:]).dst == WEB[0]
    assert IP(second[14:]).dst == WEB[2]


def test_ports_are_used_oldest_first() -> None:
    """The port of a session that ended comes back last, after all that were never used."""
    sequence = [Stamped(request("S", 3000 + n), n * SECOND) for n in range(12)]
    outcome = replay(sequence, "--worker", "0", variant="fixture-few-ports")
    local = [(IP(frame[14:]).src, IP(frame[14:])[TCP].sport) for frame in outcome.frames]
    eight = [(lip, port) for port in range(10000, 10004) for lip in LIPS[0]]
    assert local == eight + eight[:4]  # a SYN session lives five seconds: the first four had ended


def expiry(after_ns: int, *options: str) -> dict[str, int]:
    packets = [Stamped(request("S"), SECOND), Stamped(reply("SA"), SECOND + after_ns)]
    return replay(packets, *options).drops


def test_sessions_expire_by_the_clock_of_the_capture() -> None:
    """The state SYN has 5.0 s here."""
    assert expiry(49 * SECOND // 10) == {}
    assert expiry(62 * SECOND // 10) == {"reply_no_session": 1}
    assert expiry(365 * 24 * 3600 * SECOND) == {"reply_no_session": 1}


def test_the_clock_can_be_fixed() -> None:
    assert expiry(60 * SECOND, "--clock", "0.001") == {}
    assert expiry(0, "--clock", "6.5") == {"reply_no_session": 1}


def test_time_that_goes_back_stops_the_clock() -> None:
    packets = [
        Stamped(request("S"), 100 * SECOND),
        Stamped(reply("SA"), 2 * SECOND),
        Stamped(request("A"), 104 * SECOND),
    ]
    outcome = replay(packets)
    assert [packet.time_ns for packet in outcome.sent] == [p.time_ns for p in packets]
    assert outcome.stats["capture"]["seconds"] == 4.0


def test_an_established_session_outlives_a_long_gap() -> None:
    packets = [
        Stamped(request("S"), 0),
        Stamped(reply("SA"), SECOND),
        Stamped(request("A"), 2 * SECOND),
        Stamped(reply("PA", b"late"), 300 * SECOND),
        Stamped(reply("PA", b"too late"), 603 * SECOND),
    ]
    outcome = replay(packets)
    assert outcome.drops == {"reply_no_session": 1}
    assert outcome.total["sessions_expired"] == 1


def test_a_new_syn_replaces_a_closed_session() -> None:
    outcome = replay([request("S"), reply("SA"), request("A"), request("R"), request("S", seq=900)])
    wanted = IP(src=LIPS[0][1], dst=WEB[1], id=7, tos=8, ttl=63)
    tcp = TCP(sport=10000, dport=8080, flags="S", seq=900)
    assert outcome.frames[-1] == from_node(wanted / tcp, port=1)
    assert outcome.total["sessions_replaced"] == 1
    assert outcome.stats["sessions"] == 1


def test_a_session_of_a_failed_server_is_reset() -> None:
    """The client hears it at once, in the name of the VIP."""
    packets = [
        Stamped(request("S"), 0),
        Stamped(request("A", seq=5, ack=1234), 2 * SECOND),
        Stamped(request("A", seq=5, ack=1234), 2 * SECOND),
    ]
    outcome = replay(packets, "--down", "10.20.1.1:8080@1")
    wanted = IP(src=VIP, dst=CLIENT, id=0, flags="DF", ttl=64)
    rst = TCP(sport=80, dport=PORT, flags="R", seq=1234, window=0)
    assert outcome.frames[1:] == [from_node(wanted / rst, port=0)]
    assert outcome.drops == {"tcp_no_session": 1}
    assert outcome.total["sessions_reset"] == 1


def test_a_reset_without_ack_acknowledges_what_came() -> None:
    packets = [
        Stamped(request("S"), 0),
        Stamped(request("FP", seq=2**32 - 2, payload=b"abc"), 2 * SECOND),
    ]
    outcome = replay(packets, "--down", "10.20.1.1:8080@1")
    wanted = IP(src=VIP, dst=CLIENT, id=0, flags="DF", ttl=64)
    rst = TCP(sport=80, dport=PORT, flags="RA", seq=0, ack=2, window=0)
    assert outcome.frames[1:] == [from_node(wanted / rst, port=0)]


def test_a_session_may_be_kept_on_a_failed_server() -> None:
    def syn(flags: str) -> bytes:
        return to_node(IP(src=CLIENT, dst=KEPT_VIP) / TCP(sport=PORT, dport=443, flags=flags))

    packets = [Stamped(syn("S"), 0), Stamped(syn("A"), 2 * SECOND)]
    outcome = replay(packets, "--down", f"{KEPT[0]}:443@1", "--worker", "0")
    assert [IP(frame[14:]).dst for frame in outcome.frames] == [KEPT[0], KEPT[0]]


def test_a_failed_server_gets_no_new_session() -> None:
    outcome = replay(
        [request("S", 4000 + n) for n in range(30)], "--down", "10.20.1.1:8080", "--worker", "0"
    )
    chosen = {IP(frame[14:]).dst for frame in outcome.frames}
    assert chosen == {WEB[1], WEB[2]}


def test_udp_of_a_failed_server_starts_again_elsewhere() -> None:
    packet = to_node(IP(src=CLIENT, dst=VIP) / UDP(sport=PORT, dport=53) / Raw(b"q"))
    packets = [Stamped(packet, 0), Stamped(packet, SECOND)]
    outcome = replay(packets, "--down", "10.20.2.1:53@0.5", "--worker", "0")
    assert [IP(frame[14:]).dst for frame in outcome.frames] == [DNS[0][0], DNS[1][0]]
    assert outcome.total["sessions_reset"] == 1


def test_a_udp_checksum_of_zero_is_sent_as_ones() -> None:
    """Zero would say that there is none; the payload is chosen so that the sum comes out so."""

    def sent(payload: bytes) -> IP:
        to_server = IP(src=LIPS[0][0], dst=DNS[0][0], ttl=63) / UDP(sport=10000, dport=53)
        return to_server / Raw(payload)

    missing = IP(bytes(sent(b"\0\0")))[UDP].chksum
    payload = missing.to_bytes(2, "big")
    wanted = sent(payload)
    wanted[UDP].chksum = 0xFFFF
    asked = IP(src=CLIENT, dst=VIP) / UDP(sport=PORT, dport=53) / Raw(payload)
    outcome = replay([to_node(asked)], "--worker", "0")
    assert outcome.frames == [from_node(wanted, port=1)]
