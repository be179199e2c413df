package main

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of etcdserverpb are written by hand: there are three, and a client library would be the only thing here
// that is built from others' code. Field numbers are those of etcd's rpc.proto.

// etcdSender is one connection to etcd.
type etcdSender struct{ connection *grpc.ClientConn }

func (s *etcdSender) send(asked request) error {
	_, err := call(s.connection, asked.path, asked.body)
	return err
}

// dial connects all senders and returns a lease of an hour.
func dial(address string, senders []sender) (int64, error) {
	for at := range senders {
		connection, err := grpc.NewClient(address,
			grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{})))
		if err != nil {
			return 0, err
		}
		senders[at] = &etcdSender{connection}
	}
	seconds := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 3600)
	answer, err := call(senders[0].(*etcdSender).connection, "/etcdserverpb.Lease/LeaseGrant", seconds)
	if err != nil {
		return 0, err
	}
	for len(answer) > 0 { // LeaseGrantResponse: ID (2)
		number, kind, size := protowire.ConsumeTag(answer)
		answer = answer[size:]
		if number == 2 {
			id, _ := protowire.ConsumeVarint(answer)
			return int64(id), nil
		}
		answer = answer[protowire.ConsumeFieldValue(number, kind, answer):]
	}
	return 0, fmt.Errorf("etcd gave no lease")
}

// transactions are the same instances as puts, one in a request or some in a transaction.
func (l load) transactions(lease int64) []request {
	var made []request
	numbers := l.numbers()
	for from := 0; from < len(numbers); from += l.batch {
		part := numbers[from:min(from+l.batch, len(numbers))]
		if l.batch == 1 {
			made = append(made, request{"", "/etcdserverpb.KV/Put", l.put(part[0], lease)})
			continue
		}
		var body []byte
		for _, number := range part { // TxnRequest: success (2) { RequestOp: request_put (2) }
			body = field(body, 2, field(nil, 2, l.put(number, lease)))
		}
		made = append(made, request{"", "/etcdserverpb.KV/Txn", body})
	}
	return made
}

// put is a PutRequest: key (1), value (2), lease (3).
func (l load) put(number int, lease int64) []byte {
	one := l.instance(number)
	body := field(field(nil, 1, []byte("/registry/"+one.Service+"/"+one.ID)), 2, encoded(one))
	return protowire.AppendVarint(protowire.AppendTag(body, 3, protowire.VarintType), uint64(lease))
}

func field(to []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), value)
}

func call(connection *grpc.ClientConn, method string, body []byte) ([]byte, error) {
	var answer []byte
	err := connection.Invoke(context.Background(), method, body, &answer)
	return answer, err
}

// raw is the codec of messages that are bytes already.
type raw struct{}

func (raw) Marshal(message any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(message.([]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, message any) error {
	*message.(*[]byte) = data.Materialize()
	return nil
}

func (raw) Name() string { return "proto" }

var _ encoding.CodecV2 = raw{}
