package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
)

// load is what is registered: distinct instances of many services, with six labels each.
type load struct {
	what     string
	first    int
	count    int
	services int
	batch    int
	weight   int
	ttl      string
}

type instance struct {
	ID      string            `json:"id"`
	Service string            `json:"service"`
	Address string            `json:"address"`
	Port    int               `json:"port"`
	Version string            `json:"version"`
	Region  string            `json:"region"`
	Zone    string            `json:"zone"`
	Weight  int               `json:"weight,omitempty"`
	TTL     string            `json:"ttl,omitempty"`
	Labels  map[string]string `json:"labels"`
}

type heartbeat struct {
	ID string `json:"id"`
}

func (l load) instance(number int) instance {
	service := number % l.services
	return instance{
		ID:      fmt.Sprintf("service-%04d-%d", service, number/l.services),
		Service: fmt.Sprintf("service-%04d", service),
		Address: fmt.Sprintf("10.%d.%d.%d", number>>16&255, number>>8&255, number&255),
		Port:    8080 + number%7,
		Version: "v1",
		Region:  "eu-1",
		Zone:    "eu-1" + string(rune('a'+number%3)),
		Weight:  l.weight,
		TTL:     l.ttl,
		Labels: map[string]string{
			"team":  fmt.Sprintf("team-%d", service%40),
			"tier":  []string{"backend", "frontend"}[service%2],
			"owner": fmt.Sprintf("squad-%d", service%120),
			"build": fmt.Sprintf("2026.11.%d", number%300),
			"host":  fmt.Sprintf("node-%05d", number%2000),
			"pod":   fmt.Sprintf("%08x", number),
		},
	}
}

// numbers are those of the instances, in an order in which services take turns as they please.
func (l load) numbers() []int {
	found := make([]int, l.count)
	for at := range found {
		found[at] = l.first + at
	}
	rand.New(rand.NewSource(1)).Shuffle(len(found), func(a, b int) { found[a], found[b] = found[b], found[a] })
	return found
}

func (l load) documents() []request {
	var made []request
	numbers := l.numbers()
	for from := 0; from < len(numbers); from += l.batch {
		part := numbers[from:min(from+l.batch, len(numbers))]
		if l.batch == 1 {
			one := l.instance(part[0])
			made = append(made, request{"PUT", "/v1/instances/" + one.ID, encoded(one)})
			continue
		}
		items := make([]any, len(part))
		for at, number := range part {
			if l.what == "heartbeat" {
				items[at] = heartbeat{l.instance(number).ID}
			} else {
				items[at] = l.instance(number)
			}
		}
		path := map[string]string{"heartbeat": "/v1/heartbeats:batch"}[l.what]
		if path == "" {
			path = "/v1/instances:batch"
		}
		made = append(made, request{"POST", path, encoded(map[string]any{"items": items})})
	}
	return made
}

func encoded(value any) []byte {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err) // a value of ours that is no JSON
	}
	return body
}
