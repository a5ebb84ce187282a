# SPDX-License-Identifier: Apache-2.0
"""The image is built, and the pod of deploy/k8s/base runs for real under podman: read-only,
non-root, no network. Podman knows no native sidecars, so Bartizan runs as an ordinary container
there; the application is an Envoy with a direct response. Everything else is the manifest's."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from credentials import Authority, Issuer
from stack import wait_until

CONTAINERS_CONF = """[containers]
default_ulimits=["nofile=1024:1024","nproc=1024:1024"]
[engine]
runtime="runc"
cgroup_manager="cgroupfs"
events_logger="file"
"""

APPLICATION = """
static_resources:
  listeners:
    - address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: application
                route_config:
                  virtual_hosts:
                    - {name: all, domains: ["*"], routes: [{match: {prefix: "/"}, direct_response: {status: 200, body: {inline_string: "prediction"}}}]}
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
"""

needs_podman = pytest.mark.skipif(
    not (shutil.which("podman") and shutil.which("buildah") and os.geteuid() == 0),
    reason="podman and buildah, as root, are needed to run the pod: ./run test --all installs them",
)


class Podman:
    def __init__(self, folder: Path):
        conf = folder / "containers.conf"
        conf.write_text(CONTAINERS_CONF)
        storage = folder / "storage.conf"
        storage.write_text(
            f'[storage]\ndriver="vfs"\ngraphroot="{folder}/graph"\nrunroot="{folder}/run"\n'
        )
        policy = Path("/etc/containers/policy.json")
        self.environment = os.environ | {
            "CONTAINERS_CONF": str(conf), "CONTAINERS_STORAGE_CONF": str(storage),
            "BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs",
        }
        self.policy = policy

    def __call__(self, *command, check=True, timeout=300):
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, env=self.environment, timeout=timeout
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done


@pytest.fixture(scope="module")
def podman(tmp_path_factory):
    folder = tmp_path_factory.mktemp("podman")
    podman = Podman(folder)
    yield podman
    podman("podman", "pod", "rm", "--all", "--force", check=False)
    podman("podman", "system", "reset", "--force", check=False)


@pytest.fixture(scope="module")
def image(podman, root, binaries):
    done = podman(root / "deploy/k8s/image/build.sh", binaries, "localhost/bartizan:0.1.0")
    return done.stdout


def build_envoy_image(podman, envoy: Path, folder: Path):
    real = subprocess.run([envoy, "--version"], capture_output=True, text=True)
    assert real.returncode == 0
    program = next(path for path in [envoy.resolve(), *envoy.resolve().parent.parent.rglob("envoy*")]
                   if path.is_file() and path.stat().st_size > 10_000_000)
    tree = folder / "envoy-root"
    (tree / "usr/bin").mkdir(parents=True)
    shutil.copy(program, tree / "usr/bin/envoy")
    for line in subprocess.run(["ldd", program], capture_output=True, text=True).stdout.splitlines():
        for word in line.split():
            if word.startswith("/"):
                target = tree / word.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(word, target)
    (tree / "app").mkdir()
    (tree / "app/envoy.yaml").write_text(APPLICATION)
    for mount in ("etc/envoy", "etc/bartizan/trust", "etc/bartizan/svid", "tmp"):
        (tree / mount).mkdir(parents=True)
    container = podman("buildah", "from", "scratch").stdout.strip()
    podman("buildah", "copy", "-q", container, tree, "/")
    # Kubernetes gives a volume to fsGroup; podman gives it the owner of the folder in the image of
    # whichever container mounts it first.
    shared = folder / "shared"
    shared.mkdir()
    shared.chmod(0o770)
    podman("buildah", "copy", "-q", "--chown", "10002:10000", container, shared, "/run/bartizan")
    podman("buildah", "config", "--entrypoint", '["/usr/bin/envoy"]', container)
    podman("buildah", "commit", "-q", "--rm", container, "localhost/envoy:test")


def pod_documents(root, authority, server, issuer):
    """The base, as one Pod and its ConfigMaps."""
    base = root / "deploy/k8s/base"
    deployment = yaml.safe_load((base / "deployment.yaml").read_text())
    spec = deployment["spec"]["template"]["spec"]
    for container in spec["initContainers"]:
        container.pop("restartPolicy")
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            container.pop(probe)
    spec["containers"] = spec.pop("initContainers") + spec["containers"]
    images = {"bartizan": "localhost/bartizan:0.1.0", "envoy": "localhost/envoy:test", "application": "localhost/envoy:test"}
    for container in spec["containers"]:
        container["image"] = images[container["name"]]
        container["imagePullPolicy"] = "Never"
        container.pop("ports", None)  # there is no network to map them on
        if container["name"] == "application":
            container["args"] = ["-c", "/app/envoy.yaml", "--concurrency", "1", "--use-dynamic-base-id"]
        if container["name"] == "envoy":
            container["args"] += ["--use-dynamic-base-id"]
    for volume in spec["volumes"]:
        if "secret" in volume:
            volume["configMap"] = {"name": "svid"}
            del volume["secret"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "model-server"}, "spec": spec}
    kustomization = yaml.safe_load((base / "kustomization.yaml").read_text())
    maps = {
        each["name"]: {name: (base / name).read_text() for name in each["files"]}
        for each in kustomization["configMapGenerator"]
    }
    maps["trust"] = {"bundle.pem": authority.bundle_file.read_text(), "jwks.json": issuer.jwks_file.read_text()}
    maps["svid"] = {"tls.crt": server.certificate_file.read_text(), "tls.key": server.key_file.read_text()}
    documents = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data} for name, data in maps.items()
    ]
    return documents + [pod]


@needs_podman
def test_the_image_holds_the_programs_and_runs_non_root(podman, image):
    inspected = json.loads(podman("buildah", "inspect", "--type", "image", "localhost/bartizan:0.1.0").stdout)
    assert inspected["OCIv1"]["config"]["User"] == "10002:10000"
    done = podman("podman", "run", "--rm", "--network=none", "--read-only", "localhost/bartizan:0.1.0", "version")
    assert done.stdout.startswith("bartizan ")
    print(image)


@needs_podman
def test_the_pod_allows_and_denies(podman, image, root, envoy, tmp_path):
    authority = Authority("prod.example", tmp_path)
    server = authority.issue("/ns/ml-serving/sa/model-server", "server", dns=["eu.models.example"])
    caller = authority.issue("/ns/checkout/sa/api", "caller")
    issuer = Issuer("https://sso.example", tmp_path)
    build_envoy_image(podman, envoy, tmp_path)
    rendered = tmp_path / "pod.yaml"
    rendered.write_text(yaml.safe_dump_all(pod_documents(root, authority, server, issuer)))
    podman("podman", "play", "kube", "--network=none", rendered)
    inspected = podman("podman", "inspect", "--format", "{{.State.Pid}}", "model-server-envoy")
    pid = inspected.stdout.strip()

    def status(path, *identity):
        done = subprocess.run(
            ["nsenter", "-t", pid, "-n", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "5",
             "--cacert", authority.bundle_file, "--resolve", "eu.models.example:8443:127.0.0.1", *identity,
             "-X", "POST", f"https://eu.models.example:8443{path}"],
            capture_output=True, text=True,
        )
        return done.stdout

    identity = ("--cert", caller.certificate_file, "--key", caller.key_file)
    try:
        wait_until(lambda: status("/v1/models/ranker-v9:predict", *identity) == "200", 30, "the pod's first allow")
        assert status("/v1/models/fraud-v3:predict", *identity) == "403"
        assert status("/v1/models/ranker-v9:predict") == "403"
    except Exception:
        for name in ("bartizan", "envoy", "application"):
            print(name, podman("podman", "logs", f"model-server-{name}", check=False).stderr[-3000:])
        raise
    for name in ("bartizan", "envoy", "application"):
        state = json.loads(podman("podman", "inspect", f"model-server-{name}").stdout)[0]
        assert state["HostConfig"]["ReadonlyRootfs"] is True
        assert state["Config"]["User"].split(":")[0] not in ("", "0", "root")
