// Command egress dials through a proxy-server with kube-apiserver's own dialler, configured by a file as kube-apiserver
// is, and prints one JSON line for each scenario. Usage: egress FLAGS [SCENARIO...]; "list" prints the names.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"k8s.io/apiserver/pkg/server/egressselector"

	"konnectivity.test/conformance/internal/blackhole"
	"konnectivity.test/conformance/internal/scenario"
	"konnectivity.test/conformance/internal/traffic"
)

const mebibyte = 1024 * 1024

type destinations struct {
	http, echo, banner, source, sink, refused string
}

func main() {
	var at destinations
	config := flag.String("config", "", "EgressSelectorConfiguration file with a selection named cluster")
	refusal := flag.String("refusal", "connection refused", "text that a refused dial's error must contain")
	flag.StringVar(&at.http, "http", "", "destination that serves HTTP")
	flag.StringVar(&at.echo, "echo", "", "destination that echoes")
	flag.StringVar(&at.banner, "banner", "", "destination that speaks first")
	flag.StringVar(&at.source, "source", "", "destination that sends")
	flag.StringVar(&at.sink, "sink", "", "destination that receives")
	flag.StringVar(&at.refused, "refused", "", "destination that nothing listens at")
	flag.Parse()

	if flag.NArg() == 1 && flag.Arg(0) == "list" {
		os.Exit(scenario.Main(scenarios(nil, at, ""), flag.Args()))
	}
	dial, err := load(*config)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(scenario.Main(scenarios(dial, at, *refusal), flag.Args()))
}

// load makes the dialler for the cluster network the way kube-apiserver does at its start.
func load(path string) (traffic.Dial, error) {
	config, err := egressselector.ReadEgressSelectorConfiguration(path)
	if err != nil {
		return nil, err
	}
	if problems := egressselector.ValidateEgressSelectorConfiguration(config); len(problems) > 0 {
		return nil, problems.ToAggregate()
	}
	selector, err := egressselector.NewEgressSelector(config)
	if err != nil {
		return nil, err
	}
	dial, err := selector.Lookup(egressselector.Cluster.AsNetworkContext())
	if err != nil {
		return nil, err
	}
	if dial == nil {
		return nil, errors.New("no dialler for the cluster network")
	}
	return func(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, "tcp", address) }, nil
}

func scenarios(dial traffic.Dial, at destinations, refusal string) []scenario.Scenario {
	use := func(ctx context.Context, address string, work func(io.ReadWriter) error) error {
		conn, err := dial(ctx, address)
		if err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		defer conn.Close()
		return work(conn)
	}
	return []scenario.Scenario{
		{Name: "http-get", Run: func(ctx context.Context) (string, error) { return get(ctx, dial, at.http) }},
		{Name: "echo", Run: func(ctx context.Context) (string, error) {
			return "two messages", use(ctx, at.echo, func(conn io.ReadWriter) error {
				if err := traffic.Exchange(conn, "first"); err != nil {
					return err
				}
				return traffic.Exchange(conn, strings.Repeat("second", 5_000))
			})
		}},
		{Name: "upload", Run: func(ctx context.Context) (string, error) {
			return "10 MiB", use(ctx, at.sink, func(conn io.ReadWriter) error { return traffic.Upload(conn, 10*mebibyte) })
		}},
		{Name: "download", Run: func(ctx context.Context) (string, error) {
			return "10 MiB, then the end", use(ctx, at.source, func(conn io.ReadWriter) error {
				return traffic.Download(conn, 10*mebibyte)
			})
		}},
		{Name: "refused", Run: func(ctx context.Context) (string, error) {
			conn, err := dial(ctx, at.refused)
			if err == nil {
				conn.Close()
				return "", errors.New("the dial succeeded")
			}
			if !strings.Contains(err.Error(), refusal) {
				return "", fmt.Errorf("error %q lacks %q", err, refusal)
			}
			return err.Error(), nil
		}},
		{Name: "cancelled", Run: func(ctx context.Context) (string, error) { return cancelled(ctx, dial) }},
		{Name: "speaks-first", Run: func(ctx context.Context) (string, error) {
			return "20 dials", traffic.Parallel(20, func(int) error { return use(ctx, at.banner, traffic.Speaks) })
		}},
		{Name: "parallel", Run: func(ctx context.Context) (string, error) {
			return "50 connections", traffic.Parallel(50, func(number int) error {
				return use(ctx, at.echo, func(conn io.ReadWriter) error {
					return traffic.Exchange(conn, traffic.Distinct(number, 20_000))
				})
			})
		}},
	}
}

// get asks twice over one kept connection and once over a new one.
func get(ctx context.Context, dial traffic.Dial, address string) (string, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		return dial(ctx, address)
	}}
	client := &http.Client{Transport: transport}
	var last string
	for range 3 {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			return "", err
		}
		response, err := client.Do(request)
		if err != nil {
			return "", err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return "", fmt.Errorf("read body: %w", err)
		}
		if response.StatusCode != http.StatusOK || string(body) != "hello" {
			return "", fmt.Errorf("status %d, body %q", response.StatusCode, body)
		}
		if last != "" {
			transport.CloseIdleConnections()
		}
		last = string(body)
	}
	transport.CloseIdleConnections()
	return last, nil
}

// cancelled gives up a dial that hangs at the destination. Over HTTP CONNECT kube-apiserver's dialler does not listen
// to its context once it is connected, so there the agent's own time limit ends the dial: an error either way.
func cancelled(ctx context.Context, dial traffic.Dial) (string, error) {
	hole, err := blackhole.New()
	if err != nil {
		return "", err
	}
	defer hole.Close()
	request, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	conn, err := dial(request, hole.Address)
	if err == nil {
		conn.Close()
		return "", errors.New("dialling a black hole succeeded")
	}
	return err.Error(), nil
}
