// Envelopes reads records from its input, one a line, and writes for each what a Go service makes
// of it: the bytes that it would publish, as the newer and as the older SDK, or an error.
//
//	go run envelopes.go <records.txt >envelopes.jsonl
//
// published.jsonl is the same of what ../clients-and-go.ts publishes.
package main

import (
	"bufio"
	"encoding/json"
	"os"
)

// newer has the keys of the newer SDK: those that are empty are left out.
type newer struct {
	ID                string         `json:"id,omitempty"`
	Name              string         `json:"name,omitempty"`
	Namespace         string         `json:"namespace,omitempty"`
	ParentNamespace   string         `json:"parentNamespace,omitempty"`
	UnionNamespace    string         `json:"unionNamespace,omitempty"`
	ClientID          string         `json:"clientId,omitempty"`
	TraceID           string         `json:"traceId,omitempty"`
	SpanContext       string         `json:"spanContext,omitempty"`
	UserID            string         `json:"userId,omitempty"`
	SessionID         string         `json:"sessionId,omitempty"`
	Timestamp         string         `json:"timestamp,omitempty"`
	TimestampUnixNano int64          `json:"timestampUnixNano,omitempty"`
	Version           int            `json:"version,omitempty"`
	EventID           int            `json:"event_id,omitempty"`
	EventType         int            `json:"event_type,omitempty"`
	EventLevel        int            `json:"event_level,omitempty"`
	Service           string         `json:"service,omitempty"`
	ClientIDs         []string       `json:"client_ids,omitempty"`
	TargetUserIDs     []string       `json:"target_user_ids,omitempty"`
	TargetNamespace   string         `json:"target_namespace,omitempty"`
	Privacy           bool           `json:"privacy,omitempty"`
	Topic             string         `json:"topic,omitempty"`
	SourceNamespace   string         `json:"sourceNamespace,omitempty"`
	AdditionalFields  map[string]any `json:"additional_fields,omitempty"`
	Payload           map[string]any `json:"payload,omitempty"`
}

// older has the keys of the older SDK: all of them are there.
type older struct {
	ID               string         `json:"id"`
	Name             string         `json:"name"`
	Namespace        string         `json:"namespace"`
	ClientID         string         `json:"clientId"`
	TraceID          string         `json:"traceId"`
	SpanContext      string         `json:"spanContext"`
	UserID           string         `json:"userId"`
	SessionID        string         `json:"sessionId"`
	Timestamp        string         `json:"timestamp"`
	Version          int            `json:"version"`
	EventID          int            `json:"event_id"`
	EventType        int            `json:"event_type"`
	EventLevel       int            `json:"event_level"`
	Service          string         `json:"service"`
	ClientIDs        []string       `json:"client_ids"`
	TargetUserIDs    []string       `json:"target_user_ids"`
	TargetNamespace  string         `json:"target_namespace"`
	Privacy          bool           `json:"privacy"`
	Topic            string         `json:"topic"`
	AdditionalFields map[string]any `json:"additional_fields,omitempty"`
	Payload          map[string]any `json:"payload"`
}

type result struct {
	Record string `json:"record"`
	Newer  string `json:"newer,omitempty"`
	Older  string `json:"older,omitempty"`
	Error  string `json:"error,omitempty"`
}

func main() {
	records := bufio.NewScanner(os.Stdin)
	records.Buffer(nil, 1<<24)
	results := json.NewEncoder(os.Stdout)
	for records.Scan() {
		if err := results.Encode(read(records.Bytes())); err != nil {
			panic(err)
		}
	}
}

func read(record []byte) result {
	var event newer
	if err := json.Unmarshal(record, &event); err != nil {
		return result{Record: string(record), Error: err.Error()}
	}
	// The same record has every key of the older one in a type that fits, or the first had failed.
	var before older
	if err := json.Unmarshal(record, &before); err != nil {
		return result{Record: string(record), Error: err.Error()}
	}
	return result{Record: string(record), Newer: text(event), Older: text(before)}
}

func text(event any) string {
	bytes, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	return string(bytes)
}
