// Command probe looks at a cluster from inside a pod. Each command does one
// thing, prints what it saw, and ends with 0 only if it succeeded:
//
//	probe serve ADDRESS   HTTP server that answers with its host name
//	probe sleep           waits to be ended
//	probe get URL         prints status and body
//	probe api PATH        the same at the API server, with the pod's own token
//	probe dns NAME        prints the addresses of NAME
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount/"
	patience       = 5 * time.Second
	bodyLimit      = 4096
)

func serve(address string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              address,
		ReadHeaderTimeout: patience,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s sees %s\n", host, r.RemoteAddr)
		}),
	}
	fmt.Println("serving on", address)
	return server.ListenAndServe()
}

func sleep(string) error {
	select {}
}

func fetch(request *http.Request, client *http.Client) error {
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	if _, err := io.Copy(os.Stdout, io.LimitReader(response.Body, bodyLimit)); err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return errors.New("refused")
	}
	return nil
}

func get(url string) error {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	return fetch(request, &http.Client{Timeout: patience})
}

func api(path string) error {
	token, err := os.ReadFile(serviceAccount + "token")
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(serviceAccount + "ca.crt")
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	server := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	request, err := http.NewRequest(http.MethodGet, "https://"+server+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	return fetch(request, &http.Client{Timeout: patience, Transport: transport})
}

func dns(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	if err != nil {
		return err
	}
	fmt.Println(addresses)
	return nil
}

func endOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		os.Exit(0)
	}()
}

var commands = map[string]func(string) error{
	"serve": serve, "sleep": sleep, "get": get, "api": api, "dns": dns,
}

func main() {
	args := append(os.Args[1:], "", "")
	run := commands[args[0]]
	if run == nil {
		fmt.Fprintln(os.Stderr, "usage: probe serve ADDRESS | sleep | get URL | api PATH | dns NAME")
		os.Exit(2)
	}
	endOnSignal()
	if err := run(args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}
