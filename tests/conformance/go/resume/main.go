// Command resume is a TLS client that keeps sessions and offers them to whatever it connects to next. It reads one JSON
// object a line, an attempt, and answers each with one: what became of it.
package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"
)

// attempt is one connection.
type attempt struct {
	Address string `json:"address"`
	// Cache names the store of sessions, which attempts share.
	Cache string `json:"cache"`
	// Stubborn keeps the first session of its store for ever, whatever the server says of it.
	Stubborn bool `json:"stubborn"`
	// Version is 1.2 or 1.3 alone, or empty for both.
	Version string `json:"version"`
	// Cert and Key are files; empty for a client without a certificate.
	Cert string   `json:"cert"`
	Key  string   `json:"key"`
	ALPN []string `json:"alpn"`
	// Say is sent once the handshake is done.
	Say []byte `json:"say"`
}

// outcome tells how it went.
type outcome struct {
	Resumed bool   `json:"resumed"`
	Version string `json:"version"`
	// Served is true when the server has sent anything beyond TLS.
	Served bool   `json:"served"`
	Error  string `json:"error"`
}

// stubbornCache keeps what it got first.
type stubbornCache struct {
	first map[string]*tls.ClientSessionState
}

func (c stubbornCache) Get(key string) (*tls.ClientSessionState, bool) {
	state, found := c.first[key]
	return state, found
}

func (c stubbornCache) Put(key string, state *tls.ClientSessionState) {
	if _, found := c.first[key]; !found && state != nil {
		c.first[key] = state
	}
}

var caches = map[string]tls.ClientSessionCache{}

func cacheOf(a attempt) tls.ClientSessionCache {
	if _, found := caches[a.Cache]; !found {
		caches[a.Cache] = tls.NewLRUClientSessionCache(10)
		if a.Stubborn {
			caches[a.Cache] = stubbornCache{map[string]*tls.ClientSessionState{}}
		}
	}
	return caches[a.Cache]
}

func configOf(a attempt) (*tls.Config, error) {
	config := &tls.Config{
		// All listeners are one to the store of sessions.
		ServerName:         "localhost",
		InsecureSkipVerify: true,
		ClientSessionCache: cacheOf(a),
		NextProtos:         a.ALPN,
		MinVersion:         tls.VersionTLS12,
	}
	switch a.Version {
	case "1.2":
		config.MaxVersion = tls.VersionTLS12
	case "1.3":
		config.MinVersion = tls.VersionTLS13
	}
	if a.Cert != "" {
		pair, err := tls.LoadX509KeyPair(a.Cert, a.Key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func try(a attempt) (result outcome) {
	config, err := configOf(a)
	if err != nil {
		return outcome{Error: err.Error()}
	}
	raw, err := net.DialTimeout("tcp", a.Address, 10*time.Second)
	if err != nil {
		return outcome{Error: err.Error()}
	}
	defer raw.Close()
	conn := tls.Client(raw, config)
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if err := conn.Handshake(); err != nil {
		return outcome{Error: err.Error()}
	}
	state := conn.ConnectionState()
	result.Resumed = state.DidResume
	result.Version = map[uint16]string{tls.VersionTLS12: "1.2", tls.VersionTLS13: "1.3"}[state.Version]
	if _, err := conn.Write(a.Say); err != nil {
		result.Error = err.Error()
	}
	// Tickets of TLS 1.3 are read on the way to the first byte.
	n, err := conn.Read(make([]byte, 1024))
	result.Served = n > 0
	if err != nil {
		result.Error = err.Error()
	}
	return result
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var a attempt
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		answers.Encode(try(a))
	}
}
