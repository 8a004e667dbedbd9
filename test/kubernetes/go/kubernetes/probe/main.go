// A pod's view of the network, for tests.
//
//	probe listen ADDRESS          accepts connections until it is stopped
//	probe dial SECONDS ADDRESS…   prints "ADDRESS open" or "ADDRESS refused: why" for each, one line after the other
//	probe identity                prints the user id and the user namespace's map
package main

import (
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: probe listen|dial|identity …")
	}
	switch verb, rest := os.Args[1], os.Args[2:]; {
	case verb == "listen" && len(rest) == 1:
		listen(rest[0])
	case verb == "dial" && len(rest) > 1:
		seconds, err := strconv.Atoi(rest[0])
		if err != nil {
			log.Fatal(err)
		}
		for _, address := range rest[1:] {
			dial(address, time.Duration(seconds)*time.Second)
		}
	case verb == "identity":
		mapping, err := os.ReadFile("/proc/self/uid_map")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("uid %d map %s\n", os.Getuid(), strings.Join(strings.Fields(string(mapping)), " "))
	default:
		log.Fatalf("cannot %q", os.Args[1:])
	}
}

func listen(address string) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		connection.Close()
	}
}

func dial(address string, patience time.Duration) {
	connection, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		fmt.Printf("%s refused: %v\n", address, err)
		return
	}
	connection.Close()
	fmt.Printf("%s open\n", address)
}
