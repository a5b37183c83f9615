"""The node: etcd, Kubernetes, containerd, DNS, a registry, S3 and BuildKit, one process each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from script.lib.testbed import (
    BIN,
    BUILDKIT,
    CONTAINERD,
    CTR,
    DNS_IP,
    KUBECONFIG,
    KUBECTL,
    NODE_IP,
    PKI,
    PODS,
    REGISTRY,
    RUN,
    S3,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    SERVICES,
    apply,
    certificates,
    images,
    output,
    processes,
    run,
    works,
)

# restrict_oom_score_adj: a machine without the right to lower oom_score_adj cannot start a sandbox otherwise.
_CONTAINERD = f"""version = 2
root = "{RUN}/containerd"
state = "{CONTAINERD}"
[grpc]
  address = "{CONTAINERD}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{images.PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{RUN}/cni"
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."{REGISTRY}"]
    endpoint = ["http://{REGISTRY}"]
"""
_DNS = f""".:5353 {{
 bind {NODE_IP}
 errors
 kubernetes cluster.local in-addr.arpa {{
  kubeconfig {KUBECONFIG} testbed
 }}
 forward . /etc/resolv.conf
 cache 5
}}
"""


def installed() -> bool:
    """Whether the programs are there."""
    return (BIN / "kube-apiserver").exists()


def up() -> None:
    """Start everything and wait until the node takes pods."""
    RUN.mkdir(parents=True, exist_ok=True)
    _network()
    certificates.make()
    _control_plane()
    _stores()
    processes.wait("containerd", lambda: works(*CTR, "version"))
    images.load_base()
    processes.wait("API server", lambda: works(*KUBECTL, "get", "--raw", "/readyz"))
    _controllers()
    _node()
    ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    processes.wait("node", lambda: output(*KUBECTL, "get", "node", "node1", "-o", ready) == "True")
    _dns()


def wipe() -> None:
    """Stop everything and forget the cluster's state; programs and images stay."""
    processes.down()
    for folder in (RUN, CONTAINERD):
        shutil.rmtree(folder, ignore_errors=True)
    for link in ("testbed-cni0", "testbed0"):
        output("ip", "link", "del", link)


def tell_environment() -> None:
    """Print the lines to eval."""
    variables = {
        "KUBECONFIG": KUBECONFIG,
        "PATH": f"{BIN}:$PATH",
        "REGISTRY": REGISTRY,
        "S3_ENDPOINT": S3,
        "S3_ACCESS_KEY": S3_ACCESS_KEY,
        "S3_SECRET_KEY": S3_SECRET_KEY,
        "BUILDKIT_HOST": BUILDKIT,
    }
    for name, value in variables.items():
        print(f"export {name}={value}")


