// Command fakeserver is a proxy-server that speaks only the original's packets, for testing an agent. It prints
// {"event":"listening","port":N}, then {"event":"connected",...} for each agent that connects and {"event":"ended"} when
// one leaves. Each line on standard input names a scenario to run with the connected agent; its result is one JSON line.
// It leaves when its standard input ends.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	files "konnectivity.test/conformance/internal/credentials"
	"konnectivity.test/conformance/internal/packets"
	"konnectivity.test/conformance/internal/scenario"
)

type event struct {
	Event    string      `json:"event"`
	Port     int         `json:"port,omitempty"`
	Metadata metadata.MD `json:"metadata,omitempty"`
}

// server holds the agent that connected last.
type server struct {
	lock  sync.Mutex
	agent *link
}

func main() {
	var pems files.Files
	flag.StringVar(&pems.CA, "ca", "", "authority of agents")
	flag.StringVar(&pems.Cert, "cert", "", "server certificate")
	flag.StringVar(&pems.Key, "key", "", "server key")
	flag.Parse()
	if flag.NArg() == 1 && flag.Arg(0) == "list" {
		os.Exit(scenario.Main((&server{}).scenarios(), flag.Args()))
	}
	if err := run(pems); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func run(pems files.Files) error {
	config, err := pems.Server()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &server{}
	service := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	connect := packets.ConnectStream
	connect.Handler = func(_ any, stream grpc.ServerStream) error { return s.connect(stream) }
	service.RegisterService(&grpc.ServiceDesc{
		ServiceName: "AgentService",
		HandlerType: (*any)(nil),
		Streams:     []grpc.StreamDesc{connect},
	}, s)
	go service.Serve(listener)
	scenario.Print(event{Event: "listening", Port: listener.Addr().(*net.TCPAddr).Port})

	all := map[string]scenario.Scenario{}
	for _, one := range s.scenarios() {
		all[one.Name] = one
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		name := strings.TrimSpace(lines.Text())
		one, ok := all[name]
		if !ok {
			one = scenario.Scenario{Name: name, Run: func(context.Context) (string, error) {
				return "", fmt.Errorf("no such scenario")
			}}
		}
		scenario.Print(scenario.Run(one))
	}
	service.Stop()
	return nil
}

func (s *server) connect(stream grpc.ServerStream) error {
	incoming, _ := metadata.FromIncomingContext(stream.Context())
	if err := stream.SendHeader(metadata.Pairs("serverID", "fakeserver", "serverCount", "1")); err != nil {
		return err
	}
	agent := newLink(stream)
	s.lock.Lock()
	s.agent = agent
	s.lock.Unlock()
	scenario.Print(event{Event: "connected", Metadata: incoming})
	agent.receive()
	scenario.Print(event{Event: "ended"})
	return nil
}

// connected waits for an agent.
func (s *server) connected(ctx context.Context) (*link, error) {
	for {
		s.lock.Lock()
		agent := s.agent
		s.lock.Unlock()
		if agent != nil {
			select {
			case <-agent.ended:
			default:
				return agent, nil
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("no agent connected")
		}
	}
}
