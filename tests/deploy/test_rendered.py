# SPDX-License-Identifier: Apache-2.0
"""What kustomize makes of the base and of each overlay, validated strictly. KUSTOMIZE names the
program; `./run test --all` builds it."""

import os
import subprocess

import kubernetes_validate
import pytest
import yaml

KUSTOMIZE = os.environ.get("KUSTOMIZE")
FOREIGN = ("istio.io",)

pytestmark = pytest.mark.skipif(not KUSTOMIZE, reason="no kustomize: ./run test --all builds it")


def render(folder):
    done = subprocess.run([KUSTOMIZE, "build", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.mark.parametrize("name", ["base", "overlays/istio"])
def test_what_is_rendered_is_strictly_valid(root, name):
    documents = render(root / "deploy/k8s" / name)
    for document in documents:
        if not any(group in document["apiVersion"] for group in FOREIGN):
            kubernetes_validate.validate(document, "1.37", strict=True)
    assert {"Deployment", "Service", "ConfigMap"} <= {document["kind"] for document in documents}


def test_the_istio_overlay_has_no_envoy_and_asks_over_tcp(root):
    documents = render(root / "deploy/k8s/overlays/istio")
    pod = next(d for d in documents if d["kind"] == "Deployment")["spec"]["template"]["spec"]
    assert "envoy" not in [container["name"] for container in pod["containers"]]
    config = next(d for d in documents if d["kind"] == "ConfigMap" and "sidecar.yaml" in d["data"])["data"]["sidecar.yaml"]
    assert yaml.safe_load(config)["listeners"] == [{"address": "127.0.0.1:9191"}]
    entry = next(d for d in documents if d["kind"] == "ServiceEntry")
    assert entry["spec"]["endpoints"] == [{"address": "127.0.0.1"}]
    policy = next(d for d in documents if d["kind"] == "AuthorizationPolicy")
    assert policy["spec"]["action"] == "CUSTOM"


@pytest.mark.parametrize("name", ["base", "overlays/istio"])
def test_the_rendered_configuration_is_one_that_bartizan_reads(root, binaries, tmp_path, name):
    documents = render(root / "deploy/k8s" / name)
    config = next(d for d in documents if d["kind"] == "ConfigMap" and "sidecar.yaml" in d["data"])["data"]["sidecar.yaml"]
    for known in ("/etc/bartizan", "/var/lib/bartizan", "/run/bartizan"):
        config = config.replace(known, str(tmp_path))
    (tmp_path / "trust").mkdir()
    from credentials import Authority, Issuer

    Authority("prod.example", tmp_path / "trust")
    Issuer("https://sso.example", tmp_path / "trust")
    policy = next(d for d in documents if d["kind"] == "ConfigMap" and "inference-gateway.yaml" in d["data"])
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "inference-gateway.yaml").write_text(policy["data"]["inference-gateway.yaml"])
    (tmp_path / "revocations").mkdir()
    path = tmp_path / "sidecar.yaml"
    path.write_text(config)
    done = subprocess.run([binaries / "bartizan", "check", "--config", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
