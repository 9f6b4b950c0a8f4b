"""A real server for UDP: says who asked and who answers. A program: RUN_DIRECTORY ADDRESS PORT...

The run directory is there for `ps`, to tell whose it is.
It uses the standard library alone, so that it starts fast and runs without tvsc's environment.
"""

import json
import selectors
import socket
import sys


def serve(address: str, ports: list[int]) -> None:
    """Answers every datagram with JSON; its first 64 bytes come back as `request`."""
    selector = selectors.DefaultSelector()
    for port in ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind((address, port))
        selector.register(listener, selectors.EVENT_READ, (listener, f"{address}:{port}"))
    while True:
        for key, _ in selector.select():
            listener, name = key.data
            data, (peer, port) = listener.recvfrom(2048)
            request = data[:64].decode(errors="replace")
            answer = {"server": name, "address": peer, "port": port, "request": request}
            listener.sendto(json.dumps(answer).encode() + b"\n", (peer, port))


if __name__ == "__main__":
    serve(sys.argv[2], [int(port) for port in sys.argv[3:]])
