import hashlib


def store(password):
    # ruleid: python-weak-hash
    hashlib.md5(password.encode()).hexdigest()
    # ruleid: python-weak-hash
    hashlib.new("sha1", password.encode())
    # ok: python-weak-hash
    hashlib.md5(password.encode(), usedforsecurity=False)
    # ok: python-weak-hash
    return hashlib.sha256(password.encode()).hexdigest()
