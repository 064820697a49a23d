// Command client drives the real Go client library of the network proxy against a proxy-server and prints one JSON
// line for each scenario. Usage: client FLAGS [SCENARIO...]; the scenario "list" prints the names.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	konnectivity "sigs.k8s.io/apiserver-network-proxy/konnectivity-client/pkg/client"

	"konnectivity.test/conformance/internal/blackhole"
	files "konnectivity.test/conformance/internal/credentials"
	"konnectivity.test/conformance/internal/scenario"
	"konnectivity.test/conformance/internal/traffic"
)

const mebibyte = 1024 * 1024

// proxy is where the proxy-server is and how to reach it.
type proxy struct {
	target  string
	options []grpc.DialOption
}

// destinations are host:port as the agent sees them.
type destinations struct {
	echo, banner, source, sink, collect, refused string
}

func main() {
	var at destinations
	var pems files.Files
	uds := flag.String("uds", "", "Unix socket of the proxy-server")
	address := flag.String("address", "", "host:port of the proxy-server, for mutual TLS")
	flag.StringVar(&pems.CA, "ca", "", "authority of the proxy-server")
	flag.StringVar(&pems.Cert, "cert", "", "client certificate")
	flag.StringVar(&pems.Key, "key", "", "client key")
	flag.StringVar(&at.echo, "echo", "", "destination that echoes")
	flag.StringVar(&at.banner, "banner", "", "destination that speaks first")
	flag.StringVar(&at.source, "source", "", "destination that sends")
	flag.StringVar(&at.sink, "sink", "", "destination that receives")
	flag.StringVar(&at.collect, "collect", "", "destination that receives and never answers")
	flag.StringVar(&at.refused, "refused", "", "destination that nothing listens at")
	flag.Parse()

	p, err := newProxy(*uds, *address, pems)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(scenario.Main(scenarios(p, at), flag.Args()))
}

func newProxy(uds, address string, pems files.Files) (*proxy, error) {
	if address == "" {
		// As kube-apiserver dials: the path is the target, so grpc-go percent-encodes it into :authority.
		return &proxy{uds, []grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, path string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", path)
			}),
		}}, nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	config, err := pems.Client(host)
	if err != nil {
		return nil, err
	}
	return &proxy{address, []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(config))}}, nil
}

// open makes a tunnel for one dial. It lives until its connection is closed or life ends.
func (p *proxy) open(ctx, life context.Context) (konnectivity.Tunnel, error) {
	tunnel, err := konnectivity.CreateSingleUseGrpcTunnelWithContext(ctx, life, p.target, p.options...)
	if err != nil {
		return nil, fmt.Errorf("create tunnel: %w", err)
	}
	return tunnel, nil
}

// dial opens a tunnel and a connection through it.
func (p *proxy) dial(ctx context.Context, address string) (net.Conn, error) {
	tunnel, err := p.open(ctx, context.Background())
	if err != nil {
		return nil, err
	}
	conn, err := tunnel.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return conn, nil
}

// closeAttempts is how often use begins anew when the client says at a close that its tunnel is closed. Its receiving
// goroutine ends as soon as it has handed CLOSE_RSP over, and Close chooses at random when it sees the answer and that end
// at once. A server that sends no CLOSE_RSP fails every time.
const closeAttempts = 6

// use dials, works on the connection and closes it; each of the three must succeed.
func (p *proxy) use(ctx context.Context, address string, work func(io.ReadWriter) error) error {
	for attempt := 1; ; attempt++ {
		conn, err := p.dial(ctx, address)
		if err != nil {
			return err
		}
		if err := work(conn); err != nil {
			conn.Close()
			return err
		}
		err = conn.Close()
		if err == nil {
			return nil
		}
		if err.Error() != "tunnel closed" || attempt == closeAttempts {
			return fmt.Errorf("close: %w", err)
		}
	}
}

