package blackhole

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Dialling counts the sockets of this machine that are trying to connect here.
func (b *Blackhole) Dialling() (int, error) {
	_, port, err := net.SplitHostPort(b.Address)
	if err != nil {
		return 0, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return 0, err
	}
	// Remote address 127.0.0.1 in the kernel's byte order, then state 02, SYN_SENT.
	entry := fmt.Sprintf(" 0100007F:%04X 02 ", number)
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return 0, err
	}
	return strings.Count(string(table), entry), nil
}

// Until waits until as many sockets are trying to connect here.
func (b *Blackhole) Until(ctx context.Context, want int) error {
	for {
		have, err := b.Dialling()
		if err != nil {
			return err
		}
		if have == want {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d sockets dialling instead of %d", have, want)
		}
	}
}
