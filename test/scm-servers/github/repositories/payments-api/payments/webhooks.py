"""Calls other services when a payment was made."""
import requests
from flask import Blueprint, jsonify, request

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@blueprint.post("/test")
def test_hook():
    url = request.args["url"]
    answer = requests.get(url, timeout=5)
    return jsonify(status=answer.status_code)


def notify(url: str, payment: dict) -> int:
    return requests.post(url, json=payment, verify=False, timeout=5).status_code
