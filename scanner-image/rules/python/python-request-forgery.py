import requests
from flask import Flask, request

app = Flask(__name__)
HOSTS = {"eu": "https://eu.example.com", "us": "https://us.example.com"}


@app.route("/fetch")
def fetch():
    # ruleid: python-request-forgery
    return requests.get(request.args["url"], timeout=5).text


@app.route("/proxy")
def proxy():
    target = request.form.get("target")
    # ruleid: python-request-forgery
    return requests.post("https://" + target + "/hook", timeout=5).text


@app.route("/safe")
def safe():
    # ok: python-request-forgery
    return requests.get("https://eu.example.com/status", timeout=5).text
