"""The old programs, imitated from their descriptions alone: blocking, one
message a receive, faults included. One line a step on stdout, for the test
that runs them; files are read from and written to the current folder.

    peers.py session PORT STEP...    put:NAME  get:NAME  change:OLD:NEW  help  say:TEXT  wait:SECONDS  bye
    peers.py colon PORT get|put NAME [apart:DIGIT] [glued:DIGIT] [blanks] [stick] [bytes]
    peers.py drop PORT NAME [glued] [bytes]
    peers.py serve session|colon|counting|deaf|drop DIR      prints its port, then serves for ever
"""

import os
import socket
import sys
import time

MARKER = b" " * 1024
SENTENCE = b"File not found. Try again."


def say(*words):
    print(*words, flush=True)


def dial(port):
    peer = socket.create_connection(("127.0.0.1", int(port)))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.settimeout(15)
    return peer


def content(name):
    with open(name, "rb") as file:
        return file.read()


# session


def message(text):
    text = text.encode()
    return str(len(text)).encode().ljust(64) + text


def session(port, steps):
    server = dial(port)

    def ask(text):
        server.sendall(message(text))
        return server.recv(2048)

    for step in steps:
        word, _, rest = step.partition(":")
        if word == "put":
            say("reply", ask("p " + rest).decode())
            try:
                # Whatever the reply was, its data follows.
                server.sendall(content(rest))
                server.sendall(MARKER)
            except OSError:
                say("gone")
                return
        elif word == "get":
            reply = ask("g " + rest)
            if not reply:
                say("dropped")
                return
            say("reply", reply.decode())
            with open(rest, "wb") as file:
                while True:
                    chunk = server.recv(1024)
                    file.write(chunk)
                    # An empty one is none of its conditions in the original.
                    if not chunk.strip(b" "):
                        break
            say("answer", ask(" ").decode().strip(" "))
        elif word == "change":
            old, new = rest.split(":")
            say("reply", ask("c %s %s" % (old, new)).decode())
        elif word == "help":
            say("reply", repr(ask("help").decode()))
        elif word == "say":
            say("reply", ask(rest).decode())
        elif word == "wait":
            time.sleep(float(rest))
        elif word == "bye":
            server.sendall(message("!DISCONNECT"))
            say("closed" if server.recv(1) == b"" else "open")


def exactly(peer, count, pending):
    while len(pending) < count:
        more = peer.recv(count - len(pending))
        if not more:
            return None
        pending += more
    got = bytes(pending[:count])
    del pending[:count]
    return got


def until_marker(peer, pending):
    """Up to the first 1,024 spaces in a row; what is behind them are commands."""
    searched = 0
    while True:
        at = pending.find(MARKER, searched)
        if at >= 0:
            end = at + len(MARKER)
            while pending[end : end + 1] == b" ":
                end += 1
            data = bytes(pending[: end - len(MARKER)])
            del pending[:end]
            return data
        searched = max(0, len(pending) - len(MARKER))
        more = peer.recv(4096)
        if not more:
            return None
        pending += more


HELP = (
    b"Possible Commands:\n put filename\n get filename\n"
    b" change oldfilename newfilename \n help\n bye"
)


def session_serve(peer):
    pending = bytearray()
    while True:
        head = exactly(peer, 64, pending)
        if head is None:
            return
        text = exactly(peer, int(head), pending)
        if text is None:
            return
        pieces = text.decode().split(" ")
        if text == b"!DISCONNECT":
            return
        if text == b"help":
            peer.sendall(HELP)
        elif pieces[0] == "p":
            peer.sendall(b"[File was put]")
            data = until_marker(peer, pending)
            if data is None:
                return
            with open(pieces[1], "wb") as file:
                file.write(data)
        elif pieces[0] == "g":
            # A missing file ends the connection without a word.
            data = content(pieces[1])
            peer.sendall(b"[Get File]")
            peer.sendall(data)
            peer.sendall(MARKER)
        elif pieces[0] == "c":
            if os.path.exists(pieces[1]):
                os.rename(pieces[1], pieces[2])
                peer.sendall(b"[Name was successfully changed]")
            else:
                peer.sendall(b"[Could not change file name because file was not found]")
        # Anything else, a single space too, is answered with nothing.


# colon


