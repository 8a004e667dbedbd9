package shop

import "crypto/tls"

func configs() []*tls.Config {
	return []*tls.Config{
		// ruleid: go-certificate-check-off
		&tls.Config{InsecureSkipVerify: true},
		// ok: go-certificate-check-off
		&tls.Config{MinVersion: tls.VersionTLS12},
	}
}
