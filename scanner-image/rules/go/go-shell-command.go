package shop

import "os/exec"

func ping(host string) {
	// ruleid: go-shell-command
	exec.Command("sh", "-c", "ping -c 1 "+host).Run()
	// ok: go-shell-command
	exec.Command("ping", "-c", "1", host).Run()
	// ok: go-shell-command
	exec.Command("sh", "-c", "sync").Run()
}
