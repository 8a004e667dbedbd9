"""Exports for accounting."""
import os
import pickle
import subprocess

import yaml
from flask import Blueprint, current_app, jsonify, request, send_file

blueprint = Blueprint("reports", __name__, url_prefix="/reports")


@blueprint.post("/template")
def template():
    layout = yaml.load(request.data, Loader=yaml.Loader)
    return jsonify(columns=list(layout.get("columns", [])))


@blueprint.post("/resume")
def resume():
    state = pickle.loads(request.data)
    return jsonify(position=state["position"])


@blueprint.post("/compress")
def compress():
    name = request.form["name"]
    subprocess.run("gzip -k " + name, shell=True, check=True)
    return "", 204


@blueprint.post("/mail")
def mail():
    os.system(f"mail -s 'Your report' {request.form['address']} < report.txt")
    return "", 204


@blueprint.get("/download")
def download():
    name = request.args["name"]
    path = os.path.join(current_app.config["EXPORT_DIRECTORY"], name)
    with open(path, "rb") as report:
        return report.read()


@blueprint.get("/total")
def total():
    formula = request.args.get("formula", "0")
    return jsonify(total=eval(formula))


@blueprint.get("/latest")
def latest():
    return send_file(os.path.join(current_app.config["EXPORT_DIRECTORY"], "latest.csv"))
