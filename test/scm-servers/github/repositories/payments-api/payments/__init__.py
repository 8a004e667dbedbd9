"""Application factory."""
from flask import Flask

from . import accounts, ledger, reports, webhooks


def create_app(database: str = "payments.db") -> Flask:
    app = Flask(__name__)
    app.config.from_object("payments.settings")
    app.config["DATABASE"] = database
    ledger.prepare(database)
    app.register_blueprint(accounts.blueprint)
    app.register_blueprint(ledger.blueprint)
    app.register_blueprint(reports.blueprint)
    app.register_blueprint(webhooks.blueprint)
    return app


if __name__ == "__main__":
    create_app().run(host="0.0.0.0", debug=True)
