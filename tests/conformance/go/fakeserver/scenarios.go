package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	pb "sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"

	"konnectivity.test/conformance/internal/blackhole"
	"konnectivity.test/conformance/internal/packets"
	"konnectivity.test/conformance/internal/scenario"
	"konnectivity.test/conformance/internal/traffic"
)

const mebibyte = 1024 * 1024

// work is a scenario with an agent at hand.
type work func(ctx context.Context, agent *link) (detail string, err error)

func (s *server) scenarios() []scenario.Scenario {
	all := []struct {
		name string
		run  work
	}{
		{"echo", runEcho},
		{"speaks-first", runSpeaksFirst},
		{"download", runDownload},
		{"upload", runUpload},
		{"parallel", runParallel},
		{"refused", runRefused},
		{"close-with-queued-bytes", runCloseWithQueuedBytes},
		{"dial-cancelled", runDialCancelled},
		{"dial-cancelled-at-once", runDialCancelledAtOnce},
		{"unknown-ids", runUnknownIDs},
		{"odd-packets", runOddPackets},
		{"drain", runDrain},
	}
	scenarios := []scenario.Scenario{}
	for _, one := range all {
		scenarios = append(scenarios, scenario.Scenario{Name: one.name, Run: func(ctx context.Context) (string, error) {
			agent, err := s.connected(ctx)
			if err != nil {
				return "", err
			}
			detail, err := one.run(ctx, agent)
			if err != nil {
				return "", err
			}
			if faults := agent.takeFaults(); len(faults) > 0 {
				return "", errors.New(strings.Join(faults, "; "))
			}
			select {
			case <-agent.ended:
				if !agent.draining() {
					return "", errors.New("the agent's stream ended")
				}
			default:
			}
			return detail, nil
		}})
	}
	return scenarios
}

// with dials a destination that serve serves, works on the tunnel, and waits until the agent has left the destination.
func with(ctx context.Context, agent *link, serve func(net.Conn), work func(*tunnel) error) error {
	d, err := listen(serve)
	if err != nil {
		return err
	}
	defer d.close()
	t, err := agent.dial(ctx, d.address)
	if err != nil {
		return err
	}
	if err := work(t); err != nil {
		return err
	}
	return d.empty(ctx)
}

func exchange(ctx context.Context, agent *link, text string) error {
	return with(ctx, agent, echo, func(t *tunnel) error {
		if err := traffic.Exchange(t, text); err != nil {
			return err
		}
		return t.Close(ctx)
	})
}

func runEcho(ctx context.Context, agent *link) (string, error) {
	return "one exchange, CLOSE_REQ answered", exchange(ctx, agent, "hello")
}

func runSpeaksFirst(ctx context.Context, agent *link) (string, error) {
	speak := func(conn net.Conn) {
		io.WriteString(conn, traffic.Banner)
		echo(conn)
	}
	// A fault is recorded when DATA comes before its DIAL_RSP.
	return "20 dials", traffic.Parallel(20, func(int) error {
		return with(ctx, agent, speak, func(t *tunnel) error {
			if err := traffic.Speaks(t); err != nil {
				return err
			}
			return t.Close(ctx)
		})
	})
}

func runDownload(ctx context.Context, agent *link) (string, error) {
	const size = 5 * mebibyte
	serve := func(conn net.Conn) {
		bufio.NewReader(conn).ReadString('\n')
		content := make([]byte, size)
		traffic.Fill(content, 0)
		conn.Write(content)
	}
	return "5 MiB, then CLOSE_RSP", with(ctx, agent, serve, func(t *tunnel) error {
		if err := traffic.Download(t, size); err != nil {
			return err
		}
		return t.closed(ctx)
	})
}

// receive reads the size line and as many pattern bytes, and then the end.
func receive(conn net.Conn, ends bool) error {
	reader := bufio.NewReader(conn)
	var size int
	if _, err := fmt.Fscanf(reader, "%d\n", &size); err != nil {
		return fmt.Errorf("read size: %w", err)
	}
	content := make([]byte, size)
	if n, err := io.ReadFull(reader, content); err != nil {
		return fmt.Errorf("read %d of %d: %w", n, size, err)
	}
	if err := traffic.Verify(content, 0); err != nil {
		return err
	}
	if ends {
		if n, err := reader.Read(content); err != io.EOF {
			return fmt.Errorf("read after the last byte: %d bytes, %v", n, err)
		}
	}
	return nil
}

func runUpload(ctx context.Context, agent *link) (string, error) {
	const size = 5 * mebibyte
	serve := func(conn net.Conn) {
		if err := receive(conn, false); err != nil {
			fmt.Fprintln(conn, err)
			return
		}
		fmt.Fprintf(conn, "%d ok\n", size)
		io.Copy(io.Discard, conn)
	}
	return "5 MiB", with(ctx, agent, serve, func(t *tunnel) error {
		if err := traffic.Upload(t, size); err != nil {
			return err
		}
		return t.Close(ctx)
	})
}

func runParallel(ctx context.Context, agent *link) (string, error) {
	return "50 connections", traffic.Parallel(50, func(number int) error {
		return exchange(ctx, agent, traffic.Distinct(number, 20_000))
	})
}

func runRefused(ctx context.Context, agent *link) (string, error) {
	d, err := listen(echo)
	if err != nil {
		return "", err
	}
	d.close()
	waiting, _, err := agent.ask(d.address)
	if err != nil {
		return "", err
	}
	answer, err := agent.await(ctx, waiting)
	if err != nil {
		return "", err
	}
	if want := "dial tcp " + d.address + ": connect: connection refused"; answer.Error != want {
		return "", fmt.Errorf("error %q instead of %q", answer.Error, want)
	}
	if answer.ConnectID != 0 {
		return "", fmt.Errorf("a failed dial has connection id %d", answer.ConnectID)
	}
	return answer.Error, nil
}

