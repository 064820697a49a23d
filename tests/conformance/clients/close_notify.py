"""Says what it is given on a TLS connection, ends its direction by close_notify alone, and prints what still comes.

Arguments: port, CA, certificate and key as files, ALPN protocol or nothing, bytes to say in hexadecimal digits.
"""

import json
import socket
import ssl
import sys

port, ca, cert, key, protocol, said = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(cert, key)
if protocol:
    context.set_alpn_protocols([protocol])
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
with socket.create_connection(("127.0.0.1", int(port)), timeout=30) as plain:

    def exchange(step):
        """Repeats a step of TLS until it is done; the socket itself is never ended."""
        while True:
            try:
                result = step()
                plain.sendall(outgoing.read())
                return result
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                received = plain.recv(65536)
                incoming.write(received) if received else incoming.write_eof()

    exchange(tls.do_handshake)
    exchange(lambda: tls.write(bytes.fromhex(said)))
    try:
        # The first of two halves: what it waits for is the other side's.
        tls.unwrap()
    except ssl.SSLWantReadError:
        pass
    plain.sendall(outgoing.read())
    heard, end = b"", ""
    while not end:
        try:
            piece = exchange(lambda: tls.read(65536))
            heard += piece
            end = "" if piece else "close_notify"
        except ssl.SSLZeroReturnError:
            end = "close_notify"
        except ssl.SSLEOFError:
            end = "end without close_notify"
        except ConnectionResetError:
            end = "reset"
print(json.dumps({"heard": heard.hex(), "end": end}))
