module example.test/inventory

go 1.21

require (
	github.com/dgrijalva/jwt-go v3.2.0+incompatible
	github.com/lib/pq v1.10.9
	golang.org/x/text v0.3.5
	gopkg.in/yaml.v2 v2.2.2
)
