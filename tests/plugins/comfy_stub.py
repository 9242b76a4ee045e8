"""A stub of ComfyUI: its loader of folders, its executor, its editor, and what nodes ask it for."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch


class EmptyLatentImage:
    """ComfyUI's own, which the example begins with."""

    FUNCTION = "generate"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {name: ("INT", {}) for name in ("width", "height", "batch_size")}}

    def generate(self, width, height, batch_size):
        return ({"samples": torch.zeros(batch_size, 4, height // 8, width // 8)},)


class Nested:
    """ComfyUI's nested latents: several tensors that it unbinds."""

    is_nested = True

    def __init__(self, tensors):
        self.tensors = list(tensors)

    def unbind(self):
        return self.tensors


def load(folder: Path) -> ModuleType:
    """As ComfyUI's `load_custom_node` does with a folder."""
    name = str(folder).replace(".", "_x_")
    spec = spec_from_file_location(name, folder / "__init__.py")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def modules(output: Path) -> dict[str, SimpleNamespace]:
    """ComfyUI's modules that nodes ask for its output folder and its arguments, by their names."""
    arguments = SimpleNamespace(disable_metadata=False)

    def path(prefix, _):
        folder, name = output / Path(prefix).parent, Path(prefix).name
        folder.mkdir(exist_ok=True)
        return str(folder), name, len(list(folder.iterdir())) + 1, str(Path(prefix).parent), prefix

    folders = {"get_output_directory": lambda: str(output), "get_save_image_path": path}
    return {
        "folder_paths": SimpleNamespace(**folders),
        "comfy": SimpleNamespace(),
        "comfy.cli_args": SimpleNamespace(args=arguments),
    }


def execute(pack, name: str, **inputs):
    """A node as ComfyUI runs it: by its own description, with defaults where nothing is set."""
    node = pack.NODE_CLASS_MAPPINGS[name]
    declared = node.INPUT_TYPES()
    values = {key: inputs.pop(key) for key in declared.get("hidden", {}) if key in inputs}
    for key, (kind, *options) in declared["required"].items():
        if kind in ("MASK", "NOISE", "LATENT"):
            values[key] = inputs.pop(key)
            continue
        settings = options[0] if options else {}
        default = settings.get("default", kind[0] if isinstance(kind, list) else None)
        values[key] = inputs.pop(key, default)
        if isinstance(kind, list):
            assert values[key] in kind
        elif kind != "STRING":
            assert settings["min"] <= values[key] <= settings["max"]
    assert not inputs
    results = getattr(node(), node.FUNCTION)(**values)
    if isinstance(results, dict):
        assert node.OUTPUT_NODE and not node.RETURN_TYPES
        return results["ui"]
    return dict(zip(node.RETURN_TYPES, results, strict=True))


def prompt_of(workflow: dict, nodes: dict) -> dict:
    """A workflow as ComfyUI's editor hands it to the executor, as far as Save Noise needs it."""
    links = {number: [str(source), slot] for number, source, slot, *_ in workflow["links"]}
    there = {node["id"]: node for node in workflow["nodes"]}
    prompt, wanted = {}, [12]
    for number in wanted:
        node = there[number]
        values = iter(node["widgets_values"])
        inputs = {each["name"]: links[each["link"]] for each in node["inputs"]}
        wanted += [int(source) for source, _ in inputs.values()]
        for name, (_, *options) in nodes[node["type"]].INPUT_TYPES()["required"].items():
            if name not in inputs:
                inputs[name] = next(values)
                if options and options[0].get("control_after_generate"):
                    assert next(values) == "fixed"
        assert not list(values)
        prompt[str(number)] = {"class_type": node["type"], "inputs": inputs}
    return prompt


def run(graph: dict, nodes: dict, number: str = "12", **hidden):
    """ComfyUI's executor, in short: what a node takes from others, and then itself."""
    node = nodes[graph[number]["class_type"]]
    inputs = {
        name: run(graph, nodes, value[0])[value[1]] if isinstance(value, list) else value
        for name, value in graph[number]["inputs"].items()
    }
    return getattr(node(), node.FUNCTION)(**inputs, **hidden)
