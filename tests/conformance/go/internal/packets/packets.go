// Package packets builds the packets of the proxy protocol and names the service that agents call.
package packets

import (
	"math"

	"google.golang.org/grpc"
	pb "sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"
)

// ConnectPath is the method that an agent calls.
const ConnectPath = "/AgentService/Connect"

// ConnectStream describes that method to grpc-go.
var ConnectStream = grpc.StreamDesc{StreamName: "Connect", ServerStreams: true, ClientStreams: true}

// Sender is a stream of either side.
type Sender interface{ SendMsg(message any) error }

// Receiver is a stream of either side.
type Receiver interface{ RecvMsg(message any) error }

// Receive reads the next packet.
func Receive(stream Receiver) (*pb.Packet, error) {
	packet := new(pb.Packet)
	if err := stream.RecvMsg(packet); err != nil {
		return nil, err
	}
	return packet, nil
}

// DialRequest asks an agent for a connection.
func DialRequest(address string, random int64) *pb.Packet {
	return &pb.Packet{Type: pb.PacketType_DIAL_REQ, Payload: &pb.Packet_DialRequest{
		DialRequest: &pb.DialRequest{Protocol: "tcp", Address: address, Random: random},
	}}
}

// DialResponse answers a dial.
func DialResponse(random, id int64, text string) *pb.Packet {
	return &pb.Packet{Type: pb.PacketType_DIAL_RSP, Payload: &pb.Packet_DialResponse{
		DialResponse: &pb.DialResponse{Random: random, ConnectID: id, Error: text},
	}}
}

// DialClose takes a dial back.
func DialClose(random int64) *pb.Packet {
	return &pb.Packet{Type: pb.PacketType_DIAL_CLS, Payload: &pb.Packet_CloseDial{
		CloseDial: &pb.CloseDial{Random: random},
	}}
}

// Data carries bytes of a connection.
func Data(id int64, payload []byte) *pb.Packet {
	return &pb.Packet{Type: pb.PacketType_DATA, Payload: &pb.Packet_Data{
		Data: &pb.Data{ConnectID: id, Data: payload},
	}}
}

// CloseRequest asks an agent to close a connection.
func CloseRequest(id int64) *pb.Packet {
	return &pb.Packet{Type: pb.PacketType_CLOSE_REQ, Payload: &pb.Packet_CloseRequest{
		CloseRequest: &pb.CloseRequest{ConnectID: id},
	}}
}

// CloseResponse tells that a connection is closed.
func CloseResponse(id int64, text string) *pb.Packet {
	return &pb.Packet{Type: pb.PacketType_CLOSE_RSP, Payload: &pb.Packet_CloseResponse{
		CloseResponse: &pb.CloseResponse{ConnectID: id, Error: text},
	}}
}

// Drain asks for no more dials.
func Drain() *pb.Packet {
	return &pb.Packet{Type: pb.PacketType_DRAIN, Payload: &pb.Packet_Drain{Drain: &pb.Drain{}}}
}

// Odd are packets that no honest peer sends and that must harm nobody: each type without its payload (the first of them
// is the empty message), payloads of another type, types and fields that do not exist, ids at the ends of their range.
func Odd() []*pb.Packet {
	odd := []*pb.Packet{}
	for kind := pb.PacketType_DIAL_REQ; kind <= pb.PacketType_DRAIN; kind++ {
		odd = append(odd, &pb.Packet{Type: kind})
		if kind != pb.PacketType_CLOSE_RSP {
			odd = append(odd, &pb.Packet{Type: kind, Payload: CloseResponse(math.MaxInt64, "wrong payload").Payload})
		}
		if kind != pb.PacketType_DATA {
			odd = append(odd, &pb.Packet{Type: kind, Payload: Data(math.MinInt64, []byte("wrong payload")).Payload})
		}
	}
	for _, kind := range []pb.PacketType{7, 77, 99, math.MaxInt32, -1, math.MinInt32} {
		odd = append(odd, &pb.Packet{Type: kind}, &pb.Packet{Type: kind, Payload: Data(1<<40, []byte("unknown type")).Payload})
	}
	unknownField := Data(math.MaxInt64-1, []byte("unknown field"))
	// Field 500, wire type 2, three bytes.
	unknownField.ProtoReflect().SetUnknown([]byte{0xa2, 0x1f, 0x03, 'x', 'y', 'z'})
	for _, id := range []int64{0, -1, math.MinInt64, math.MaxInt64, 1 << 53, 1<<53 + 1} {
		odd = append(odd, Data(id, []byte("nobody's")), Data(id, nil), CloseRequest(id), CloseResponse(id, "odd"))
		odd = append(odd, DialClose(id), DialResponse(id, 0, ""), DialResponse(id, 0, "odd"))
	}
	return append(odd, unknownField)
}
