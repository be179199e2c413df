// A client that registers instances: over HTTP with a control plane, or as keys with etcd. It makes all that it will send
// before it begins, sends it over some connections, each with one request at a time, and says how long each took.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// sender sends one request over one connection and returns when it is answered, and all of it was accepted.
type sender interface {
	send(request) error
}

// request is one message, ready to go.
type request struct {
	method, path string
	body         []byte
}

type result struct {
	Event   string  `json:"event"`
	Items   int     `json:"items"`
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	CPU     float64 `json:"client_cpu_s"`
}

func main() {
	target := flag.String("target", "fairlead", "fairlead or etcd")
	address := flag.String("address", "", "host:port of its API")
	what := flag.String("what", "register", "register or heartbeat")
	connections := flag.Int("connections", 4, "connections, one request at a time on each")
	batch := flag.Int("batch", 500, "items in a request; 1 is a single PUT")
	first := flag.Int("first", 0, "number of the first instance")
	count := flag.Int("count", 10_000, "instances")
	services := flag.Int("services", 1000, "services that they belong to")
	rate := flag.Float64("rate", 0, "items a second; 0: as fast as they are taken")
	weight := flag.Int("weight", 100, "weight of the instances")
	ttl := flag.String("ttl", "", "lease of the instances")
	flag.Parse()
	load := load{*what, *first, *count, *services, *batch, *weight, *ttl}
	done, err := run(*target, *address, *connections, *rate, load)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(done)
}

func run(target, address string, connections int, rate float64, load load) (result, error) {
	senders := make([]sender, connections)
	var requests []request
	if target == "etcd" {
		lease, err := dial(address, senders)
		if err != nil {
			return result{}, err
		}
		requests = load.transactions(lease)
	} else {
		for at := range senders {
			senders[at] = newHTTP(address)
		}
		requests = load.documents()
	}
	took := make([]float64, len(requests))
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var waiting sync.WaitGroup
	cpu, start := spent(), time.Now()
	for _, to := range senders {
		waiting.Go(func() {
			for {
				at := int(next.Add(1)) - 1
				if at >= len(requests) || failed.Load() != nil {
					return
				}
				begun := time.Now()
				if rate > 0 { // late ones count from when they were due
					begun = start.Add(time.Duration(float64(at*load.batch) / rate * 1e9))
					time.Sleep(time.Until(begun))
				}
				if err := to.send(requests[at]); err != nil {
					failed.Store(&err)
					return
				}
				took[at] = time.Since(begun).Seconds() * 1e3
			}
		})
	}
	waiting.Wait()
	if err := failed.Load(); err != nil {
		return result{}, *err
	}
	seconds := time.Since(start).Seconds()
	slices.Sort(took)
	return result{"done", load.count, seconds, at(took, 0.5), at(took, 0.99), spent() - cpu}, nil
}

func at(sorted []float64, share float64) float64 {
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

func spent() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
