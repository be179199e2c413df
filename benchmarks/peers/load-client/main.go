// A client that asks at a steady rate until it is told a line, and tells then of every request that failed: when it
// left, when that was known, and what it got instead of 200.
//
// The loop is open: each connection has a schedule of its own, and an answer that is late does not put off the requests
// after it, which leave as soon as the connection is free. Latency counts from when a request was due. Moments are the
// machine's monotonic clock in seconds, as other programs on it read it.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	patience  = 10 * time.Second
	mostWords = 80
)

type failure struct {
	Left  float64 `json:"left"`
	Ended float64 `json:"ended"`
	Kind  string  `json:"kind"`
}

type result struct {
	Event    string    `json:"event"`
	Requests int       `json:"requests"`
	Rate     float64   `json:"rate"`
	P50      float64   `json:"p50_ms"`
	P99      float64   `json:"p99_ms"`
	CPU      float64   `json:"cpu_s"`
	Failures []failure `json:"failures"`
}

// connection is one of the clients: what it sends, and what became of it.
type connection struct {
	address  string
	request  []byte
	method   string
	socket   net.Conn
	answers  *bufio.Reader
	took     []float64
	failures []failure
}

func main() {
	address := flag.String("address", "", "host:port that is asked")
	host := flag.String("host", "", "the host that is asked for")
	method := flag.String("method", "GET", "of every request; all have an empty body")
	connections := flag.Int("connections", 16, "kept alive, one request at a time on each")
	rate := flag.Float64("rate", 880, "requests a second of all connections together")
	flag.Parse()
	runtime.GOMAXPROCS(1) // it shares the machine with what it measures
	request := fmt.Appendf(nil, "%s / HTTP/1.1\r\nhost: %s\r\ncontent-length: 0\r\n\r\n", *method, *host)
	all := make([]*connection, *connections)
	for at := range all {
		all[at] = &connection{address: *address, request: request, method: *method}
	}
	_ = json.NewEncoder(os.Stdout).Encode(run(all, *rate))
}

func run(all []*connection, rate float64) result {
	var stopped atomic.Bool
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		stopped.Store(true)
	}()
	var asking sync.WaitGroup
	start, cpu := time.Now(), spent()
	for at, each := range all {
		asking.Go(func() {
			for turn := 0; !stopped.Load(); turn++ {
				due := start.Add(time.Duration(float64(at+turn*len(all)) / rate * 1e9))
				time.Sleep(time.Until(due))
				each.ask(due)
			}
		})
	}
	asking.Wait()
	seconds := time.Since(start).Seconds()
	said := result{Event: "done", CPU: spent() - cpu, Failures: []failure{}}
	var took []float64
	for _, each := range all {
		took = append(took, each.took...)
		said.Failures = append(said.Failures, each.failures...)
	}
	slices.Sort(took)
	said.Requests, said.Rate = len(took), float64(len(took))/seconds
	said.P50, said.P99 = at(took, 0.5), at(took, 0.99)
	return said
}

// ask sends one request that was due at a moment, and notes what became of it.
func (c *connection) ask(due time.Time) {
	left := monotonic()
	kind := c.exchange()
	c.took = append(c.took, time.Since(due).Seconds()*1e3)
	if kind != "" {
		c.failures = append(c.failures, failure{left, monotonic(), kind})
	}
}

// exchange returns what came instead of a good answer, "" for nothing.
func (c *connection) exchange() string {
	if c.socket == nil {
		socket, err := net.DialTimeout("tcp", c.address, patience)
		if err != nil {
			return err.Error()
		}
		c.socket, c.answers = socket, bufio.NewReader(socket)
	}
	_ = c.socket.SetDeadline(time.Now().Add(patience))
	if _, err := c.socket.Write(c.request); err != nil {
		c.close()
		return err.Error()
	}
	answer, err := http.ReadResponse(c.answers, &http.Request{Method: c.method})
	if err != nil {
		c.close()
		return err.Error()
	}
	words, err := io.ReadAll(answer.Body)
	if err != nil || answer.Close {
		c.close()
	}
	if err != nil {
		return err.Error()
	}
	if answer.StatusCode == http.StatusOK {
		return ""
	}
	return fmt.Sprintf("%d %s", answer.StatusCode, strings.TrimSpace(string(words[:min(len(words), mostWords)])))
}

func (c *connection) close() {
	_ = c.socket.Close()
	c.socket = nil
}

func at(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

// monotonic returns CLOCK_MONOTONIC in seconds; Go's own counts from when the program began.
func monotonic() float64 {
	var now syscall.Timespec
	_, _, _ = syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&now)), 0)
	return float64(now.Sec) + float64(now.Nsec)/1e9
}

func spent() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
