"""One socket that does what it is told: a JSON object per line on standard input, an answer per line on standard output.

Usage: peer.py TYPE. Frames are strings whose characters are the bytes of the same numbers.
"""

import json
import os
import struct
import sys
import threading

import zmq

DEADLINE_MS = 20_000
# After so long nothing more is expected.
QUIET_MS = 100


class Peer:
    """The socket, and what is beside it."""

    def __init__(self, kind):
        self.context = zmq.Context()
        self.socket = self.make(kind)
        self.onward = self.socket
        self.events = None
        self.last = None

    def make(self, kind):
        socket = self.context.socket(getattr(zmq, kind))
        socket.linger = 0
        socket.rcvtimeo = socket.sndtimeo = DEADLINE_MS
        return socket

    def set(self, argument):
        option, value = argument
        number = int(option) if option.isdigit() else getattr(zmq, option)
        self.socket.setsockopt(number, value.encode("latin-1") if isinstance(value, str) else value)

    def bind(self, endpoint):
        self.socket.bind(endpoint)
        return self.socket.last_endpoint.decode()

    def connect(self, endpoint):
        self.socket.connect(endpoint)

    def send(self, frames):
        self.socket.send_multipart([frame.encode("latin-1") for frame in frames])

    def recv(self, _):
        frames = self.socket.recv_multipart(copy=False)
        self.last = frames[-1]
        return [frame.bytes.decode("latin-1") for frame in frames]

    def count(self, messages):
        return all(self.socket.recv_string() == str(number) for number in range(messages))

    def collect(self, messages):
        """The first frames of so many messages."""
        return [self.socket.recv_multipart()[0].decode("latin-1") for _ in range(messages)]

    def bodies(self, messages):
        return [self.body() for _ in range(messages)]

    def rest(self, _):
        sizes = []
        while self.poll(QUIET_MS):
            sizes.append(self.body())
        return sizes

    def body(self):
        """The size of a body whose bytes tell their place."""
        body = self.socket.recv()
        assert body == (bytes(range(251)) * (len(body) // 251 + 1))[: len(body)]
        return len(body)

    def poll(self, timeout_ms):
        return self.socket.poll(timeout_ms, zmq.POLLIN)

    def property(self, name):
        try:
            return self.last.get(name)
        except zmq.ZMQError:
            return None

    def monitor(self, _):
        self.events = self.socket.get_monitor_socket()
        self.events.rcvtimeo = DEADLINE_MS

    def event(self, name):
        wanted = getattr(zmq, "EVENT_" + name)
        while True:
            event, value = struct.unpack("=HI", self.events.recv_multipart()[0])
            if event == wanted:
                return value

    def close(self, _):
        if self.events:
            self.socket.disable_monitor()
        self.socket.close()

    def forward(self, argument):
        role, endpoint = argument
        self.onward = self.make("PUSH")
        getattr(self.onward, role)(endpoint)
        resolved = self.onward.last_endpoint.decode()
        answer(resolved)
        self.pass_on()

    def echo(self, first):
        answer(None)
        if first is not None:
            self.send(first)
        self.pass_on()

    def pass_on(self):
        end_with_input()
        self.socket.rcvtimeo = -1
        while True:
            self.onward.send_multipart(self.socket.recv_multipart())

    def churn(self, argument):
        """So many sockets in turn that connect, have one message answered, and close."""
        endpoint, times = argument
        for number in range(times):
            with self.make("DEALER") as socket:
                socket.connect(endpoint)
                socket.send_string(str(number))
                if socket.recv_string() != str(number):
                    return False
        return True

    def send_body(self, size):
        """A body as `body` expects it, answered before it is sent."""
        answer(None)
        end_with_input()
        self.socket.sndtimeo = -1
        self.socket.send((bytes(range(251)) * (size // 251 + 1))[:size])

    def flood(self, argument):
        frame, count = argument
        answer(None)
        end_with_input()
        self.socket.sndtimeo = -1
        for _ in range(count):
            self.socket.send_string(frame)


def end_with_input():
    """Nothing more is read from standard input; when it ends, so does the process."""
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()


def answer(value):
    print(json.dumps(value), flush=True)


def main():
    peer = Peer(sys.argv[1])
    for line in sys.stdin:
        [(verb, argument)] = json.loads(line).items()
        value = getattr(peer, verb)(argument)
        if verb not in ("flood", "send_body"):
            answer(value)


main()
