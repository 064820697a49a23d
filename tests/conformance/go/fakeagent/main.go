// Command fakeagent is an agent that speaks only the original's packets. It dials destinations really, and can behave
// badly on request. It prints JSON lines: {"event":"connected",...} once, then one for every control packet it gets, and
// {"event":"ended","detail":...} when its stream ends. It leaves when its standard input ends.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	pb "sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"

	files "konnectivity.test/conformance/internal/credentials"
	"konnectivity.test/conformance/internal/packets"
	"konnectivity.test/conformance/internal/scenario"
)

// What the agent can do wrong, or at least unlike the original.
const (
	oddPackets            = "odd-packets"              // sends packets.Odd after connecting and before each answer
	answersTwice          = "answers-twice"            // repeats DIAL_RSP and CLOSE_RSP
	reusesIDs             = "reuses-ids"               // gives every connection the same id
	dataBeforeAnswer      = "data-before-answer"       // sends DATA of a connection before its DIAL_RSP
	dataBehindAnswer      = "data-behind-answer"       // sends a banner right behind DIAL_RSP, in one write if it can
	neverAnswers          = "never-answers"            // leaves dials unanswered
	emptyData             = "empty-data"               // sends empty DATA between the real ones
	wideIDs               = "wide-ids"                 // connection ids at the ends of the 64-bit range
	closesRightBehindData = "closes-right-behind-data" // sends DIAL_RSP, a banner and CLOSE_RSP in one go
	drains                = "drains"                   // sends DRAIN after connecting
	disconnectsOnDial     = "disconnects-on-dial"      // ends its stream when it is asked to dial
)

var behaviours = []string{
	oddPackets, answersTwice, reusesIDs, dataBeforeAnswer, dataBehindAnswer, neverAnswers, emptyData, wideIDs,
	closesRightBehindData, drains, disconnectsOnDial,
}

// bannerText is what the agent sends on its own account.
const bannerText = "220 the agent made this up\r\n"

type event struct {
	Event       string `json:"event"`
	ServerID    string `json:"serverId,omitempty"`
	ServerCount string `json:"serverCount,omitempty"`
	Type        string `json:"type,omitempty"`
	Detail      string `json:"detail,omitempty"`
}

type agent struct {
	stream grpc.ClientStream
	leave  context.CancelFunc
	does   func(behaviour string) bool

	sending sync.Mutex
	lock    sync.Mutex
	lastID  int64
	conns   map[int64]net.Conn
}

func main() {
	var pems files.Files
	address := flag.String("address", "", "host:port of the proxy-server's agent listener")
	flag.StringVar(&pems.CA, "ca", "", "authority of the proxy-server")
	flag.StringVar(&pems.Cert, "cert", "", "agent certificate")
	flag.StringVar(&pems.Key, "key", "", "agent key")
	id := flag.String("id", "fakeagent", "agent id")
	identifiers := flag.String("identifiers", "", "agent identifiers")
	behaviour := flag.String("behaviour", "", "comma list of: "+strings.Join(behaviours, " "))
	flag.Parse()

	wanted := strings.FieldsFunc(*behaviour, func(r rune) bool { return r == ',' })
	for _, name := range wanted {
		if !slices.Contains(behaviours, name) {
			fmt.Fprintf(os.Stderr, "unknown behaviour %q\n", name)
			os.Exit(2)
		}
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := run(*address, pems, *id, *identifiers, wanted); err != nil {
		scenario.Print(event{Event: "ended", Detail: err.Error()})
		os.Exit(1)
	}
	scenario.Print(event{Event: "ended"})
}

func run(address string, pems files.Files, id, identifiers string, wanted []string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	config, err := pems.Client(host)
	if err != nil {
		return err
	}
	channel, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		return err
	}
	defer channel.Close()
	ctx, leave := context.WithCancel(metadata.AppendToOutgoingContext(context.Background(),
		"agentID", id, "agentIdentifiers", identifiers))
	defer leave()
	stream, err := channel.NewStream(ctx, &packets.ConnectStream, packets.ConnectPath)
	if err != nil {
		return err
	}
	header, err := stream.Header()
	if err != nil {
		return err
	}
	if len(header.Get("serverid")) != 1 || len(header.Get("servercount")) != 1 {
		_, err := packets.Receive(stream)
		return fmt.Errorf("header %v, then %v", header, err)
	}
	a := &agent{
		stream: stream,
		leave:  leave,
		does:   func(name string) bool { return slices.Contains(wanted, name) },
		conns:  map[int64]net.Conn{},
	}
	if a.does(oddPackets) {
		a.send(packets.Odd()...)
	}
	if a.does(drains) {
		a.send(packets.Drain())
	}
	scenario.Print(event{
		Event: "connected", ServerID: header.Get("serverid")[0], ServerCount: header.Get("servercount")[0],
	})
	return a.serve()
}