func scenarios(p *proxy, at destinations) []scenario.Scenario {
	return []scenario.Scenario{
		{Name: "echo", Run: func(ctx context.Context) (string, error) {
			return "three messages, clean close", p.use(ctx, at.echo, func(conn io.ReadWriter) error {
				for _, text := range []string{"first", strings.Repeat("second", 1000), "third"} {
					if err := traffic.Exchange(conn, text); err != nil {
						return err
					}
				}
				return nil
			})
		}},
		{Name: "conversation", Run: func(ctx context.Context) (string, error) {
			// grpc-go answers each small DATA frame with a PING and a WINDOW_UPDATE, as many as there are round trips.
			return "15,000 round trips", p.use(ctx, at.echo, func(conn io.ReadWriter) error {
				for range 15_000 {
					if err := traffic.Exchange(conn, "ping"); err != nil {
						return err
					}
				}
				return nil
			})
		}},
		{Name: "upload", Run: func(ctx context.Context) (string, error) {
			return "10 MiB", p.use(ctx, at.sink, func(conn io.ReadWriter) error { return traffic.Upload(conn, 10*mebibyte) })
		}},
		{Name: "download", Run: func(ctx context.Context) (string, error) { return p.download(ctx, at) }},
		{Name: "parallel", Run: func(ctx context.Context) (string, error) {
			return "50 tunnels", traffic.Parallel(50, func(number int) error {
				return p.use(ctx, at.echo, func(conn io.ReadWriter) error {
					return traffic.Exchange(conn, traffic.Distinct(number, 20_000))
				})
			})
		}},
		{Name: "refused", Run: func(ctx context.Context) (string, error) {
			return p.failsToDial(ctx, at.refused, "connection refused")
		}},
		{Name: "no-port", Run: func(ctx context.Context) (string, error) {
			return p.failsToDial(ctx, "127.0.0.1", "missing port in address")
		}},
		{Name: "cancelled", Run: p.cancelled},
		{Name: "cancelled-parallel", Run: func(ctx context.Context) (string, error) { return p.cancelledInUse(ctx, at) }},
		{Name: "tunnel-cancelled", Run: func(ctx context.Context) (string, error) { return p.tunnelCancelled(ctx, at) }},
		{Name: "speaks-first", Run: func(ctx context.Context) (string, error) {
			return "20 dials", traffic.Parallel(20, func(int) error { return p.use(ctx, at.banner, traffic.Speaks) })
		}},
		{Name: "close", Run: func(ctx context.Context) (string, error) {
			// Close waits for CLOSE_RSP; without one it fails with "close timeout".
			return "20 closes", traffic.Parallel(20, func(int) error {
				return p.use(ctx, at.echo, func(io.ReadWriter) error { return nil })
			})
		}},
		{Name: "close-after-upload", Run: func(ctx context.Context) (string, error) {
			return "4 MiB, then close", p.use(ctx, at.collect, func(conn io.ReadWriter) error {
				return traffic.Send(conn, 4*mebibyte)
			})
		}},
		{Name: "reusable", Run: func(ctx context.Context) (string, error) { return p.reusable(ctx, at) }},
	}
}

// download is not p.use: once the destination has closed, Close may say either nil or "tunnel closed".
func (p *proxy) download(ctx context.Context, at destinations) (string, error) {
	conn, err := p.dial(ctx, at.source)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return "10 MiB, then the end", traffic.Download(conn, 10*mebibyte)
}

func (p *proxy) failsToDial(ctx context.Context, address, text string) (string, error) {
	tunnel, err := p.open(ctx, context.Background())
	if err != nil {
		return "", err
	}
	conn, err := tunnel.DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
		return "", fmt.Errorf("dialling %s succeeded", address)
	}
	if !strings.Contains(err.Error(), text) {
		return "", fmt.Errorf("error %q lacks %q", err, text)
	}
	if isDial, reason := konnectivity.GetDialFailureReason(err); !isDial || reason != "endpoint" {
		return "", fmt.Errorf("reason of %q is %q", err, reason)
	}
	return err.Error(), ended(ctx, tunnel)
}

