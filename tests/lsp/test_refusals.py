"""Every request has an answer, whatever is wrong with it, and the server goes on."""

import json

import pytest

from tests.lsp.wire import EXIT, INITIALIZE, SHUTDOWN, answers, frame, message, run

pytestmark = pytest.mark.slow

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
NOT_INITIALIZED = -32002

FILE = {"uri": "file:///nowhere/site.tvs"}
AT = {"line": 1, "character": 1}
HOVER = "textDocument/hover"


def raw(value: object) -> bytes:
    return frame(json.dumps(value).encode())


def talk(*frames: bytes) -> list[dict[str, object]]:
    """The answers to some frames between a good start and a good end."""
    result = run(INITIALIZE + b"".join(frames) + SHUTDOWN + EXIT)
    assert result.returncode == 0, result.stderr
    assert b"Traceback" not in result.stdout + result.stderr
    first, *middle, last = answers(result.stdout)
    assert (first["id"], last["id"], last["result"]) == (1, 9, None)
    return middle


def refusal(answer: dict[str, object]) -> tuple[object, object, str]:
    """Id, code and message of an answer that is an error."""
    assert set(answer) == {"jsonrpc", "id", "error"}
    error = answer["error"]
    assert isinstance(error, dict) and set(error) == {"code", "message"}
    return answer["id"], error["code"], error["message"]


WRONG_PARAMS = [
    (None, "params"),
    ("x", "params"),
    ([1, 2], "params.textDocument"),
    ({}, "params.textDocument: is missing; params.position: is missing"),
    ({"textDocument": FILE}, "params.position: is missing"),
    ({"textDocument": 7, "position": AT}, "params.textDocument"),
    ({"textDocument": {"uri": None}, "position": AT}, "params.textDocument.uri: must be a text"),
    ({"textDocument": FILE, "position": [1, 1]}, "params.position"),
    ({"textDocument": FILE, "position": {**AT, "line": -1}}, "[0:2147483647]"),
    ({"textDocument": FILE, "position": {**AT, "line": 10**30}}, "[0:2147483647]"),
    ({"textDocument": FILE, "position": {**AT, "line": "1"}}, "must be a whole number"),
    ({"textDocument": FILE, "position": {**AT, "line": 1.5}}, "must be a whole number"),
    ({"textDocument": FILE, "position": {**AT, "line": True}}, "must be a whole number"),
]


def test_wrong_parameters() -> None:
    numbers = range(100, 100 + len(WRONG_PARAMS))
    found = talk(*(message(HOVER, n, p) for n, (p, _) in zip(numbers, WRONG_PARAMS, strict=True)))
    assert [answer["id"] for answer in found] == list(numbers)
    for answer, (_, expected) in zip(found, WRONG_PARAMS, strict=True):
        _, code, text = refusal(answer)
        assert code == INVALID_PARAMS and expected in text, text


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        (
            "textDocument/rename",
            {"textDocument": FILE, "position": AT, "newName": {}},
            "newName: must",
        ),
        ("textDocument/rename", {"textDocument": FILE, "position": AT}, "params.newName: is miss"),
        ("textDocument/completion", {"context": {"triggerKind": 99}}, "99 is not a valid"),
        ("textDocument/formatting", {"textDocument": FILE}, "params.options: is missing"),
        ("textDocument/documentSymbol", {"textDocument": []}, "params.textDocument"),
        ("workspace/executeCommand", {"command": "x"}, "'x' is not defined"),
    ],
)
def test_wrong_parameters_of_others(method: str, params: object, expected: str) -> None:
    (answer,) = talk(message(method, 2, params))
    number, code, text = refusal(answer)
    assert (number, code) == (2, INVALID_PARAMS) and expected in text, text


def test_what_is_no_request() -> None:
    """No object, no version, no method, no real id; and a batch, which LSP does not have."""
    good = {"jsonrpc": "2.0", "id": 3, "method": HOVER, "params": {}}
    frames = [
        (raw([good, good]), None),
        (raw([]), None),
        (raw(7), None),
        (raw(None), None),
        (raw({}), None),
        (raw({**good, "jsonrpc": "1.0"}), 3),
        (raw({"id": "a", "method": HOVER}), "a"),
        (raw({**good, "method": 7}), 3),
        (raw({"jsonrpc": "2.0", "id": 3}), 3),
        (raw({**good, "id": None}), None),
        (raw({**good, "id": {"n": 1}}), None),
        (raw({**good, "id": True}), None),
        (INITIALIZE, 1),
    ]
    found = [refusal(answer) for answer in talk(*(data for data, _ in frames))]
    assert [(n, code) for n, code, _ in found] == [(n, INVALID_REQUEST) for _, n in frames]


def test_unknown_methods() -> None:
    """Their parameters do not matter; methods of the other side are unknown as well."""
    found = talk(
        message("textDocument/nonsense", 2, [1]),
        message("$/nonsense", 3),
        message("window/showMessage", 4, 7),
    )
    assert [refusal(a)[:2] for a in found] == [(2, NO_METHOD), (3, NO_METHOD), (4, NO_METHOD)]
    assert "textDocument/nonsense" in refusal(found[0])[2]


def test_what_is_no_json() -> None:
    deep = b"[" * 100_000
    found = talk(*map(frame, (b"{", b"\xff\xfe", b"nonsense", deep, b"{} {}")))
    assert [refusal(answer)[:2] for answer in found] == [(None, PARSE_ERROR)] * 5


def test_notifications_and_answers_are_never_answered() -> None:
    """Wrong ones change nothing; they are told in the log."""
    assert (
        talk(
            message("textDocument/didOpen", params={"textDocument": 7}),
            message("textDocument/didChange", params=[]),
            message("textDocument/nonsense", params={}),
            message("$/nonsense"),
            message("$/cancelRequest", params={}),
            message("$/cancelRequest", params={"id": 77}),
            raw({"jsonrpc": "2.0", "id": "of-none", "result": None}),
            raw({"jsonrpc": "2.0", "id": "of-none", "error": 7}),
        )
        == []
    )


def test_a_key_of_the_protocol_inside_of_parameters() -> None:
    """An inner object that looks like a message is none."""
    inner = {"jsonrpc": "2.0", "id": 5, "method": HOVER}
    (answer,) = talk(message(HOVER, 2, {"textDocument": {**FILE, **inner}, "position": AT}))
    assert answer == {"jsonrpc": "2.0", "id": 2, "result": None}


def test_before_the_start_and_after_the_end() -> None:
    """The protocol's order is kept, and whoever breaks it is told."""
    hover = message(HOVER, 2, {"textDocument": FILE, "position": AT})
    wrong = message("initialize", 3, {"capabilities": 7})
    result = run(hover + wrong + INITIALIZE + SHUTDOWN + hover + EXIT)
    assert result.returncode == 0
    early, bad, started, ended, late = answers(result.stdout)
    assert refusal(early)[:2] == (2, NOT_INITIALIZED)
    assert refusal(bad)[:2] == (3, INVALID_PARAMS)
    assert "result" in started and "result" in ended
    assert refusal(late)[:2] == (2, INVALID_REQUEST)
