package shop

import (
	"fmt"
	"html"
	"net/http"
)

func hello(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	// ruleid: go-html-from-request
	fmt.Fprintf(w, "<h1>Hello %s</h1>", name)
	// ruleid: go-html-from-request
	w.Write([]byte("<p>" + name + "</p>"))
	// ok: go-html-from-request
	fmt.Fprintf(w, "<h1>Hello %s</h1>", html.EscapeString(name))
	// ok: go-html-from-request
	fmt.Fprintf(w, "<h1>Hello</h1>")
}
