// The client of the fan-out benchmark, the same for every server: many streams, one TCP connection each, all of them
// subscribed to endpoints, every response confirmed as an Envoy would.
//
// It knows the wire and never a server. What it measures it prints as one JSON object per line; times are nanoseconds
// since the Unix epoch, so that whoever triggered a change can subtract. Commands come on stdin, one per line:
//
//	stop N    open N further streams that ask for everything and then read nothing from their sockets
//	nack      refuse every response from now on
//	ack       confirm every response from now on
//	count     print how many responses came and how many streams broke
//
// The end of stdin is the end of the program.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"time"
)

type settings struct {
	address     string
	delta       bool
	streams     int
	names       int
	subscribers int
	suffix      string
}

func parse() settings {
	var s settings
	var protocol string
	flag.StringVar(&s.address, "address", "127.0.0.1:15010", "host:port of the server")
	flag.StringVar(&protocol, "protocol", "delta", "delta or sotw")
	flag.IntVar(&s.streams, "streams", 1000, "streams to open, each on a connection of its own")
	flag.IntVar(&s.names, "names", 10, "names each stream asks for")
	flag.IntVar(&s.subscribers, "subscribers", 0, "streams that ask for the first name, 0 for all; the rest ask from the second on")
	flag.StringVar(&s.suffix, "suffix", "", "what follows service-0000 in a name, a slash first")
	flag.Parse()
	if protocol != "delta" && protocol != "sotw" {
		fmt.Fprintf(os.Stderr, "-protocol is delta or sotw, not %q\n", protocol)
		os.Exit(2)
	}
	s.delta = protocol == "delta"
	if s.subscribers == 0 {
		s.subscribers = s.streams
	}
	return s
}

func main() {
	s := parse()
	facts := newTally(s.streams, s.subscribers)
	first, rest := newQuestion(s.delta, 0, s.names, s.suffix), newQuestion(s.delta, 1, s.names, s.suffix)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	facts.started = time.Now().UnixNano()
	for number := range s.streams {
		asked := first
		if number >= s.subscribers {
			asked = rest
		}
		go newStream(number, s.address, asked, facts).run(ctx)
	}
	lines := bufio.NewScanner(os.Stdin)
	stopped := 0
	for lines.Scan() {
		var word string
		var count int
		fmt.Sscan(lines.Text(), &word, &count)
		switch word {
		case "stop":
			for range count {
				go newStream(s.streams+stopped, s.address, first, facts).stop(ctx)
				stopped++
			}
		case "nack":
			facts.refuse.Store(true)
		case "ack":
			facts.refuse.Store(false)
		case "count":
			facts.count()
		default:
			fmt.Fprintf(os.Stderr, "no such command: %q\n", lines.Text())
			os.Exit(2)
		}
	}
}
