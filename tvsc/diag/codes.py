"""The registry of diagnostic codes.

Families: 00xx files and syntax, 01xx names, types and settings, 02xx meaning, 03xx addressing, 04xx
steering, 05xx capacity, 06xx placement, 07xx high availability, 08xx the machine and the output,
09xx not supported in this version. A code is never reused. Each has a page in `explain/`, a place
that emits it and a failing site in `tests/diagnostics/` (08xx: a test in `tests/compile/`, because
no site causes them); a test enforces all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error stops the compiler after its stage; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Code:
    """`id` is what people see and search for, `title` heads its page."""

    id: str
    title: str
    severity: Severity = Severity.ERROR


CODES: dict[str, Code] = {}


def _code(number: int, title: str, severity: Severity = Severity.ERROR) -> Code:
    code = Code(f"TVS{number:04}", title, severity)
    assert code.id not in CODES, code.id
    CODES[code.id] = code
    return code


# Files and syntax
FILE_UNREADABLE = _code(1, "file cannot be read")
FILE_NOT_UTF8 = _code(2, "file is not UTF-8 text")
FILE_TOO_LARGE = _code(3, "file or site is too large")
INCLUDE_CYCLE = _code(4, "file includes itself")
INCLUDE_NOTHING = _code(5, "include matches no file")
NESTED_TOO_DEEP = _code(6, "blocks or parentheses nested too deep")
FILE_SUFFIX = _code(7, "file that a site may not name")
SYNTAX = _code(10, "syntax error")
BAD_CHARACTER = _code(11, "character has no meaning here")
TEXT_NOT_CLOSED = _code(12, "text is not closed")
BRACE_NOT_CLOSED = _code(13, "brace or parenthesis has no partner")
BAD_LITERAL = _code(14, "value is written wrongly")
LANGUAGE_VERSION = _code(15, "language version missing or unknown")
FLOW_TEXT = _code(16, "flow is written wrongly")
PYTHON_FAILED = _code(17, "Python site file failed")
PYTHON_NO_SITE = _code(18, "Python site file builds no site")
HIDDEN_CHARACTER = _code(19, "character that hides what a text says")

# Names, types and settings
UNKNOWN_SETTING = _code(101, "unknown setting")
DUPLICATE_SETTING = _code(102, "setting given twice")
MISSING_SETTING = _code(103, "setting is missing")
UNKNOWN_NAME = _code(104, "unknown name")
DUPLICATE_NAME = _code(105, "name defined twice")
WRONG_TYPE = _code(106, "value of the wrong type")
MISSING_UNIT = _code(107, "number without its unit")
OUT_OF_RANGE = _code(108, "value out of range")
UNKNOWN_WORD = _code(109, "word that the setting does not know")
EXTRA_VALUE = _code(110, "more values than the setting takes")
MISSING_VALUE = _code(111, "setting without its value")
BLOCK_EXPECTED = _code(112, "block missing or out of place")
FUNCTION_CALL = _code(113, "function called wrongly")
ARITHMETIC = _code(114, "calculation without a result")
LOOP_LIMIT = _code(115, "loop runs too often")
LIKE_CYCLE = _code(116, "like leads back to itself")
BAD_PREFIX = _code(117, "prefix with host bits")
LIST_FILE = _code(118, "list file has a wrong line")
BAD_NAME = _code(119, "name with characters that it cannot have")

# Meaning
UNUSED_POOL = _code(201, "pool is not used", Severity.WARNING)
EMPTY_POOL = _code(202, "pool has no server")
WEIGHTS_ZERO = _code(203, "all servers have weight 0")
DUPLICATE_LISTENER = _code(204, "VIP and port listened on twice")
DUPLICATE_SERVER = _code(205, "server listed twice in a pool")
TIMEOUT_NOT_BELOW_INTERVAL = _code(206, "check times out after the next one is due")
RANGE_BACKWARDS = _code(207, "range ends before it starts")
NOTHING_LISTENS = _code(208, "service has nothing to listen on")
CHECK_CANNOT_PASS = _code(209, "health check cannot work with this pool")
WEIGHTS_IGNORED = _code(210, "schedule ignores the weights")
RULE_UNREACHABLE = _code(211, "access rule that can never apply")
THRESHOLD_UNMET = _code(212, "threshold that cannot be met")
CLIENT_ADDRESS_UNFIT = _code(213, "client's address cannot be told this way")
NOBODY_GETS_IN = _code(221, "limits let nobody in")
LIST_EMPTY = _code(222, "list of sources is empty", Severity.WARNING)
CONNECTIONS_TOO_FEW = _code(223, "fewer connections than workers", Severity.WARNING)

# Addressing
LIP_OUTSIDE = _code(301, "local IPs do not fit their prefix")
PREFIX_NOT_NESTED = _code(302, "long prefix does not lie inside the short one")
ADDRESS_COLLISION = _code(303, "address has two owners")
LIP_OVERLAP = _code(304, "local-IP prefixes overlap")
GATEWAY_OUTSIDE = _code(305, "gateway is not on the port's network")
ADDRESS_UNUSABLE = _code(306, "address cannot be used for this")
DUPLICATE_ROUTER_ID = _code(307, "router id used twice")
FABRIC_UNREACHABLE = _code(308, "BGP neighbour is not on any port's network")
NETWORKS_OVERLAP = _code(309, "two ports of a node are on one network")
LIPS_ON_LINK = _code(310, "local IPs on the network of a server")
VLANS_APART = _code(311, "ports of one network are in different VLANs")

# Steering
NO_FLOW_RULES = _code(401, "NIC has no flow rules")
RULE_BUDGET = _code(402, "more flow rules than the NIC holds")
TOO_MANY_QUEUES = _code(403, "more workers than the NIC has queues")
NO_RSS = _code(404, "NIC has no RSS that can be set")
STEERING_SPLIT = _code(405, "packets of one session reach different workers")
RULE_REFUSED = _code(406, "NIC does not take the planned steering")
REQUESTS_NOT_SPREAD = _code(407, "requests are not spread over the workers")
TAGGED_UNPROVED = _code(408, "flow rules may not take packets with a VLAN tag")

# Capacity
SESSIONS_EXCEED_PORTS = _code(501, "more sessions than local ports")
LIP_SLOTS = _code(502, "more local IPs than a worker has slots")
SITE_TOO_BIG = _code(503, "more than a node's tables hold")
LOAD_EXCEEDS = _code(504, "declared load exceeds the capacity")

# Placement
CORES_COUNT = _code(601, "number of cores is not the number of workers")
CORE_TWICE = _code(602, "core used twice")
SOCKET_MISMATCH = _code(603, "workers and NIC on different sockets")
DEVICE_TWICE = _code(604, "device used twice")
DEVICE_MISMATCH = _code(605, "device does not fit its NIC profile")
BUSY_SHARED = _code(606, "busy polling on shared cores")
CONTROL_PLACE = _code(607, "control thread and workers are placed in different ways")

# High availability
STANDBY_NOT_LOWER = _code(701, "standby is not less preferred")
NO_PRIMARY = _code(702, "no primary cluster")
HOLD_BELOW_BFD = _code(703, "BGP gives up before BFD can")
NIC_MISMATCH = _code(704, "nodes of a cluster spread packets differently")
NOWHERE_TO_GO = _code(705, "way out of an empty pool leads nowhere")
POOL_CAN_EMPTY = _code(706, "one failure empties a pool", Severity.WARNING)
FAILOVER_SLOW = _code(707, "dead node is noticed later than promised")
SYNC_ALONE = _code(708, "session sync without another node")
SYNC_PORT_TAKEN = _code(709, "port of session sync is taken")
SYNC_MTU = _code(710, "messages of session sync do not fit the MTU")
SYNC_KEY_HIDDEN = _code(711, "key of session sync is where the daemon sees nothing")
LOWERING_UNSEEN = _code(712, "lower preference does not reach who chooses")
SORRY_ON_DOWN = _code(714, "`on-down` of a sorry pool is not heeded", Severity.WARNING)

# The machine and the output
COMPILER_MISSING = _code(801, "no C compiler")
LIBRARY_MISSING = _code(802, "library of the host is missing")
BIRD_MISSING = _code(803, "BIRD is missing")
BUILD_FAILED = _code(804, "build failed")
BIRD_REFUSED = _code(805, "BIRD refuses the configuration")
OUTPUT_FOREIGN = _code(806, "output directory is not tvsc's")
OUTPUT_BUSY = _code(807, "output directory is in use")
OUTPUT_FULL = _code(808, "no space for the output")

# Not supported in this version
UNSUPPORTED = _code(901, "not supported in this version")
