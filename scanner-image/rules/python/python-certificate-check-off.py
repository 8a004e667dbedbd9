import ssl

import requests


def fetch(url):
    # ruleid: python-certificate-check-off
    requests.get(url, verify=False, timeout=5)
    # ruleid: python-certificate-check-off
    ssl._create_unverified_context()
    # ok: python-certificate-check-off
    return requests.get(url, verify="/etc/ca.crt", timeout=5)
