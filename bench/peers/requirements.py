"""What keeps a peer from running: a package that is not installed, a device or a problem that it is not made for. Imports no peer."""

from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import torch

from targetrl_core import Problem
from targetrl_core.errors import one_of
from targetrl_core.variants.variant import shared_by_optimizer

PACKAGES = ("numpy", "numba", "llvmlite", "jax", "jaxlib", "jax-cuda12-plugin", "jax-cuda13-plugin")
"""Whose versions the times of peers depend on."""

CUDA_PLUGINS = ("jax_cuda12_plugin", "jax_cuda13_plugin")


def missing(module: str) -> str | None:
    """Why a peer that needs ``module`` cannot run, or None where it is installed."""
    return None if find_spec(module) else f"{module} is not installed: pip install '.[peers]'"


def missing_jax(device: torch.device) -> str | None:
    """Why jax cannot compute on a device, found without importing it."""
    absent = missing("jax")
    if absent is None and device.type == "cuda" and not any(find_spec(plugin) for plugin in CUDA_PLUGINS):
        return "jax is installed without CUDA: pip install 'jax[cuda13]'"
    return absent


def unsuitable(name: str, problem: Problem, device: torch.device, devices: Collection[str]) -> str | None:
    """Why a peer that runs on ``devices`` alone does not train a problem on a device."""
    if device.type not in devices:
        return f"{name} runs on {one_of(devices)} alone"
    if problem.objective == "reinforce":
        return f"{name} does not draw the noise of reinforce"
    if problem.arithmetic == "portable":
        return f"{name} computes with its own functions, which are not portable arithmetic"
    if problem.optimizer == "adam":
        return shared_by_optimizer(problem, ("beta1", "beta2"), f"{name} takes its bias corrections from a table that all policies share")
    return None


def versions() -> dict[str, str]:
    """The version of each package of ``PACKAGES`` that is installed."""
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed
