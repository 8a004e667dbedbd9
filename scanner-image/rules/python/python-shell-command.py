import os
import subprocess


def ping(host):
    # ruleid: python-shell-command
    os.system("ping -c 1 " + host)
    # ruleid: python-shell-command
    subprocess.run(f"ping -c 1 {host}", shell=True, check=True)
    # ruleid: python-shell-command
    subprocess.check_output("ping %s" % host, shell=True)
    # ok: python-shell-command
    subprocess.run(["ping", "-c", "1", host], check=True)
    # ok: python-shell-command
    os.system("sync")
