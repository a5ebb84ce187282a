# SPDX-License-Identifier: Apache-2.0
"""Every manifest we ship, validated strictly, and every document inside one read by its own reader."""

import subprocess

import kubernetes_validate
import pytest
import yaml

VERSION = "1.37"


def manifests(root):
    for path in sorted((root / "deploy" / "k8s").rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield path, document


def kubernetes_resources(root):
    foreign = ("kustomize.config.k8s.io", "bartizan.dev", "istio.io")
    for path, document in manifests(root):
        version = document.get("apiVersion", "")
        if version and not any(group in version for group in foreign) and not path.name.endswith(".patch.yaml"):
            yield path, document


def test_every_kubernetes_manifest_is_strictly_valid(root):
    seen = 0
    for path, document in kubernetes_resources(root):
        kubernetes_validate.validate(document, VERSION, strict=True)
        seen += 1
    assert seen >= 4


def test_a_manifest_with_an_unknown_field_would_be_refused(root):
    path, document = next(kubernetes_resources(root))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document | {"specification": {}}, VERSION, strict=True)


def test_manifests_name_only_files_that_exist(root):
    for path, document in manifests(root):
        if document.get("kind") != "Kustomization":
            continue
        names = list(document.get("resources", []))
        names += [patch["path"] for patch in document.get("patches", [])]
        for generator in document.get("configMapGenerator", []):
            names += generator["files"]
        for name in names:
            assert (path.parent / name).exists(), f"{path} names {name}"


def test_every_container_of_a_manifest_is_restricted(root):
    pods = [d["spec"]["template"]["spec"] for _, d in kubernetes_resources(root) if d["kind"] == "Deployment"]
    assert pods
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["initContainers"] + pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, container["name"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert isinstance(context["runAsUser"], int) and context["runAsUser"] > 0
            assert "memory" in container["resources"]["limits"]


def test_bartizan_is_a_native_sidecar_with_probes_in_the_manifest(root):
    pod = next(d for _, d in kubernetes_resources(root) if d["kind"] == "Deployment")["spec"]["template"]["spec"]
    bartizan = next(c for c in pod["initContainers"] if c["name"] == "bartizan")
    assert bartizan["restartPolicy"] == "Always"
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= bartizan.keys()


def test_the_istio_manifest_sets_a_timeout_and_a_status_on_error(root):
    mesh = yaml.safe_load((root / "deploy/k8s/overlays/istio/meshconfig.yaml").read_text())
    provider = mesh["extensionProviders"][0]["envoyExtAuthzGrpc"]
    assert provider["failOpen"] is False and provider["statusOnError"] == "503"
    assert provider["timeout"] == "0.25s"
    assert mesh["defaultConfig"]["proxyHeaders"]["setCurrentClientCertDetails"]["cert"] is True


def test_the_policy_in_the_manifests_passes_its_tests(root, binaries):
    done = subprocess.run(
        [binaries / "bartizan", "policy", "test", root / "deploy/k8s/base/inference-gateway.yaml"],
        capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["base/envoy.yaml"])
def test_envoy_accepts_the_manifests_configuration(root, envoy, tmp_path, name):
    """Envoy's own validation, with the certificate files it names made for the test."""
    from credentials import Authority

    authority = Authority("prod.example", tmp_path)
    server = authority.issue("/ns/ml-serving/sa/model-server", "server")
    text = (root / "deploy/k8s" / name).read_text()
    for said, real in (
        ("/etc/bartizan/svid/tls.crt", server.certificate_file),
        ("/etc/bartizan/svid/tls.key", server.key_file),
        ("/etc/bartizan/trust/bundle.pem", authority.bundle_file),
    ):
        text = text.replace(said, str(real))
    config = tmp_path / "envoy.yaml"
    config.write_text(text)
    done = subprocess.run([envoy, "--mode", "validate", "-c", config], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_manifests_policy_is_the_demos(root):
    ours = (root / "deploy/k8s/base/inference-gateway.yaml").read_bytes()
    assert ours == (root / "deploy/demo/policy/inference-gateway.yaml").read_bytes()