def colon(port, choice, name, more):
    server = dial(port)
    header = "%s:%s" % (name, choice.upper())
    glued = False
    behind = b""
    for word in more:
        kind, _, digit = word.partition(":")
        if kind == "apart":
            server.sendall(digit.encode())
            time.sleep(0.3)
        elif kind == "glued":
            header = digit + header
        elif kind == "blanks":
            header = "%s : %s" % (name, choice.capitalize())
        elif kind == "stick":
            behind = content(name)
            glued = True
        elif kind == "bytes":
            for byte in header[:-1].encode():
                server.sendall(bytes([byte]))
                time.sleep(0.002)
            header = header[-1]
    tries = 0
    while True:
        server.sendall(header.encode() + behind)
        reply = server.recv(1024)
        tries += 1
        if not reply:
            say("dropped after", tries - 1)
            return
        if reply == b"Done":
            break
        say("reply", reply.decode())
    say("reply Done")
    if choice == "put":
        if not glued:
            server.sendall(content(name) if os.path.exists(name) else SENTENCE)
        server.close()
        return
    data = b""
    while True:
        chunk = server.recv(1024)
        if not chunk:
            break
        data += chunk
    if data == SENTENCE:
        say("not found")
        return
    with open(name, "wb") as file:
        file.write(data)


def counting_serve(peer):
    # A newer one: the first receive is how many clients will come.
    count = peer.recv(1024).decode()
    if len(count) == 1 and count.isdigit():
        colon_serve(peer)


def deaf_serve(peer):
    # It understands at the third time only.
    colon_serve(peer, 2)


def colon_serve(peer, deaf=0):
    while True:
        header = peer.recv(1024).decode()
        if not header:
            return
        name, colon_, choice = header.partition(":")
        if colon_ and choice.upper() in ("GET", "PUT") and not deaf:
            break
        deaf = max(0, deaf - 1)
        peer.sendall(b"Error")
    peer.sendall(b"Done")
    if choice.upper() == "GET":
        # Its client reads "Done" with one receive of its own.
        time.sleep(0.05)
        peer.sendall(content(name) if os.path.exists(name) else SENTENCE)
        return
    data = b""
    while True:
        chunk = peer.recv(1024)
        if not chunk:
            break
        data += chunk
    if data != SENTENCE:
        with open(name, "wb") as file:
            file.write(data)


# drop


def drop(port, name, more):
    server = dial(port)
    data = content(name)
    header = ("%s %d" % (name, len(data))).encode()
    if "glued" in more:
        server.sendall(header + data)
    elif "bytes" in more:
        # Without its SP the first receive would be an older client's whole header.
        name, digits = header.split(b" ")
        server.sendall(name + b" ")
        for byte in digits:
            time.sleep(0.002)
            server.sendall(bytes([byte]))
        server.sendall(data)
    else:
        server.sendall(header)
        time.sleep(0.05)
        server.sendall(data)
    server.shutdown(socket.SHUT_WR)
    say("heard", len(server.recv(1024)))


def drop_serve(peer):
    # Whatever comes with the header is lost.
    name, size = peer.recv(4096).decode(errors="replace").split(" ")
    size = int("".join(digit for digit in size if digit.isdigit()))
    data = b""
    while True:
        chunk = peer.recv(4096)
        if not chunk:
            break
        data += chunk
    with open(name, "wb") as file:
        file.write(data)
    if len(data) != size:
        # The original says nothing of it either, to the client.
        return


def serve(dialect, folder):
    os.chdir(folder)
    listener = socket.create_server(("127.0.0.1", 0))
    say(listener.getsockname()[1])
    one = {
        "session": session_serve,
        "colon": colon_serve,
        "counting": counting_serve,
        "deaf": deaf_serve,
        "drop": drop_serve,
    }[dialect]
    while True:
        peer, _ = listener.accept()
        try:
            one(peer)
        except (OSError, ValueError, IndexError):
            pass
        peer.close()


def main():
    word, *rest = sys.argv[1:]
    if word == "session":
        session(rest[0], rest[1:])
    elif word == "colon":
        colon(rest[0], rest[1], rest[2], rest[3:])
    elif word == "drop":
        drop(rest[0], rest[1], rest[2:])
    else:
        serve(*rest)


main()
