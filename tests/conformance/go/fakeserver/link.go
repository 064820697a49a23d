package main

import (
	"context"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"
	pb "sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"

	"konnectivity.test/conformance/internal/packets"
)

// link is one connected agent.
type link struct {
	stream  grpc.ServerStream
	sending sync.Mutex

	lock       sync.Mutex
	lastRandom int64
	dials      map[int64]chan *pb.DialResponse
	tunnels    map[int64]*tunnel
	// closed holds every id that had its CLOSE_RSP: nothing may follow.
	closed map[int64]bool
	// strays are CLOSE_RSPs for ids that were never open, by id: the answers to odd requests.
	strays map[int64]string
	// faults are packets that an agent must not send to this server.
	faults  []string
	drained chan struct{}
	ended   chan struct{}
}

func newLink(stream grpc.ServerStream) *link {
	return &link{
		stream: stream,
		// Past 2^53, so that an agent that reads it as a floating point number is found out.
		lastRandom: 1<<62 + 1,
		dials:      map[int64]chan *pb.DialResponse{},
		tunnels:    map[int64]*tunnel{},
		closed:     map[int64]bool{},
		strays:     map[int64]string{},
		drained:    make(chan struct{}),
		ended:      make(chan struct{}),
	}
}

func (l *link) send(all ...*pb.Packet) error {
	l.sending.Lock()
	defer l.sending.Unlock()
	for _, packet := range all {
		if err := l.stream.SendMsg(packet); err != nil {
			return err
		}
	}
	return nil
}

// receive takes the agent's packets until its stream ends.
func (l *link) receive() {
	defer close(l.ended)
	for {
		packet, err := packets.Receive(l.stream)
		if err != nil {
			l.lock.Lock()
			for _, t := range l.tunnels {
				t.end(fmt.Errorf("the agent's stream ended: %w", err))
			}
			l.lock.Unlock()
			return
		}
		l.take(packet)
	}
}

func (l *link) take(packet *pb.Packet) {
	l.lock.Lock()
	defer l.lock.Unlock()
	switch payload := packet.Payload.(type) {
	case *pb.Packet_DialResponse:
		answer := payload.DialResponse
		waiting := l.dials[answer.Random]
		if waiting == nil {
			l.fault("DIAL_RSP for random %d, which is not being dialled", answer.Random)
			return
		}
		delete(l.dials, answer.Random)
		if answer.Error == "" {
			if l.tunnels[answer.ConnectID] != nil || l.closed[answer.ConnectID] || answer.ConnectID == 0 {
				l.fault("connection id %d given twice, or zero", answer.ConnectID)
			}
			l.tunnels[answer.ConnectID] = newTunnel(l, answer.ConnectID)
		}
		waiting <- answer
	case *pb.Packet_Data:
		id := payload.Data.ConnectID
		switch {
		case len(payload.Data.Data) == 0:
			l.fault("empty DATA for connection %d", id)
		case l.tunnels[id] == nil:
			l.fault("DATA for connection %d, which is not open", id)
		default:
			l.tunnels[id].push(payload.Data.Data)
		}
	case *pb.Packet_CloseResponse:
		id := payload.CloseResponse.ConnectID
		t := l.tunnels[id]
		if t == nil {
			l.strays[id] = payload.CloseResponse.Error
			return
		}
		delete(l.tunnels, id)
		l.closed[id] = true
		if payload.CloseResponse.Error != "" {
			t.end(fmt.Errorf("CLOSE_RSP with error %q", payload.CloseResponse.Error))
		} else {
			t.end(io.EOF)
		}
	case *pb.Packet_Drain:
		if l.draining() {
			l.fault("DRAIN twice")
			return
		}
		close(l.drained)
	default:
		l.fault("unexpected packet of type %v", packet.Type)
	}
}

func (l *link) fault(format string, values ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, values...))
}

// takeFaults tells what the agent did wrong since the last call.
func (l *link) takeFaults() []string {
	l.lock.Lock()
	defer l.lock.Unlock()
	faults := l.faults
	l.faults = nil
	return faults
}

// draining tells whether the agent said that it leaves once its connections have ended.
func (l *link) draining() bool {
	select {
	case <-l.drained:
		return true
	default:
		return false
	}
}

// stray returns the error text of a CLOSE_RSP for an id that was never open.
func (l *link) stray(id int64) (string, bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	text, ok := l.strays[id]
	return text, ok
}

// ask sends DIAL_REQ and returns where its answer will come, and its random.
func (l *link) ask(address string) (<-chan *pb.DialResponse, int64, error) {
	answer := make(chan *pb.DialResponse, 1)
	l.lock.Lock()
	l.lastRandom++
	random := l.lastRandom
	l.dials[random] = answer
	l.lock.Unlock()
	return answer, random, l.send(packets.DialRequest(address, random))
}

// dial opens a connection through the agent.
func (l *link) dial(ctx context.Context, address string) (*tunnel, error) {
	waiting, _, err := l.ask(address)
	if err != nil {
		return nil, err
	}
	answer, err := l.await(ctx, waiting)
	if err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("dial: %s", answer.Error)
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	if t := l.tunnels[answer.ConnectID]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("connection %d ended at once", answer.ConnectID)
}

func (l *link) await(ctx context.Context, waiting <-chan *pb.DialResponse) (*pb.DialResponse, error) {
	select {
	case answer := <-waiting:
		return answer, nil
	case <-l.ended:
		return nil, fmt.Errorf("the agent's stream ended while it dialled")
	case <-ctx.Done():
		return nil, fmt.Errorf("no DIAL_RSP")
	}
}

// tunnel is the server's end of one connection. Reads end with io.EOF after a CLOSE_RSP without error.
type tunnel struct {
	link *link
	id   int64

	lock  sync.Mutex
	ready sync.Cond
	bytes []byte
	err   error
	done  chan struct{}
}

func newTunnel(l *link, id int64) *tunnel {
	t := &tunnel{link: l, id: id, done: make(chan struct{})}
	t.ready.L = &t.lock
	return t
}

func (t *tunnel) push(payload []byte) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.bytes = append(t.bytes, payload...)
	t.ready.Broadcast()
}

func (t *tunnel) end(err error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.err != nil {
		return
	}
	t.err = err
	close(t.done)
	t.ready.Broadcast()
}

func (t *tunnel) Read(b []byte) (int, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	for len(t.bytes) == 0 && t.err == nil {
		t.ready.Wait()
	}
	if len(t.bytes) == 0 {
		return 0, t.err
	}
	n := copy(b, t.bytes)
	t.bytes = t.bytes[n:]
	return n, nil
}

func (t *tunnel) Write(b []byte) (int, error) {
	if err := t.link.send(packets.Data(t.id, b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close asks for the end and waits for CLOSE_RSP.
func (t *tunnel) Close(ctx context.Context) error {
	if err := t.link.send(packets.CloseRequest(t.id)); err != nil {
		return err
	}
	return t.closed(ctx)
}

// closed waits for CLOSE_RSP.
func (t *tunnel) closed(ctx context.Context) error {
	select {
	case <-t.done:
	case <-ctx.Done():
		return fmt.Errorf("no CLOSE_RSP for connection %d", t.id)
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.err != io.EOF {
		return t.err
	}
	return nil
}
