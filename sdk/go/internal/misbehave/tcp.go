package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/hashicorp/go-plugin"

	"vrsky/sdk/go/connector"
)

// serveTCP is go-plugin's server on a port of loopback, which its Serve offers on Windows alone.
func serveTCP() {
	if err := listenTCP(); err != nil {
		log.Error("the plugin does not start", "error", err)
		os.Exit(1)
	}
}

func listenTCP() error {
	config, der, err := mutualTLS([]byte(os.Getenv("PLUGIN_CLIENT_CERT")))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	stdout, _ := io.Pipe()
	stderr, _ := io.Pipe()
	server := &plugin.GRPCServer{
		Plugins: plugin.PluginSet{connector.PluginName: &misbehaving{}},
		Server:  newServer,
		TLS:     config,
		DoneCh:  make(chan struct{}),
		Stdout:  stdout,
		Stderr:  stderr,
	}
	if err := server.Init(); err != nil {
		return err
	}
	fmt.Printf("1|1|tcp|%s|grpc|%s\n", listener.Addr(), base64.RawStdEncoding.EncodeToString(der))
	server.Serve(listener)
	return nil
}

// mutualTLS lets in the host with this certificate alone; answers our own certificate too.
func mutualTLS(host []byte) (*tls.Config, []byte, error) {
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(host) {
		return nil, nil, errors.New("the host has no certificate")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		NotBefore:             time.Now().Add(-30 * time.Second),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clients,
		MinVersion:   tls.VersionTLS12,
	}, der, nil
}
