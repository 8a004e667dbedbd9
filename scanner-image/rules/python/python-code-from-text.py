import ast


def calculate(text):
    # ruleid: python-code-from-text
    eval(text)
    # ruleid: python-code-from-text
    exec(f"result = {text}")
    # ok: python-code-from-text
    eval("1 + 1")
    # ok: python-code-from-text
    return ast.literal_eval(text)
