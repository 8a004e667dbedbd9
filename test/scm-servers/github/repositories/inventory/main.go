// Command inventory serves the stock of all warehouses.
package main

import (
	"database/sql"
	"log"
	"net/http"
	"os"

	"example.test/inventory/internal/store"
	"example.test/inventory/internal/web"
	_ "github.com/lib/pq"
)

func main() {
	settings, err := web.ReadSettings(os.Getenv("INVENTORY_SETTINGS"))
	if err != nil {
		log.Fatal(err)
	}
	database, err := sql.Open("postgres", os.Getenv("INVENTORY_DATABASE"))
	if err != nil {
		log.Fatal(err)
	}
	items := store.New(database)
	log.Printf("listening on %s", settings.Address)
	log.Fatal(http.ListenAndServe(settings.Address, web.Routes(items, settings)))
}
