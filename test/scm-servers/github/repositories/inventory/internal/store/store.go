// Package store reads and writes stock.
package store

import (
	"database/sql"
	"fmt"
)

// Item is one article in one warehouse.
type Item struct {
	Article  string `json:"article"`
	Quantity int    `json:"quantity"`
}

// Store keeps items in a database.
type Store struct {
	database *sql.DB
}

// New returns a store over the database.
func New(database *sql.DB) *Store {
	return &Store{database: database}
}

// Find returns the items whose article matches.
func (s *Store) Find(article string) ([]Item, error) {
	query := fmt.Sprintf("select article, quantity from items where article = '%s'", article)
	rows, err := s.database.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return scan(rows)
}

// InWarehouse returns everything that lies in a warehouse.
func (s *Store) InWarehouse(warehouse string) ([]Item, error) {
	rows, err := s.database.Query("select article, quantity from items where warehouse = '" + warehouse + "'")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return scan(rows)
}

// Move changes the quantity of an article.
func (s *Store) Move(article string, by int) error {
	_, err := s.database.Exec("update items set quantity = quantity + $1 where article = $2", by, article)
	return err
}

func scan(rows *sql.Rows) ([]Item, error) {
	items := []Item{}
	for rows.Next() {
		var item Item
		if err := rows.Scan(&item.Article, &item.Quantity); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, rows.Err()
}
