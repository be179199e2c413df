// A client that asks at a steady rate until it is told a line, and tells then of every request that failed: when it
// left, when that was known, and what it got instead of 200.
//
// The loop is open: requests leave when they are due, whatever becomes of those before them. Each takes a connection
// that is free, in turn, or a new one where none is, as other users would come. Latency counts from when a request was
// due. Moments are the machine's monotonic clock in seconds, as other programs on it read it.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
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
	patience  = 3 * time.Second
	most      = 512 // connections
	mostWords = 100
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
	Open     int       `json:"connections"`
	P50      float64   `json:"p50_ms"`
	P99      float64   `json:"p99_ms"`
	CPU      float64   `json:"cpu_s"`
	Failures []failure `json:"failures"`
}

// connection carries one request at a time.
type connection struct {
	socket  net.Conn
	answers *bufio.Reader
}

// load is what is asked, over which connections, and what became of it.
type load struct {
	address, method string
	request         []byte
	free            chan *connection
	open            int
	asking          sync.WaitGroup
	sync.Mutex
	took     []float64
	failures []failure
}

func main() {
	address := flag.String("address", "", "host:port that is asked")
	host := flag.String("host", "", "the host that is asked for")
	method := flag.String("method", "GET", "of every request; all have an empty body")
	connections := flag.Int("connections", 16, "kept alive; there are more while all of them are busy")
	rate := flag.Float64("rate", 880, "requests a second")
	flag.Parse()
	runtime.GOMAXPROCS(1) // it shares the machine with what it measures
	asked := &load{address: *address, method: *method, free: make(chan *connection, most), failures: []failure{}}
	asked.request = fmt.Appendf(nil, "%s / HTTP/1.1\r\nhost: %s\r\ncontent-length: 0\r\n\r\n", *method, *host)
	for asked.open < *connections {
		asked.free <- asked.another()
	}
	_ = json.NewEncoder(os.Stdout).Encode(asked.run(*rate))
}

func (l *load) run(rate float64) result {
	var stopped atomic.Bool
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		stopped.Store(true)
	}()
	start, cpu, turn := time.Now(), spent(), 0
	for ; !stopped.Load(); turn++ {
		due := start.Add(time.Duration(float64(turn) / rate * 1e9))
		time.Sleep(time.Until(due))
		over := l.take()
		l.asking.Go(func() {
			l.ask(over, due)
			l.free <- over
		})
	}
	seconds := time.Since(start).Seconds()
	l.asking.Wait()
	slices.Sort(l.took)
	said := result{Event: "done", Requests: turn, Rate: float64(turn) / seconds, Open: l.open, Failures: l.failures}
	said.P50, said.P99, said.CPU = at(l.took, 0.5), at(l.took, 0.99), spent()-cpu
	return said
}

// take returns a connection that is free; it waits for one only where there are as many as there may be.
func (l *load) take() *connection {
	select {
	case over := <-l.free:
		return over
	default:
	}
	if l.open < most {
		return l.another()
	}
	return <-l.free
}

func (l *load) another() *connection {
	l.open++
	return &connection{}
}

// ask sends one request that was due at a moment, and notes what became of it.
func (l *load) ask(over *connection, due time.Time) {
	left := monotonic()
	status, words, err := over.exchange(l)
	ended := monotonic()
	l.Lock()
	defer l.Unlock()
	l.took = append(l.took, time.Since(due).Seconds()*1e3)
	switch {
	case err != nil:
		l.failures = append(l.failures, failure{left, ended, cause(err)})
	case status != http.StatusOK:
		l.failures = append(l.failures, failure{left, ended, fmt.Sprintf("%d %s", status, words)})
	}
}

// exchange returns an answer's status and the first words of its body.
func (c *connection) exchange(l *load) (status int, words string, err error) {
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.socket == nil {
		if c.socket, err = net.DialTimeout("tcp", l.address, patience); err != nil {
			return
		}
		c.answers = bufio.NewReader(c.socket)
	}
	_ = c.socket.SetDeadline(time.Now().Add(patience))
	if _, err = c.socket.Write(l.request); err != nil {
		return
	}
	answer, err := http.ReadResponse(c.answers, &http.Request{Method: l.method})
	if err != nil {
		return
	}
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.Close {
		c.close()
	}
	return answer.StatusCode, strings.TrimSpace(string(body[:min(len(body), mostWords)])), err
}

func (c *connection) close() {
	if c.socket != nil {
		_ = c.socket.Close()
		c.socket = nil
	}
}

// cause returns an error's reason without the addresses, so that alike ones can be counted.
func cause(err error) string {
	var network *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("no answer in %s", patience)
	case errors.As(err, &network):
		return network.Err.Error()
	}
	return err.Error()
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