// runCloseWithQueuedBytes asks for the end right behind megabytes that the destination has not begun to read.
func runCloseWithQueuedBytes(ctx context.Context, agent *link) (string, error) {
	const rounds, size = 3, 4 * mebibyte
	for range rounds {
		received := make(chan error, 1)
		serve := func(conn net.Conn) {
			// Long enough for CLOSE_REQ to arrive, however much of the rest the agent has taken by then.
			time.Sleep(300 * time.Millisecond)
			received <- receive(conn, true)
		}
		err := with(ctx, agent, serve, func(t *tunnel) error {
			if err := traffic.Send(t, size); err != nil {
				return err
			}
			if err := t.Close(ctx); err != nil {
				return err
			}
			select {
			case err := <-received:
				return err
			case <-ctx.Done():
				return errors.New("the destination saw no end")
			}
		})
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d times 4 MiB, then the end", rounds), nil
}

// runDialCancelled takes back a dial that hangs: the agent stops dialling before its own time limit.
func runDialCancelled(ctx context.Context, agent *link) (string, error) {
	hole, err := blackhole.New()
	if err != nil {
		return "", err
	}
	defer hole.Close()
	waiting, random, err := agent.ask(hole.Address)
	if err != nil {
		return "", err
	}
	if err := hole.Until(ctx, 1); err != nil {
		return "", err
	}
	if err := agent.send(packets.DialClose(random)); err != nil {
		return "", err
	}
	if err := hole.Until(ctx, 0); err != nil {
		return "", err
	}
	// The agent may answer a dial that was taken back, but not as if it had gone on.
	if err := exchange(ctx, agent, "hello"); err != nil {
		return "", err
	}
	select {
	case answer := <-waiting:
		if answer.Error == "" || strings.Contains(answer.Error, "timeout") {
			return "", fmt.Errorf("the dial went on: connection %d, error %q", answer.ConnectID, answer.Error)
		}
		return answer.Error, nil
	default:
		return "no answer", nil
	}
}

// runDialCancelledAtOnce sends DIAL_CLS right behind DIAL_REQ: whoever wins, the destination is left.
func runDialCancelledAtOnce(ctx context.Context, agent *link) (string, error) {
	const count = 50
	d, err := listen(echo)
	if err != nil {
		return "", err
	}
	defer d.close()
	waiting := []<-chan *pb.DialResponse{}
	for range count {
		answer, random, err := agent.ask(d.address)
		if err != nil {
			return "", err
		}
		if err := agent.send(packets.DialClose(random)); err != nil {
			return "", err
		}
		waiting = append(waiting, answer)
	}
	if err := exchange(ctx, agent, "hello"); err != nil {
		return "", err
	}
	opened := 0
	for d.open.Load() > 0 {
		for _, answer := range waiting {
			select {
			case a := <-answer:
				if a.Error == "" {
					opened++
					if err := agent.send(packets.CloseRequest(a.ConnectID)); err != nil {
						return "", err
					}
				}
			default:
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return "", fmt.Errorf("%d connections stay open", d.open.Load())
		}
	}
	return fmt.Sprintf("%d of %d were answered all the same", opened, count), nil
}

func runUnknownIDs(ctx context.Context, agent *link) (string, error) {
	for id, want := range map[int64]struct {
		packet *pb.Packet
		text   string
	}{
		1 << 40:     {packets.Data(1<<40, []byte("nobody's")), "unrecognized connectID"},
		1<<40 + 1:   {packets.CloseRequest(1<<40 + 1), "Unknown connectID"},
		-(1 << 62):  {packets.CloseRequest(-(1 << 62)), "Unknown connectID"},
		1<<62 + 111: {packets.Data(1<<62+111, []byte("nobody's")), "unrecognized connectID"},
	} {
		if err := agent.send(want.packet); err != nil {
			return "", err
		}
		for {
			text, ok := agent.stray(id)
			if ok && text == want.text {
				break
			}
			if ok {
				return "", fmt.Errorf("CLOSE_RSP for %d says %q instead of %q", id, text, want.text)
			}
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				return "", fmt.Errorf("no CLOSE_RSP for %d", id)
			}
		}
	}
	return "answered with CLOSE_RSP", nil
}

// runOddPackets sends what no server sends, around a connection that must not notice.
func runOddPackets(ctx context.Context, agent *link) (string, error) {
	err := with(ctx, agent, echo, func(t *tunnel) error {
		for number, odd := range packets.Odd() {
			if err := agent.send(odd); err != nil {
				return err
			}
			if err := traffic.Exchange(t, fmt.Sprintf("after odd packet %d", number)); err != nil {
				return fmt.Errorf("after odd packet %d (%v): %w", number, odd, err)
			}
		}
		return t.Close(ctx)
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d odd packets", len(packets.Odd())), exchange(ctx, agent, "afterwards")
}

// runDrain waits for DRAIN, which the agent sends when it is told to end, with a connection open meanwhile.
func runDrain(ctx context.Context, agent *link) (string, error) {
	return "an open connection worked on", with(ctx, agent, echo, func(t *tunnel) error {
		scenario.Print(event{Event: "ready to drain"})
		select {
		case <-agent.drained:
		case <-ctx.Done():
			return errors.New("no DRAIN")
		}
		if err := traffic.Exchange(t, "still there"); err != nil {
			return err
		}
		return t.Close(ctx)
	})
}
