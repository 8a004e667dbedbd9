package shop

import (
	"fmt"
	"math/rand"
)

func newToken() string {
	// ruleid: go-predictable-token
	return fmt.Sprintf("%d", rand.Intn(1000000))
}

func pick(list []string) string {
	// ok: go-predictable-token
	return list[rand.Intn(len(list))]
}