func (a *agent) send(all ...*pb.Packet) {
	a.sending.Lock()
	defer a.sending.Unlock()
	for _, packet := range all {
		if err := a.stream.SendMsg(packet); err != nil {
			return
		}
	}
}

func (a *agent) serve() error {
	for {
		packet, err := packets.Receive(a.stream)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if packet.Type != pb.PacketType_DATA {
			scenario.Print(event{Event: "packet", Type: packet.Type.String()})
		}
		switch packet.Type {
		case pb.PacketType_DIAL_REQ:
			if a.does(disconnectsOnDial) {
				a.leave()
				continue
			}
			if !a.does(neverAnswers) {
				go a.dial(packet.GetDialRequest())
			}
		case pb.PacketType_DATA:
			if conn := a.conn(packet.GetData().ConnectID); conn != nil {
				conn.Write(packet.GetData().Data)
			}
		case pb.PacketType_CLOSE_REQ:
			if conn := a.conn(packet.GetCloseRequest().ConnectID); conn != nil {
				conn.Close()
			} else {
				a.send(packets.CloseResponse(packet.GetCloseRequest().ConnectID, "Unknown connectID"))
			}
		}
	}
}

func (a *agent) conn(id int64) net.Conn {
	a.lock.Lock()
	defer a.lock.Unlock()
	return a.conns[id]
}

func (a *agent) nextID() int64 {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.lastID++
	switch {
	case a.does(reusesIDs):
		return 1
	case a.does(wideIDs) && a.lastID%2 == 0:
		return math.MinInt64 + a.lastID
	case a.does(wideIDs):
		return math.MaxInt64 - a.lastID
	default:
		return a.lastID
	}
}

func (a *agent) dial(request *pb.DialRequest) {
	conn, err := net.DialTimeout(request.Protocol, request.Address, 5*time.Second)
	if a.does(oddPackets) {
		a.send(packets.Odd()...)
	}
	if err != nil {
		a.send(packets.DialResponse(request.Random, 0, err.Error()))
		return
	}
	id := a.nextID()
	if a.conn(id) != nil {
		// The id is taken: the new connection has none of its own.
		conn.Close()
		a.send(packets.DialResponse(request.Random, id, ""))
		return
	}
	a.lock.Lock()
	a.conns[id] = conn
	a.lock.Unlock()
	answer := []*pb.Packet{packets.DialResponse(request.Random, id, "")}
	if a.does(answersTwice) {
		answer = append(answer, packets.DialResponse(request.Random, id, ""), packets.DialResponse(request.Random, id, "again"))
	}
	if a.does(dataBeforeAnswer) {
		answer = append([]*pb.Packet{packets.Data(id, []byte(bannerText))}, answer...)
	}
	if a.does(dataBehindAnswer) {
		answer = append(answer, packets.Data(id, []byte(bannerText)))
	}
	if a.does(closesRightBehindData) {
		answer = append(answer, packets.Data(id, []byte(bannerText)), packets.CloseResponse(id, ""))
	}
	a.send(answer...)
	a.copy(id, conn)
}

// copy sends what the destination says, in packets of 4 KiB at most as the original's agent, then CLOSE_RSP.
func (a *agent) copy(id int64, conn net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := conn.Read(buffer)
		if n > 0 {
			if a.does(emptyData) {
				a.send(packets.Data(id, nil))
			}
			a.send(packets.Data(id, buffer[:n]))
			if a.does(emptyData) {
				a.send(packets.Data(id, []byte{}))
			}
		}
		if err != nil {
			break
		}
	}
	a.send(packets.CloseResponse(id, ""))
	if a.does(answersTwice) {
		a.send(packets.CloseResponse(id, "again"), packets.Data(id, []byte("late")))
	}
	a.lock.Lock()
	if a.conns[id] == conn {
		delete(a.conns, id)
	}
	a.lock.Unlock()
	conn.Close()
}
