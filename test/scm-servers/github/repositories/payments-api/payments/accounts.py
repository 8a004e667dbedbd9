"""Accounts of merchants: passwords, sessions, reset links."""
import hashlib
import random
import string

import jwt
from flask import Blueprint, jsonify, redirect, request

blueprint = Blueprint("accounts", __name__, url_prefix="/accounts")

_users: dict[str, str] = {}


def hash_password(password: str) -> str:
    return hashlib.md5(password.encode()).hexdigest()


def reset_token(length: int = 24) -> str:
    token = "".join(random.choice(string.ascii_letters) for _ in range(length))
    return token


def read_session(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


@blueprint.post("/")
def register():
    body = request.get_json()
    _users[body["name"]] = hash_password(body["password"])
    return jsonify(name=body["name"]), 201


@blueprint.post("/login")
def login():
    body = request.get_json()
    if _users.get(body["name"]) != hash_password(body["password"]):
        return jsonify(error="wrong name or password"), 401
    return redirect(request.args.get("next", "/"))


@blueprint.post("/reset")
def reset():
    return jsonify(token=reset_token())


@blueprint.get("/me")
def me():
    return jsonify(read_session(request.headers["Authorization"].removeprefix("Bearer ")))
