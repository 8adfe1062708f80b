"""A PULL that tells of each message, until one says `end`.

Usage: pull.py bind|connect ENDPOINT. Prints `listening on ENDPOINT`, resolved; then a line of JSON per message: the text
of its first and of its last frame, and the sizes of all frames.
"""

import json
import os
import sys
import threading

import zmq

threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()

role, endpoint = sys.argv[1:]
socket = zmq.Context().socket(zmq.PULL)
getattr(socket, role)(endpoint)
print("listening on " + socket.last_endpoint.decode(), flush=True)
while True:
    frames = socket.recv_multipart()
    if frames == [b"end"]:
        break
    sizes = [len(frame) for frame in frames]
    print(json.dumps([frames[0].decode(), frames[-1].decode(), sizes]), flush=True)
