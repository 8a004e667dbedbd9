from flask import Flask, render_template_string, request

app = Flask(__name__)


@app.route("/hello")
def hello():
    name = request.args.get("name", "")
    # ruleid: python-template-from-request
    return render_template_string("<h1>Hello " + name + "</h1>")


@app.route("/safe")
def safe():
    name = request.args.get("name", "")
    # ok: python-template-from-request
    return render_template_string("<h1>Hello {{ name }}</h1>", name=name)
