"""libzmq's own steerable proxy: ROUTER and DEALER, with a REP socket to steer it.

Usage: proxy.py. Prints `listening on ENDPOINT` for the frontend, the backend and the control socket, in this order; ends
when it is told to terminate.
"""

import os
import sys
import threading

import zmq

threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()

context = zmq.Context()
sockets = [context.socket(kind) for kind in (zmq.ROUTER, zmq.DEALER, zmq.REP)]
for socket in sockets:
    socket.bind("tcp://127.0.0.1:*")
    print("listening on " + socket.last_endpoint.decode(), flush=True)
frontend, backend, control = sockets
zmq.proxy_steerable(frontend, backend, None, control)
# What was answered last goes out.
context.destroy(linger=1000)
