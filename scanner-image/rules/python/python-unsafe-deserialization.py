import json
import pickle

import yaml


def restore(data):
    # ruleid: python-unsafe-deserialization
    pickle.loads(data)
    # ruleid: python-unsafe-deserialization
    yaml.load(data)
    # ruleid: python-unsafe-deserialization
    yaml.load(data, Loader=yaml.Loader)
    # ok: python-unsafe-deserialization
    yaml.load(data, Loader=yaml.SafeLoader)
    # ok: python-unsafe-deserialization
    yaml.safe_load(data)
    # ok: python-unsafe-deserialization
    return json.loads(data)