// ended waits until a tunnel serves nothing any more.
func ended(ctx context.Context, tunnel konnectivity.Tunnel) error {
	select {
	case <-tunnel.Done():
		return nil
	case <-ctx.Done():
		return errors.New("the tunnel does not end")
	}
}

// cancelled gives up a dial that hangs at the destination.
func (p *proxy) cancelled(ctx context.Context) (string, error) {
	hole, err := blackhole.New()
	if err != nil {
		return "", err
	}
	defer hole.Close()
	tunnel, err := p.open(ctx, context.Background())
	if err != nil {
		return "", err
	}
	request, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	conn, err := tunnel.DialContext(request, "tcp", hole.Address)
	if err == nil {
		conn.Close()
		return "", errors.New("dialling a black hole succeeded")
	}
	if isDial, reason := konnectivity.GetDialFailureReason(err); !isDial || reason != "context" {
		return "", fmt.Errorf("reason of %q is %q", err, reason)
	}
	return err.Error(), ended(ctx, tunnel)
}

// cancelledInUse ends 50 tunnels whose connections carry traffic.
func (p *proxy) cancelledInUse(ctx context.Context, at destinations) (string, error) {
	return "50 tunnels", traffic.Parallel(50, func(number int) error {
		life, cancel := context.WithCancel(context.Background())
		defer cancel()
		tunnel, err := p.open(ctx, life)
		if err != nil {
			return err
		}
		conn, err := tunnel.DialContext(ctx, "tcp", at.echo)
		if err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		if err := traffic.Exchange(conn, traffic.Distinct(number, 1_000)); err != nil {
			return err
		}
		cancel()
		return ended(ctx, tunnel)
	})
}

// tunnelCancelled ends a tunnel below a reader.
func (p *proxy) tunnelCancelled(ctx context.Context, at destinations) (string, error) {
	life, cancel := context.WithCancel(context.Background())
	defer cancel()
	tunnel, err := p.open(ctx, life)
	if err != nil {
		return "", err
	}
	conn, err := tunnel.DialContext(ctx, "tcp", at.echo)
	if err != nil {
		return "", fmt.Errorf("dial: %w", err)
	}
	if err := traffic.Exchange(conn, "hello"); err != nil {
		return "", err
	}
	cancel()
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		return "", fmt.Errorf("read after the end: %v", err)
	}
	return "the reader saw the end", ended(ctx, tunnel)
}

// reusable makes many dials over one tunnel: in turn, at once, and around failing ones.
func (p *proxy) reusable(ctx context.Context, at destinations) (string, error) {
	tunnel, err := konnectivity.CreateGRPCTunnel(ctx, p.target, p.options...)
	if err != nil {
		return "", fmt.Errorf("create tunnel: %w", err)
	}
	echo := func(number int) error {
		conn, err := tunnel.DialContext(ctx, "tcp", at.echo)
		if err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		if err := traffic.Exchange(conn, traffic.Distinct(number, 5_000)); err != nil {
			conn.Close()
			return err
		}
		return conn.Close()
	}
	for number := range 8 {
		if err := echo(number); err != nil {
			return "", fmt.Errorf("dial %d: %w", number, err)
		}
	}
	if _, err := tunnel.DialContext(ctx, "tcp", at.refused); err == nil ||
		!strings.Contains(err.Error(), "connection refused") {
		return "", fmt.Errorf("refused dial: %v", err)
	}
	if err := traffic.Parallel(32, echo); err != nil {
		return "", err
	}
	if err := tunnel.Close(); err != nil {
		return "", fmt.Errorf("close: %w", err)
	}
	return "8 dials in turn, a refused one, 32 at once", ended(ctx, tunnel)
}
