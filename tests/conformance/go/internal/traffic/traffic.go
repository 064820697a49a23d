// Package traffic moves checked bytes over a connection to the destinations of tests/support/in_process/destinations.ts:
//
//	echo    sends back what it gets
//	banner  says Banner before it has read anything, then echoes
//	source  reads "N\n", sends N pattern bytes, closes
//	sink    reads "N\n" and N pattern bytes, answers "N ok\n"
//	collect like sink, but never answers: its owner looks at what came
package traffic

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// Banner is what a destination that speaks first says.
const Banner = "220 the destination speaks first\r\n"

// WriteBytes is the size of one write, as real callers have it: the client library makes each write one message.
const WriteBytes = 32 * 1024

// Dial opens a connection through the proxy.
type Dial func(ctx context.Context, address string) (net.Conn, error)

// PatternAt is the byte that stands at an offset of every large transfer.
func PatternAt(offset int) byte {
	return byte(offset ^ offset>>8 ^ offset>>16)
}

// Fill writes the pattern for [offset, offset+len(b)) into b.
func Fill(b []byte, offset int) {
	for i := range b {
		b[i] = PatternAt(offset + i)
	}
}

// Verify tells whether b holds the pattern from offset on.
func Verify(b []byte, offset int) error {
	for i, have := range b {
		if want := PatternAt(offset + i); have != want {
			return fmt.Errorf("byte %d is %#x instead of %#x", offset+i, have, want)
		}
	}
	return nil
}

// Exchange writes text to an echoing destination and reads it back.
func Exchange(conn io.ReadWriter, text string) error {
	if _, err := io.WriteString(conn, text); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return Expect(conn, text)
}

// Expect reads exactly text.
func Expect(conn io.Reader, text string) error {
	got := make([]byte, len(text))
	if n, err := io.ReadFull(conn, got); err != nil {
		return fmt.Errorf("read %q of %q: %w", got[:n], text, err)
	}
	if string(got) != text {
		return fmt.Errorf("read %q instead of %q", got, text)
	}
	return nil
}

// Send writes the size line and as many pattern bytes.
func Send(conn io.Writer, size int) error {
	if _, err := fmt.Fprintf(conn, "%d\n", size); err != nil {
		return fmt.Errorf("write size: %w", err)
	}
	buffer := make([]byte, WriteBytes)
	for offset := 0; offset < size; {
		part := buffer[:min(len(buffer), size-offset)]
		Fill(part, offset)
		if _, err := conn.Write(part); err != nil {
			return fmt.Errorf("write at %d of %d: %w", offset, size, err)
		}
		offset += len(part)
	}
	return nil
}

// Upload sends size bytes to a sink and reads its verdict.
func Upload(conn io.ReadWriter, size int) error {
	if err := Send(conn, size); err != nil {
		return err
	}
	return Expect(conn, fmt.Sprintf("%d ok\n", size))
}

// Download asks a source for size bytes and checks each of them and the end after the last.
func Download(conn io.ReadWriter, size int) error {
	if _, err := fmt.Fprintf(conn, "%d\n", size); err != nil {
		return fmt.Errorf("write size: %w", err)
	}
	buffer := make([]byte, 64*1024)
	offset := 0
	for {
		n, err := conn.Read(buffer)
		if verr := Verify(buffer[:n], offset); verr != nil {
			return verr
		}
		offset += n
		if err == io.EOF && offset == size {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read at %d of %d: %w", offset, size, err)
		}
		if offset > size {
			return fmt.Errorf("read %d bytes instead of %d", offset, size)
		}
	}
}

// Speaks checks a destination that speaks first: the whole banner without a byte from us, then an echo.
func Speaks(conn io.ReadWriter) error {
	if err := Expect(conn, Banner); err != nil {
		return err
	}
	return Exchange(conn, "thank you\r\n")
}

// Parallel does the same work on count connections at once and returns the first failure.
func Parallel(count int, work func(number int) error) error {
	failures := make([]error, count)
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() { failures[i] = work(i) })
	}
	all.Wait()
	failed := 0
	var first error
	for _, err := range failures {
		if err == nil {
			continue
		}
		failed++
		if first == nil {
			first = err
		}
	}
	if first != nil {
		return fmt.Errorf("%d of %d failed, one with: %w", failed, count, first)
	}
	return nil
}

// Distinct is a text of some length that belongs to one connection only, so that mixed up bytes are seen.
func Distinct(number, length int) string {
	return string(bytes.Repeat(fmt.Appendf(nil, "connection %d;", number), length/10)[:length])
}
