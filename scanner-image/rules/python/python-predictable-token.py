import random
import secrets
import string


def reset():
    # ruleid: python-predictable-token
    token = "".join(random.choice(string.ascii_letters) for _ in range(20))
    # ok: python-predictable-token
    safe_token = secrets.token_urlsafe(20)
    # ok: python-predictable-token
    colour = random.choice(["red", "green"])
    return token, safe_token, colour
