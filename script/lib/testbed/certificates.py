"""The cluster's certificates and the kubeconfigs that hold them."""

from __future__ import annotations

import base64
import json
import subprocess

from script.lib.testbed import API_IP, NODE_IP, PKI, RUN, run

_SERVICE = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
_USERS = {
    "admin": "/O=system:masters/CN=admin",
    "kcm": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "kubelet": "/O=system:nodes/CN=system:node:node1",
    "proxy": "/CN=system:kube-proxy",
}


def make() -> None:
    """Make the authority, the certificates it gives and a kubeconfig for each user, unless they are there."""
    if PKI.exists():
        return
    PKI.mkdir(parents=True)
    subject = ("-subj", "/CN=testbed-ca", "-keyout", "ca.key", "-out", "ca.crt")
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", *subject)
    _openssl("genrsa", "-out", "sa.key", "2048")
    _openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
    addresses = [f"IP:{address}" for address in (NODE_IP, "127.0.0.1", API_IP)]
    _issue("api", "/CN=kube-apiserver", names=",".join(addresses + [f"DNS:{name}" for name in _SERVICE]))
    _issue("kubelet-client", "/O=system:masters/CN=apiserver-kubelet")
    for name, who in _USERS.items():
        _issue(name, who)
        (RUN / f"{name}.kubeconfig").write_text(json.dumps(_kubeconfig(name)))


def _openssl(*argv: str) -> None:
    run("openssl", *argv, cwd=PKI, stderr=subprocess.DEVNULL)


def _issue(name: str, subject: str, *, names: str = "") -> None:
    extensions = f"basicConstraints=CA:FALSE\n{f'subjectAltName={names}' if names else ''}\n"
    (PKI / f"{name}.ext").write_text(extensions)
    key = ("-keyout", f"{name}.key", "-out", f"{name}.csr")
    _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject, *key)
    authority = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{name}.ext")
    _openssl("x509", "-req", "-days", "3650", "-in", f"{name}.csr", *authority, "-out", f"{name}.crt")


def _kubeconfig(name: str) -> dict[str, object]:
    server = {"server": f"https://{NODE_IP}:6443", "certificate-authority-data": _text("ca.crt")}
    user = {"client-certificate-data": _text(f"{name}.crt"), "client-key-data": _text(f"{name}.key")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "testbed",
        "clusters": [{"name": "testbed", "cluster": server}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": name}}],
    }


def _text(file: str) -> str:
    return base64.b64encode((PKI / file).read_bytes()).decode()
