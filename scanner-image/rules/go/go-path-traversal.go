package shop

import (
	"net/http"
	"os"
	"path/filepath"
)

func download(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	// ruleid: go-path-traversal
	data, _ := os.ReadFile(filepath.Join("reports", name))
	w.Write(data)
	// ruleid: go-path-traversal
	http.ServeFile(w, r, "reports/"+r.FormValue("file"))
	// ok: go-path-traversal
	http.ServeFile(w, r, "reports/"+filepath.Base(name))
	// ok: go-path-traversal
	os.ReadFile("reports/summary.txt")
}
