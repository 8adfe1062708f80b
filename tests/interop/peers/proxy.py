"""libzmq's own steerable proxy, with a REP socket to steer it: ROUTER and DEALER, or XSUB and XPUB.

Usage: proxy.py [news]. Prints `listening on ENDPOINT` for the frontend, the backend and the control socket, in this order; ends
when it is told to terminate.
"""

import os
import sys
import threading

import zmq

threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()

context = zmq.Context()
kinds = (zmq.XSUB, zmq.XPUB) if sys.argv[1:] == ["news"] else (zmq.ROUTER, zmq.DEALER)
sockets = [context.socket(kind) for kind in (*kinds, zmq.REP)]
for socket in sockets:
    # A mark would drop subscriptions.
    socket.sndhwm = socket.rcvhwm = 0
    socket.bind("tcp://127.0.0.1:*")
    print("listening on " + socket.last_endpoint.decode(), flush=True)
frontend, backend, control = sockets
zmq.proxy_steerable(frontend, backend, None, control)
# What was answered last goes out.
context.destroy(linger=1000)
