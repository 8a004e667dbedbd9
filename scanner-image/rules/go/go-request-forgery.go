package shop

import (
	"net/http"
	"net/url"
)

func preview(w http.ResponseWriter, r *http.Request) {
	target := r.URL.Query().Get("url")
	// ruleid: go-request-forgery
	http.Get(target)
	// ok: go-request-forgery
	http.Get("https://api.example.com/users?name=" + url.QueryEscape(target))
}
