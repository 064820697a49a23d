// Package blackhole makes an address on the loopback interface that a dial hangs at.
package blackhole

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Blackhole is a socket that listens and never accepts, with its queue full: the kernel drops further SYNs.
type Blackhole struct {
	// Address is its host:port.
	Address string
	fd      int
	filling []net.Conn
}

// New listens with the shortest queue there is and fills it.
func New() (*Blackhole, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	hole := &Blackhole{fd: fd}
	if err := hole.listen(); err != nil {
		hole.Close()
		return nil, err
	}
	for range 16 {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", hole.Address)
		cancel()
		if err != nil {
			return hole, nil
		}
		hole.filling = append(hole.filling, conn)
	}
	hole.Close()
	return nil, fmt.Errorf("the queue of %s does not fill", hole.Address)
}

func (b *Blackhole) listen() error {
	if err := syscall.Bind(b.fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := syscall.Listen(b.fd, 0); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	name, err := syscall.Getsockname(b.fd)
	if err != nil {
		return fmt.Errorf("getsockname: %w", err)
	}
	inet, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		return fmt.Errorf("getsockname: unexpected %T", name)
	}
	b.Address = fmt.Sprintf("127.0.0.1:%d", inet.Port)
	return nil
}

// Close frees the address.
func (b *Blackhole) Close() {
	for _, conn := range b.filling {
		conn.Close()
	}
	syscall.Close(b.fd)
}
