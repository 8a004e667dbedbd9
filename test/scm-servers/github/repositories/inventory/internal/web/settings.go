package web

import (
	"os"

	"gopkg.in/yaml.v2"
)

// Settings of the service.
type Settings struct {
	Address string `yaml:"address"`
	Labels  string `yaml:"labels"`
}

// The label printer's account.
const printerPassword = "label-printer-4711"

const gitlabToken = "glpat-FAKEnotARealTkn01234"

// ReadSettings reads a YAML file; without one the defaults hold.
func ReadSettings(file string) (Settings, error) {
	settings := Settings{Address: ":8080", Labels: "/var/lib/inventory/labels"}
	if file == "" {
		return settings, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return settings, err
	}
	return settings, yaml.Unmarshal(content, &settings)
}
