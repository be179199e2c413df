package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

const typeURL = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"

// question is what a stream asks for, encoded once and shared by all streams that ask for the same.
// In both protocols the fields are written in the order of their numbers, as Envoy does.
type question struct {
	delta  bool
	from   int // the first name's number
	names  int
	middle []byte // what stands between the fields that differ from request to request
	ack    []byte // the same in a confirmation: delta does not repeat the names
}

func newQuestion(delta bool, from, names int, suffix string) *question {
	q := &question{delta: delta, from: from, names: names}
	var listed []byte
	for number := from; number < from+names; number++ {
		listed = text(listed, 3, fmt.Sprintf("service-%04d", number)+suffix)
	}
	if delta { // DeltaDiscoveryRequest: node (1), type_url (2), resource_names_subscribe (3), response_nonce (6)
		q.ack = text(nil, 2, typeURL)
		q.middle = append(text(nil, 2, typeURL), listed...)
	} else { // DiscoveryRequest: version_info (1), node (2), resource_names (3), type_url (4), response_nonce (5)
		q.middle = text(listed, 4, typeURL)
		q.ack = q.middle
	}
	return q
}

func (q *question) first(node int) mem.BufferSlice {
	field := protowire.Number(2)
	if q.delta {
		field = 1
	}
	introduced := text(text(nil, 1, fmt.Sprintf("node-%d", node)), 2, "fanout")
	return mem.BufferSlice{mem.SliceBuffer(bytesField(nil, field, introduced)), mem.SliceBuffer(q.middle)}
}

// confirmed returns the ACK of a response, or with words the NACK that keeps the version held before.
func (q *question) confirmed(version, nonce []byte, words string) mem.BufferSlice {
	var head, tail []byte
	if !q.delta {
		head = bytesField(nil, 1, version)
		tail = bytesField(nil, 5, nonce)
	} else {
		tail = bytesField(nil, 6, nonce)
	}
	if words != "" { // error_detail: google.rpc.Status { code (1), message (2) }
		status := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 13)
		field := protowire.Number(6)
		if q.delta {
			field = 7
		}
		tail = bytesField(tail, field, text(status, 2, words))
	}
	return mem.BufferSlice{mem.SliceBuffer(head), mem.SliceBuffer(q.ack), mem.SliceBuffer(tail)}
}

// response is what is read of an answer: no message is built.
type response struct {
	version, nonce []byte
	names          []int  // the numbers of the services in it
	marker         uint64 // the weight of service-0000's first endpoint, 0 if it is not in it
}

func (r *response) read(body []byte, delta bool) error {
	*r = response{names: r.names[:0]}
	return walk(body, func(field protowire.Number, value []byte) error {
		switch field {
		case 1: // version_info, system_version_info
			r.version = append([]byte(nil), value...)
		case 5:
			r.nonce = append([]byte(nil), value...)
		case 2: // resources: Any, in delta inside of Resource.resource (2)
			if delta {
				value = inside(value, 2)
			}
			return r.resource(inside(value, 2))
		}
		return nil
	})
}

// resource reads one ClusterLoadAssignment: cluster_name (1), endpoints (2) { lb_endpoints (2) { weight (4) } }.
func (r *response) resource(assignment []byte) error {
	name, _, _ := strings.Cut(string(inside(assignment, 1)), "/")
	number, err := strconv.Atoi(strings.TrimPrefix(name, "service-"))
	if err != nil {
		return err
	}
	r.names = append(r.names, number)
	if number == 0 {
		endpoint := inside(inside(assignment, 2), 2)
		if endpoint == nil { // a service that nobody serves yet
			return nil
		}
		weight := inside(endpoint, 4)
		if len(weight) == 0 {
			return errors.New("the first endpoint of service-0000 has no weight")
		}
		r.marker, _ = protowire.ConsumeVarint(weight[1:])
	}
	return nil
}

// walk calls each with every length-delimited field of a message.
func walk(message []byte, each func(protowire.Number, []byte) error) error {
	for len(message) > 0 {
		field, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return protowire.ParseError(size)
		}
		message = message[size:]
		if kind != protowire.BytesType {
			if size = protowire.ConsumeFieldValue(field, kind, message); size < 0 {
				return protowire.ParseError(size)
			}
			message = message[size:]
			continue
		}
		value, size := protowire.ConsumeBytes(message)
		if size < 0 {
			return protowire.ParseError(size)
		}
		message = message[size:]
		if err := each(field, value); err != nil {
			return err
		}
	}
	return nil
}

// inside returns the first length-delimited field with this number, nil if there is none.
func inside(message []byte, wanted protowire.Number) []byte {
	for len(message) > 0 {
		field, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return nil
		}
		message = message[size:]
		if size = protowire.ConsumeFieldValue(field, kind, message); size < 0 {
			return nil
		}
		if field == wanted && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message)
			return value
		}
		message = message[size:]
	}
	return nil
}

func text(to []byte, field protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(to, field, protowire.BytesType), value)
}

func bytesField(to []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, field, protowire.BytesType), value)
}