def _configured(name: str, content: dict[str, Any] | str) -> Path:
    """A configuration file of a program."""
    file = RUN / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def _network() -> None:
    if not works("ip", "link", "show", "testbed0"):
        run("ip", "link", "add", "testbed0", "type", "bridge")
        run("ip", "addr", "add", f"{NODE_IP}/24", "dev", "testbed0")
        run("ip", "link", "set", "testbed0", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    addresses = {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "testbed-cni0", "isGateway": True, "ipMasq": True, "hairpinMode": True}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    plugins = [{**bridge, "ipam": addresses}, ports]
    _configured("cni/10-testbed.conflist", {"cniVersion": "0.4.0", "name": "testbed", "plugins": plugins})


def _control_plane() -> None:
    etcd = "http://127.0.0.1:2379"
    processes.start(
        "etcd",
        *(BIN / "etcd", "--data-dir", RUN / "etcd", "--listen-client-urls", etcd, "--advertise-client-urls", etcd),
        *("--listen-peer-urls", "http://127.0.0.1:2380", "--log-level", "warn"),
    )
    processes.start(
        "apiserver",
        BIN / "kube-apiserver",
        *(f"--etcd-servers={etcd}", f"--advertise-address={NODE_IP}", "--secure-port=6443"),
        *(f"--service-cluster-ip-range={SERVICES}", f"--client-ca-file={PKI}/ca.crt"),
        *(f"--tls-cert-file={PKI}/api.crt", f"--tls-private-key-file={PKI}/api.key"),
        *(f"--service-account-key-file={PKI}/sa.pub", f"--service-account-signing-key-file={PKI}/sa.key"),
        *("--service-account-issuer=https://kubernetes.default.svc", "--authorization-mode=Node,RBAC"),
        *("--enable-admission-plugins=NodeRestriction", "--kubelet-preferred-address-types=InternalIP"),
        *(f"--kubelet-client-certificate={PKI}/kubelet-client.crt", f"--kubelet-client-key={PKI}/kubelet-client.key"),
        "--allow-privileged=true",
    )


def _stores() -> None:
    processes.start("containerd", "containerd", "--config", _configured("containerd.toml", _CONTAINERD))
    registry = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": f"{RUN}/registry"}, "delete": {"enabled": True}},
        "http": {"addr": REGISTRY},
    }
    processes.start("registry", "docker-registry", "serve", _configured("registry.yml", registry))
    keys = {"accessKey": S3_ACCESS_KEY, "secretKey": S3_SECRET_KEY}
    identity = {
        "name": "testbed",
        "credentials": [keys],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    s3 = _configured("s3.json", {"identities": [identity]})
    (RUN / "s3").mkdir(exist_ok=True)
    processes.start(
        "s3",
        *(BIN / "weed", "server", f"-dir={RUN}/s3", f"-ip={NODE_IP}", "-s3", f"-s3.config={s3}"),
        *("-volume.max=20", "-master.volumeSizeLimitMB=128"),
    )
    processes.start(
        "buildkitd",
        *(BIN / "buildkitd", "--root", RUN / "buildkit", "--addr", BUILDKIT),
        *("--config", _configured("buildkitd.toml", f'[registry."{REGISTRY}"]\n  http = true\n')),
        *("--containerd-worker=false", "--oci-worker=true"),
    )


def _controllers() -> None:
    processes.start(
        "controller-manager",
        *(BIN / "kube-controller-manager", f"--kubeconfig={RUN}/kcm.kubeconfig", f"--root-ca-file={PKI}/ca.crt"),
        *(f"--service-account-private-key-file={PKI}/sa.key", "--use-service-account-credentials=true"),
        *("--leader-elect=false", "--bind-address=127.0.0.1"),
    )
    processes.start(
        "scheduler",
        *(BIN / "kube-scheduler", f"--kubeconfig={RUN}/scheduler.kubeconfig"),
        *("--leader-elect=false", "--bind-address=127.0.0.1"),
    )


def _node() -> None:
    resolver = _configured("resolv.conf", "nameserver 127.0.0.53\n")
    who = {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": {"clientCAFile": f"{PKI}/ca.crt"}}
    kubelet = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}/containerd.sock",
        "authentication": who,
        "authorization": {"mode": "Webhook"},
        "clusterDNS": [DNS_IP],
        "clusterDomain": "cluster.local",
        "resolvConf": str(resolver),
        "evictionHard": {"memory.available": "200Mi"},
        "imageGCHighThresholdPercent": 100,
        "maxPods": 250,
        "serializeImagePulls": False,
    }
    processes.start(
        "kubelet",
        *(BIN / "kubelet", f"--config={_configured('kubelet.yaml', kubelet)}"),
        *(f"--kubeconfig={RUN}/kubelet.kubeconfig", f"--root-dir={RUN}/kubelet"),
        *("--hostname-override=node1", f"--node-ip={NODE_IP}"),
    )
    tracking = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
    proxy = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": PODS,
        "hostnameOverride": "node1",
        "clientConnection": {"kubeconfig": f"{RUN}/proxy.kubeconfig"},
        "conntrack": tracking,
    }
    processes.start("kube-proxy", BIN / "kube-proxy", f"--config={_configured('proxy.yaml', proxy)}")
    processes.start("coredns", BIN / "coredns", "-conf", _configured("Corefile", _DNS))


def _dns() -> None:
    """DNS runs on the node; a Service without selector leads to it."""
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    ports = [{"name": f"dns-{protocol.lower()}", "protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    service = {"clusterIP": DNS_IP, "ports": [{**port, "targetPort": 5353} for port in ports]}
    slice_of = {**metadata, "name": "kube-dns-node", "labels": {"kubernetes.io/service-name": "kube-dns"}}
    apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": slice_of,
            "addressType": "IPv4",
            "endpoints": [{"addresses": [NODE_IP]}],
            "ports": [{**port, "port": 5353} for port in ports],
        },
    )
