package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// destination is something for the agent to connect to.
type destination struct {
	address  string
	listener net.Listener
	open     atomic.Int32
}

// listen serves each connection until serve returns.
func listen(serve func(conn net.Conn)) (*destination, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &destination{address: listener.Addr().String(), listener: listener}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			d.open.Add(1)
			go func() {
				defer d.open.Add(-1)
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return d, nil
}

func (d *destination) close() { d.listener.Close() }

// empty waits until the agent has left every connection.
func (d *destination) empty(ctx context.Context) error {
	for d.open.Load() > 0 {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d connections to the destination stay open", d.open.Load())
		}
	}
	return nil
}

func echo(conn net.Conn) { io.Copy(conn, conn) }
