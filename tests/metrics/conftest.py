import pytest
import torch
from tokenizers import pre_tokenizers
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    """A randomly initialised CLIP of 32 x 32 images and 16 tokens, saved as transformers does."""
    folder = tmp_path_factory.mktemp("clip")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(c + "</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(
        vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=16
    )
    torch.manual_seed(4)  # cosines of both signs
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
             "num_attention_heads": 2}  # fmt: skip
    text = tower | {
        "vocab_size": len(words), "max_position_embeddings": 16,
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    vision = tower | {"image_size": 32, "patch_size": 8}
    config = CLIPConfig(
        text_config=text, vision_config=vision, projection_dim=16, initializer_factor=5.0
    )
    CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def random_images():
    """(G, K, 3, height, width) uint8: smooth random pictures, no two alike."""

    def draw(*shape: int, seed: int = 0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.rand(*shape[:-2], 6, 6, generator=generator)
        images = torch.nn.functional.interpolate(
            coarse.flatten(0, -4), size=shape[-2:], mode="bicubic"
        )
        return images.clamp(0, 1).mul(255).round().to(torch.uint8).view(shape)

    return draw
