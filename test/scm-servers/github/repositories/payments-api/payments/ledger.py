"""The ledger: every payment is one row."""
import sqlite3
from decimal import Decimal

from flask import Blueprint, current_app, jsonify, request

blueprint = Blueprint("ledger", __name__, url_prefix="/payments")

SCHEMA = """
create table if not exists payments (
    id integer primary key,
    customer text not null,
    amount text not null,
    currency text not null,
    created text default current_timestamp
)
"""


def prepare(database: str) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(SCHEMA)


def connect() -> sqlite3.Connection:
    connection = sqlite3.connect(current_app.config["DATABASE"])
    connection.row_factory = sqlite3.Row
    return connection


@blueprint.get("/")
def search():
    customer = request.args.get("customer", "")
    cursor = connect().cursor()
    cursor.execute("select * from payments where customer = '" + customer + "' order by id")
    return jsonify([dict(row) for row in cursor.fetchall()])


@blueprint.get("/largest")
def largest():
    order = request.args.get("order", "desc")
    cursor = connect().cursor()
    cursor.execute(f"select * from payments order by cast(amount as real) {order} limit 10")
    return jsonify([dict(row) for row in cursor.fetchall()])


@blueprint.post("/")
def create():
    body = request.get_json()
    amount = Decimal(str(body["amount"]))
    if amount <= 0:
        return jsonify(error="amount must be positive"), 400
    with connect() as connection:
        cursor = connection.execute(
            "insert into payments (customer, amount, currency) values (?, ?, ?)",
            (body["customer"], str(amount), current_app.config["CURRENCY"]),
        )
    return jsonify(id=cursor.lastrowid), 201


@blueprint.get("/<int:payment_id>")
def one(payment_id: int):
    row = connect().execute("select * from payments where id = ?", (payment_id,)).fetchone()
    return (jsonify(dict(row)), 200) if row else (jsonify(error="no such payment"), 404)
