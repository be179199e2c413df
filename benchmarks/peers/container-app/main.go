// The little program in every container of the Docker benchmark: an HTTP server that takes 2 ms for an answer, and
// says in x-version which container it is (NAME).
//
// STOP says what SIGTERM does: "finish" ends the server as its library does (it accepts no more, idle connections are
// closed, what is in flight is answered), "exit" ends the process at once.
package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const work = 2 * time.Millisecond

func main() {
	name := os.Getenv("NAME")
	server := &http.Server{Addr: ":8080", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(work)
		w.Header().Set("X-Version", name)
		_, _ = w.Write([]byte(name + "\n"))
	})}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	finished := make(chan struct{})
	go func() {
		<-ended
		if os.Getenv("STOP") == "exit" {
			os.Exit(0)
		}
		_ = server.Shutdown(context.Background())
		close(finished)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		panic(err)
	}
	<-finished
}
