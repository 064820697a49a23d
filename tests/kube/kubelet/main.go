// A stand-in for the kubelet: it serves what kube-apiserver asks a node for (logs, exec, port-forward) with Kubernetes' own
// streaming library. Containers are this machine: exec runs the command here, port-forward dials loopback.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

const (
	idleTimeout   = time.Hour
	createTimeout = 30 * time.Second
)

var logs string

type machine struct{}

func (machine) ExecInContainer(ctx context.Context, _, _, _ string, cmd []string, in io.Reader, out, errOut io.WriteCloser,
	_ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	process := exec.CommandContext(ctx, cmd[0], cmd[1:]...)
	process.Stdout, process.Stderr = writer(out), writer(errOut)
	// Waiting ends even when whoever should read the output does not.
	process.WaitDelay = time.Second
	if in != nil {
		stdin, err := process.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			defer stdin.Close()
			_, _ = io.Copy(stdin, in)
		}()
	}
	err := process.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return utilexec.CodeExitError{Err: err, Code: exit.ExitCode()}
	}
	return err
}

// A nil io.WriteCloser in an io.Writer would not be nil any more.
func writer(w io.WriteCloser) io.Writer {
	if w == nil {
		return nil
	}
	return w
}

func (machine) PortForward(_ context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		_, _ = io.Copy(conn, stream)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(stream, conn)
	return err
}

func serveExec(w http.ResponseWriter, r *http.Request) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeExec(w, r, machine{}, r.PathValue("pod"), "", r.PathValue("container"), r.URL.Query()["command"],
		options, idleTimeout, createTimeout, remotecommand.SupportedStreamingProtocols)
}

func servePortForward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, r, machine{}, r.PathValue("pod"), "", options, idleTimeout, createTimeout,
		portforward.SupportedProtocols)
}

// What is in the folder of logs for a pod; without a folder three lines, and with ?follow=true one more every 50 ms until
// nobody listens.
func serveLogs(w http.ResponseWriter, r *http.Request) {
	if logs != "" {
		http.ServeFile(w, r, filepath.Join(logs, filepath.Base(r.PathValue("pod"))+".log"))
		return
	}
	flusher := w.(http.Flusher)
	for line := 1; ; line++ {
		if _, err := fmt.Fprintf(w, "%s line %d\n", r.PathValue("pod"), line); err != nil {
			return
		}
		flusher.Flush()
		if line < 3 {
			continue
		}
		if r.URL.Query().Get("follow") != "true" {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func main() {
	cert := flag.String("cert", "", "certificate")
	key := flag.String("key", "", "private key")
	clientCA := flag.String("client-ca", "", "authority of kube-apiserver's client certificate")
	flag.StringVar(&logs, "logs", "", "folder with POD.log for each pod")
	flag.Parse()
	if err := run(*cert, *key, *clientCA); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(cert, key, clientCA string) error {
	authority, err := os.ReadFile(clientCA)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", serveExec)
	mux.HandleFunc("/portForward/{namespace}/{pod}", servePortForward)
	mux.HandleFunc("/containerLogs/{namespace}/{pod}/{container}", serveLogs)
	server := &http.Server{
		Handler:   mux,
		TLSConfig: &tls.Config{ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert},
		// Exec and port-forward take the connection over, which HTTP/2 has no way for.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	fmt.Println("listening on", strings.TrimPrefix(listener.Addr().String(), "127.0.0.1:"))
	return server.ServeTLS(listener, cert, key)
}
