package shop

import (
	"crypto/md5"
	"crypto/sha256"
)

func store(password string) {
	// ruleid: go-weak-hash
	md5.Sum([]byte(password))
	// ok: go-weak-hash
	sha256.Sum256([]byte(password))
}
