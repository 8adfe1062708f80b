"""A REP server that sends each request back.

Usage: rep.py ENDPOINT. Prints `listening on ENDPOINT`, resolved.
"""

import os
import sys
import threading

import zmq

threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()

socket = zmq.Context().socket(zmq.REP)
socket.bind(sys.argv[1])
print("listening on " + socket.last_endpoint.decode(), flush=True)
while True:
    socket.send_multipart(socket.recv_multipart())
