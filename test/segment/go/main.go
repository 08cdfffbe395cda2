// Command segmentgo makes calls with Segment's Go library: segmentgo URL WRITE_KEY FILE, where FILE has a call as JSON per line.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"time"

	analytics "gopkg.in/segmentio/analytics-go.v3"
)

type call struct {
	Kind, ID, User, Anonymous, Name string
	Time                            int64
}

func (c call) message() analytics.Message {
	at := time.UnixMilli(c.Time).UTC()
	switch c.Kind {
	case "track":
		return analytics.Track{MessageId: c.ID, UserId: c.User, AnonymousId: c.Anonymous, Event: c.Name, Timestamp: at,
			Properties: analytics.NewProperties().SetPrice(12.5)}
	case "page":
		return analytics.Page{MessageId: c.ID, UserId: c.User, AnonymousId: c.Anonymous, Name: c.Name, Timestamp: at}
	case "screen":
		return analytics.Screen{MessageId: c.ID, UserId: c.User, AnonymousId: c.Anonymous, Name: c.Name, Timestamp: at}
	case "identify":
		return analytics.Identify{MessageId: c.ID, UserId: c.User, AnonymousId: c.Anonymous, Timestamp: at,
			Traits: analytics.NewTraits().Set("plan", "pro")}
	case "alias":
		return analytics.Alias{MessageId: c.ID, UserId: c.User, PreviousId: c.Anonymous, Timestamp: at}
	default:
		return analytics.Group{MessageId: c.ID, UserId: c.User, AnonymousId: c.Anonymous, GroupId: c.Name, Timestamp: at}
	}
}

// results waits for the result of each call, and counts those that the library gives up.
type results struct {
	open   sync.WaitGroup
	failed atomic.Int64
}

func (r *results) Success(analytics.Message) { r.open.Done() }
func (r *results) Failure(_ analytics.Message, err error) {
	log.Println(err)
	r.failed.Add(1)
	r.open.Done()
}

func main() {
	sent := &results{}
	client, err := analytics.NewWithConfig(os.Args[2], analytics.Config{Endpoint: os.Args[1], BatchSize: 50, Callback: sent})
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.Open(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var one call
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			log.Fatal(err)
		}
		sent.open.Add(1)
		if err := client.Enqueue(one.message()); err != nil {
			log.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
	// Once it is closed, the library tries nothing again.
	sent.open.Wait()
	if err := client.Close(); err != nil {
		log.Fatal(err)
	}
	if n := sent.failed.Load(); n > 0 {
		log.Fatalf("%d calls were not sent", n)
	}
}
