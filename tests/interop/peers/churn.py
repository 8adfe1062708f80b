"""Many subscribers that come, change their minds, and stay or go, as they are told in JSON, a line each.

Usage: churn.py ENDPOINT. `{"come": [N, SEED]}`: N of them come and subscribe to topics of one byte below 50; two of three
stay. Answered with how many those are, and how many of them want each topic. `{"hear": END}`: each of them receives what
it wants, once and in order, up to the topic END, which all get; answered with whether that was so. `{"go": null}`: they
leave.
"""

import json
import random
import sys

import zmq

DEADLINE_MS = 20_000
TOPICS = 50

context = zmq.Context()
context.set(zmq.MAX_SOCKETS, 8192)
endpoint = sys.argv[1]
staying = []


def come(argument):
    count, seed = argument
    chance = random.Random(seed)
    for _ in range(count):
        socket = context.socket(zmq.SUB)
        socket.linger = 0
        socket.rcvtimeo = DEADLINE_MS
        socket.connect(endpoint)
        wanted = {}
        for _ in range(chance.randrange(1, 20)):
            topic = chance.randrange(TOPICS)
            if chance.random() < 0.5:
                socket.subscribe(bytes([topic]))
                wanted[topic] = wanted.get(topic, 0) + 1
            elif wanted.get(topic):
                socket.unsubscribe(bytes([topic]))
                wanted[topic] -= 1
        if chance.randrange(3):
            # All of them hear the end.
            socket.subscribe(b"\xff")
            staying.append((socket, sorted(topic for topic, times in wanted.items() if times)))
        else:
            socket.close()
    totals = [0] * TOPICS
    for _, topics in staying:
        for topic in topics:
            totals[topic] += 1
    return [len(staying), totals]


def hear(end):
    for socket, topics in staying:
        for topic in [*topics, end]:
            if socket.recv() != bytes([topic]):
                return False
    return True


def go(_):
    for socket, _ in staying:
        socket.close()
    staying.clear()


for line in sys.stdin:
    [(verb, argument)] = json.loads(line).items()
    print(json.dumps({"come": come, "hear": hear, "go": go}[verb](argument)), flush=True)
