import os

from flask import Flask, request, send_file
from werkzeug.utils import secure_filename

app = Flask(__name__)


@app.route("/download")
def download():
    name = request.args.get("name")
    # ruleid: python-path-traversal
    return send_file(os.path.join("reports", name))


@app.route("/read/<path:name>")
def read(name):
    # ruleid: python-path-traversal
    with open("reports/" + name) as file:
        return file.read()


@app.route("/safe")
def safe():
    name = secure_filename(request.args.get("name"))
    # ok: python-path-traversal
    return send_file(os.path.join("reports", name))


@app.route("/fixed")
def fixed():
    # ok: python-path-traversal
    return send_file("reports/summary.pdf")
