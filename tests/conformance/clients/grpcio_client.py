"""A client of ProxyService on gRPC's C core (Debian's python3-grpcio, python3-protobuf); see foreign_client.ts.

Prints what it saw of each scenario as JSON.
"""

import json
import queue
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

CHUNK_BYTES = 48 * 1024
TIMEOUT_SECONDS = 60


def pattern(size):
    return bytes((at ^ (at >> 8) ^ (at >> 16)) & 0xFF for at in range(size))


def messages_of(path):
    pool = descriptor_pool.DescriptorPool()
    descriptors = descriptor_pb2.FileDescriptorSet()
    with open(path, "rb") as file:
        descriptors.ParseFromString(file.read())
    for each in descriptors.file:
        pool.Add(each)
    factory = message_factory.MessageFactory(pool)
    return lambda name: factory.GetPrototype(pool.FindMessageTypeByName(name))


class Tunnel:
    """One call of Proxy: packets are sent from a queue, which the call's own thread empties."""

    def __init__(self, channel, packet, metadata):
        self.packet = packet
        self.sending = queue.Queue()
        call = channel.stream_stream(
            "/ProxyService/Proxy",
            request_serializer=lambda each: each if isinstance(each, bytes) else each.SerializeToString(),
            response_deserializer=packet.FromString,
        )
        self.call = call(iter(self.sending.get, None), metadata=metadata, timeout=TIMEOUT_SECONDS)

    def send(self, **fields):
        self.sending.put(self.packet(**fields))

    def end(self):
        self.sending.put(None)

    def next(self):
        return next(self.call)

    def dial(self, address):
        self.send(type=0, dialRequest={"protocol": "tcp", "address": address, "random": 7})
        answer = self.next()
        assert answer.type == 1 and answer.dialResponse.random == 7, answer
        return answer.dialResponse

    def data(self, connection, data):
        self.send(type=4, data={"connectID": connection, "data": data})

    def take(self, size):
        taken = b""
        while len(taken) < size:
            packet = self.next()
            assert packet.type == 4, packet
            taken += packet.data.data
        return taken

    def status(self):
        """How the call ended, once nothing more comes."""
        packets = 0
        try:
            while True:
                self.next()
                packets += 1
        except StopIteration:
            return {"status": 0, "message": "", "packets": packets}
        except grpc.RpcError as error:
            return {"status": error.code().value[0], "message": error.details(), "packets": packets}


def exchange(tunnel, connection, text):
    tunnel.data(connection, text.encode())
    return tunnel.take(len(text)).decode()


def transfer(tunnel, asked):
    connection = tunnel.dial(asked["destination"]).connectID
    sent = pattern(asked["bytes"])
    for at in range(0, len(sent), CHUNK_BYTES):
        tunnel.data(connection, sent[at : at + CHUNK_BYTES])
    tunnel.send(type=100, closeWrite={"connectID": connection})
    received = tunnel.take(len(sent))
    wrong = next((at for at in range(len(sent)) if sent[at] != received[at]), -1)
    last = tunnel.next()
    tunnel.end()
    closed = last.closeResponse.error if last.type == 3 else f"packet of type {last.type}"
    return {"received": len(received), "wrongAt": wrong, "closed": closed, **tunnel.status()}


def close(tunnel, asked):
    connection = tunnel.dial(asked["destination"]).connectID
    answer = exchange(tunnel, connection, "hello")
    tunnel.send(type=2, closeRequest={"connectID": connection})
    last = tunnel.next()
    tunnel.end()
    closed = last.closeResponse.error if last.type == 3 else f"packet of type {last.type}"
    return {"answer": answer, "closed": closed, **tunnel.status()}


def refused(tunnel, asked):
    error = tunnel.dial(asked["destination"]).error
    tunnel.end()
    return {"error": error, **tunnel.status()}


def cancel(tunnel, asked):
    answer = exchange(tunnel, tunnel.dial(asked["destination"]).connectID, "hello")
    tunnel.call.cancel()
    return {"answer": answer, **tunnel.status()}


def garbage(tunnel, asked):
    tunnel.sending.put(bytes.fromhex(asked["bytes"]))
    return tunnel.status()


def unary(channel, asked):
    call = channel.unary_unary(
        asked["path"],
        request_serializer=lambda request: request,
        response_deserializer=lambda response: response,
    )
    try:
        answer = call(bytes(asked.get("requestBytes", 0)), timeout=TIMEOUT_SECONDS)
        return {"status": 0, "message": "", "answer": answer.hex()}
    except grpc.RpcError as error:
        return {"status": error.code().value[0], "message": error.details()}


SCENARIOS = {"transfer": transfer, "close": close, "refused": refused, "cancel": cancel, "garbage": garbage}


def play(place, asked):
    if "ca" in place:
        read = lambda name: open(place[name], "rb").read() if name in place else None
        credentials = grpc.ssl_channel_credentials(read("ca"), read("key"), read("cert"))
        channel = grpc.secure_channel(place["target"], credentials)
    else:
        channel = grpc.insecure_channel(place["target"])
    with channel:
        if asked["scenario"] == "unary":
            return unary(channel, asked)
        packet = messages_of(place["descriptors"])("Packet")
        metadata = (("konnectivity-features", asked["features"]),) if "features" in asked else ()
        tunnel = Tunnel(channel, packet, metadata)
        try:
            return SCENARIOS[asked["scenario"]](tunnel, asked)
        except grpc.RpcError as error:
            return {"status": error.code().value[0], "message": error.details()}
        finally:
            tunnel.end()


place, scenarios = json.loads(sys.argv[1])
print(json.dumps([play(place, asked) for asked in scenarios]))
