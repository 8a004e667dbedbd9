package shop

import (
	"database/sql"
	"fmt"
)

func find(db *sql.DB, name string) {
	// ruleid: go-sql-from-text
	db.Query(fmt.Sprintf("SELECT * FROM users WHERE name = '%s'", name))
	query := "SELECT * FROM users WHERE name = '" + name + "'"
	// ruleid: go-sql-from-text
	db.QueryRow(query)
	// ok: go-sql-from-text
	db.Query("SELECT * FROM users WHERE name = $1", name)
	// ok: go-sql-from-text
	db.Exec("DELETE FROM users " + "WHERE expired")
}
