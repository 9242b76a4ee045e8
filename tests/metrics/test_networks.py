"""Networks of the published classes with random weights: fetched from a hub at pinned commits, and
equal to what their own libraries make of the same pictures."""

from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
import torch
from PIL import Image
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torchvision.transforms.functional import to_tensor
from transformers import (
    BitImageProcessor,
    Dinov2Model,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

from experiments.compose import compose
from metrics import HPS, GalleryBatch, MetricSuite, VQAScore, weights
from metrics.features import DINOv2Features, InceptionFeatures, OpenCLIPFeatures, YesOrNo
from metrics.weights.file import URL
from scripts.rehearsal import evaluators
from scripts.rehearsal.hub import Repository, serve
from scripts.rehearsal.networks import clip_tokenizer

COMMIT = "0123456789" * 4
SOURCE = f"open_clip:ViT-B-16-SigLIP2-256/webli@{COMMIT}"
TEXTS = ["a bed", "a red rug", "a window at night and a lamp beside it, seen from the door"]

SIGLIP_TEXT = {
    "vocab_size": 600, "hf_tokenizer_name": "where it was published", "no_causal_mask": True,
    "proj_bias": True, "pool_type": "last", "tokenizer_kwargs": {"clean": "canonicalize"},
}  # fmt: skip
SIGLIP = {"custom_text": True, "init_logit_bias": -10}
SQUASH = {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}


def siglip(folder: Path) -> None:
    """A SigLIP 2 of open_clip, which has a tokenizer of its own."""
    text = {**evaluators.OPEN_CLIP["text_cfg"], **SIGLIP_TEXT}
    folder.mkdir(parents=True)
    clip_tokenizer().save_pretrained(folder)
    config = {**evaluators.OPEN_CLIP, "text_cfg": text, **SIGLIP}
    evaluators.clip_of_open_clip(folder, config, preprocessing=SQUASH)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub with all of them, where the variants are their stand-ins; the requests to it."""
    folder, requests, patch = tmp_path_factory.mktemp("hub"), [], pytest.MonkeyPatch()
    torch.manual_seed(0)
    builders = {
        "openclip_vit_h14": evaluators.clip_h,
        "dinov2_base": evaluators.dinov2,
        "smolvlm_500m": evaluators.smolvlm,
    }
    revisions = {"timm/ViT-B-16-SigLIP2-256": COMMIT}
    siglip(folder / "timm/ViT-B-16-SigLIP2-256")
    for name, build in builders.items():
        variant = weights.VARIANTS[name]
        build(folder / variant.repository)
        revisions[variant.repository] = variant.revision
        if file := evaluators.CHECKED.get(name):
            found = weights.sha256(folder / variant.repository / file)
            patch.setitem(weights.VARIANTS, name, replace(variant, sha256=found))
    fine_tuned = folder / "hps.pt"
    evaluators.hps(fine_tuned)
    repositories = {name: Repository(folder / name, commit) for name, commit in revisions.items()}
    with serve(
        repositories=repositories, plain={"/hps.pt": fine_tuned}, requests=requests
    ) as endpoint:
        constants = "huggingface_hub.constants."
        template = f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        patch.setattr(f"{constants}ENDPOINT", endpoint)
        patch.setattr(f"{constants}HUGGINGFACE_CO_URL_TEMPLATE", template)
        patch.setattr(f"{constants}HF_HUB_CACHE", str(folder / "cache"))
        patch.setenv("COUPLE_TO_CONTROL_CACHE", str(folder / "files"))
        found = weights.sha256(fine_tuned)
        at = URL(url=f"{endpoint}/hps.pt", sha256=found)
        hps = replace(weights.VARIANTS["hps_v21"], sha256=found, sources=(at,))
        patch.setitem(weights.VARIANTS, "hps_v21", hps)
        yield requests
    patch.undo()


def pictures(images):
    return [Image.fromarray(x.permute(1, 2, 0).numpy()) for x in images]


@pytest.mark.parametrize("size", [(64, 64), (96, 120), (50, 40)])
def test_dinov2_is_transformers_own(hub, random_images, size):
    images = random_images(3, 3, *size)
    folder = weights.locate("dinov2_base")
    model = Dinov2Model.from_pretrained(folder).eval()
    ours = DINOv2Features(source="dinov2_base")
    found = ours.images(images)
    assert found.shape == (3, 32)
    for processor, tolerance in ((BitImageProcessor, 1e-6), (BitImageProcessorPil, 2e-2)):
        pixels = processor.from_pretrained(folder)(pictures(images), return_tensors="pt")
        with torch.no_grad():
            state = model(**pixels).last_hidden_state
        torch.testing.assert_close(found, state[:, 0], rtol=0, atol=tolerance)
    torch.testing.assert_close(ours.images(images / 255), found, rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:1 of 3 texts exceed")
@pytest.mark.parametrize("source", ["openclip_vit_h14", SOURCE])
@pytest.mark.parametrize("size", [(32, 32), (48, 64)])
def test_any_open_clip_model_is_open_clips_own(hub, random_images, source, size):
    """Preprocessing, both towers and the tokenizer, to the bit; from the hub at its commit."""
    images = random_images(3, 3, *size)
    ours = OpenCLIPFeatures(source=source, config=source, resize_mode=None)
    name = f"local-dir:{weights.locate(source)}"
    model, _, transform = open_clip.create_model_and_transforms(name)
    model.eval().requires_grad_(False)  # with gradients torch's attention takes another path
    tokens = open_clip.get_tokenizer(name)(TEXTS)
    with torch.no_grad():
        expected = model.encode_image(torch.stack([*map(transform, pictures(images))]))
        words = model.encode_text(tokens)
    torch.testing.assert_close(ours.images(images), expected, rtol=0, atol=0)
    torch.testing.assert_close(ours.texts(TEXTS), words, rtol=0, atol=0)
    assert words.std(0).min() > 0
    assert not [request for request in hub if ".bin" in request]


def test_texts_beyond_the_length_are_told_once(hub):
    ours = OpenCLIPFeatures(source=SOURCE, config=SOURCE, resize_mode=None)
    with pytest.warns(UserWarning, match="1 of 3 texts exceed 16 tokens and are truncated"):
        ours.texts(TEXTS)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("open_clip:ViT-B-16-SigLIP2-256/webli", "names no commit: .*timm/ViT-B-16-SigLIP2-256"),
        (f"open_clip:ViT-B-32/openia@{COMMIT}", "open_clip has no openia of ViT-B-32 on a hub"),
        (f"open_clip:nothing@{COMMIT}", "open_clip has no nothing of this model"),
    ],
)
def test_what_pins_nothing_is_refused(source, message):
    with pytest.raises(weights.WeightsError, match=message):
        weights.locate(source)


def test_hps_is_the_cosine_of_the_fine_tuned_network(hub, random_images):
    """Its checkpoint has both towers of a ViT-H/14; wide images stand whole on black ground."""
    images = random_images(2, 3, 3, 24, 48)
    network = OpenCLIPFeatures(source="hps_v21", config="clip_h_config", resize_mode="longest")
    suite = MetricSuite(
        features={"hps": network}, scores={"hps": HPS("hps")}, device="cpu", dtype="float32",
        batch_size=4,
    )  # fmt: skip
    prompts = ("a bed", "a red rug")
    scores = suite.score(GalleryBatch(images=images, prompts=prompts, names=("a", "b")))["hps"]

    folder, path = weights.locate("clip_h_config"), weights.locate("hps_v21")
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False).eval()
    model.load_state_dict(torch.load(path, weights_only=True)["state_dict"])
    mean, std = (
        torch.tensor(x).view(3, 1, 1)
        for x in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    for g, prompt in enumerate(prompts):
        whole = torch.zeros(3, 3, 32, 32)
        for k, picture in enumerate(pictures(images[g])):
            small = picture.resize((32, 16), Image.Resampling.BICUBIC)
            whole[k, :, 8:24] = to_tensor(small)
        with torch.no_grad():
            x = model.encode_image((whole - mean) / std, normalize=True)
            y = model.encode_text(
                open_clip.get_tokenizer(f"local-dir:{folder}")([prompt]), normalize=True
            )
        torch.testing.assert_close(scores[g], (x @ y.T).mean().double(), rtol=0, atol=1e-6)


def test_vqascore_is_the_first_tokens_yes_against_no(hub, random_images):
    """Of an Idefics3, row by row without padding; of the image whole, as one tile."""
    question = compose(["metrics=vqa"]).metrics.features.vqa.question
    images, prompts = random_images(2, 3, 3, 96, 64), ("a bed", 'a rug, "very" red')
    suite = MetricSuite(
        features={"vqa": YesOrNo(source="smolvlm_500m", question=question)},
        scores={"vqa": VQAScore("vqa")}, device="cpu", dtype="float32", batch_size=4,
    )  # fmt: skip
    scores = suite.score(GalleryBatch(images=images, prompts=prompts, names=("a", "b")))["vqa"]

    folder = weights.locate("smolvlm_500m")
    model = Idefics3ForConditionalGeneration.from_pretrained(folder).eval()
    look = Idefics3ImageProcessor.from_pretrained(folder)
    read = PreTrainedTokenizerFast.from_pretrained(folder)
    token = read.get_vocab()
    for gallery, text, score in zip(images, prompts, scores, strict=True):
        tile = "<fake_token_around_image><global-img>" + "<image>" * 4 + "<fake_token_around_image>"
        ids = read(question.replace("<image>", tile).replace("{}", text), return_tensors="pt")
        found = []
        for picture in pictures(gallery):
            seen = look([[picture]], do_image_splitting=False, return_tensors="pt")
            assert seen["pixel_values"].shape[1] == 1
            with torch.no_grad():
                p = model(**ids, **seen).logits[0, -1].double().softmax(-1)
            yes, no = p[token["Yes"]] + p[token["ĠYes"]], p[token["No"]] + p[token["ĠNo"]]
            found.append(yes / (yes + no))
        torch.testing.assert_close(score, torch.stack(found).mean(), rtol=0, atol=1e-6)
    assert scores[0] != scores[1]


class SideEffect:
    """What a pickle can do to whoever opens it."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return Path.mkdir, (self.marker,)


@pytest.mark.parametrize("kind", ["hps", "inception"])
def test_a_checkpoint_is_opened_as_tensors_alone(hub, tmp_path, monkeypatch, kind, random_images):
    """Even one whose checksum is right."""
    path, marker = tmp_path / "evil.pt", tmp_path / "marker"
    torch.save({"state_dict": SideEffect(marker)}, path)
    locate = weights.locate
    monkeypatch.setattr(weights, "locate", lambda name: path if name == "evil" else locate(name))
    network = {
        "hps": lambda: OpenCLIPFeatures(source="evil", config="clip_h_config", resize_mode=None),
        "inception": lambda: InceptionFeatures("evil"),
    }[kind]()
    with pytest.raises(Exception, match=r"(?i)weights.?only"):
        network.images(random_images(1, 3, 32, 32))
    assert not marker.exists()


def test_inception_is_torch_fidelitys(tmp_path, monkeypatch, random_images):
    torch.manual_seed(0)
    evaluators.inception(tmp_path / "random.pth")
    model = FeatureExtractorInceptionV3("inception", ["2048"], str(tmp_path / "random.pth"))
    monkeypatch.setattr(weights, "locate", lambda _: tmp_path / "random.pth")
    images = random_images(2, 3, 64, 48)
    found = InceptionFeatures("inception_2015").images(images / 255)
    assert found.shape == (2, 2048) and found.std() > 0
    torch.testing.assert_close(found, model(images)[0], rtol=0, atol=1e-5)
