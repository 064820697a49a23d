// Package credentials loads the client side of mutual TLS from files.
package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// Files names the PEM files of one side.
type Files struct{ CA, Cert, Key string }

// Load reads the key pair and the authority that the other side must be signed by.
func (f Files) Load() (tls.Certificate, *x509.CertPool, error) {
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pem, err := os.ReadFile(f.CA)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return tls.Certificate{}, nil, fmt.Errorf("no certificate in %s", f.CA)
	}
	return pair, pool, nil
}

// Client is the configuration for dialling.
func (f Files) Client(serverName string) (*tls.Config, error) {
	pair, pool, err := f.Load()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		RootCAs:      pool,
		ServerName:   serverName,
		MinVersion:   tls.VersionTLS12,
	}, nil
}

// Server is the configuration for listening; clients must show a certificate.
func (f Files) Server() (*tls.Config, error) {
	pair, pool, err := f.Load()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   tls.VersionTLS12,
	}, nil
}
