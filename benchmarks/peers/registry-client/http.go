package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// httpSender is one connection to a control plane.
type httpSender struct {
	client *http.Client
	base   string
}

func newHTTP(address string) *httpSender {
	transport := &http.Transport{MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1, DisableCompression: true}
	return &httpSender{&http.Client{Transport: transport}, "http://" + address}
}

func (s *httpSender) send(asked request) error {
	call, err := http.NewRequest(asked.method, s.base+asked.path, bytes.NewReader(asked.body))
	if err != nil {
		return err
	}
	call.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(call)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	refused := answer.StatusCode >= 300 || asked.method == "POST" && !bytes.Contains(body, []byte(`"failed":0`))
	if refused {
		return fmt.Errorf("%s %s: %d %.300s", asked.method, asked.path, answer.StatusCode, body)
	}
	return nil
}
