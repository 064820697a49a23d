// Command impostor shows certificates without having their keys: it signs with a key of its own, which no library of TLS
// does by itself. As a server it prints its port, and then for each connection one JSON object a line; as a client it
// prints one.
package main

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"net"
	"os"
	"time"
)

// outcome tells what came of a connection.
type outcome struct {
	// Heard is what the peer has sent beyond TLS.
	Heard string `json:"heard"`
	Error string `json:"error"`
}

func pairOf(certificate, key string) (tls.Certificate, error) {
	var pair tls.Certificate
	text, err := os.ReadFile(certificate)
	if err != nil {
		return pair, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		pair.Certificate = append(pair.Certificate, block.Bytes)
	}
	// The certificate that belongs to the key is of no other use.
	own, err := tls.LoadX509KeyPair(key+".crt", key)
	pair.PrivateKey = own.PrivateKey
	return pair, err
}

func talk(conn *tls.Conn, say string) outcome {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if err := conn.Handshake(); err != nil {
		return outcome{Error: err.Error()}
	}
	if _, err := conn.Write([]byte(say)); err != nil {
		return outcome{Error: err.Error()}
	}
	heard := make([]byte, 1024)
	n, err := conn.Read(heard)
	result := outcome{Heard: string(heard[:n])}
	if err != nil {
		result.Error = err.Error()
	}
	return result
}

func run() error {
	certificate := flag.String("cert", "", "file of the certificate to show")
	key := flag.String("key", "", "file of the key to sign with; its own certificate is beside it, in KEY.crt")
	version := flag.String("version", "1.3", "version of TLS")
	address := flag.String("connect", "", "address to be a client of; without it this is a server")
	say := flag.String("say", "", "what to say within TLS")
	flag.Parse()
	pair, err := pairOf(*certificate, *key)
	if err != nil {
		return err
	}
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"}}
	if *version == "1.2" {
		config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	}
	answers := json.NewEncoder(os.Stdout)
	if *address != "" {
		config.NextProtos = nil
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		raw, err := net.DialTimeout("tcp", *address, 10*time.Second)
		if err != nil {
			return err
		}
		return answers.Encode(talk(tls.Client(raw, config), *say))
	}
	config.Certificates = []tls.Certificate{pair}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	answers.Encode(listener.Addr().(*net.TCPAddr).Port)
	for {
		raw, err := listener.Accept()
		if err != nil {
			return err
		}
		answers.Encode(talk(tls.Server(raw, config), *say))
	}
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
