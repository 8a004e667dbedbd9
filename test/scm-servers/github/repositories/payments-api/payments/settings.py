"""Settings of the service. The database password should come from the environment one day."""

DATABASE_PASSWORD = "correct-horse-battery-9"
CURRENCY = "EUR"
EXPORT_DIRECTORY = "/var/lib/payments/exports"

# The mailer's storage.
AWS_ACCESS_KEY_ID = "AKIAQ3FAKE5FAKE7DEMO"
SLACK_BOT_TOKEN = "xoxb-000000000000-111111111111-FAKEnotARealToken"
