"""Small text encoders of transformers, and the tokenizer of all those that take any bytes."""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    Gemma2Config,
    Gemma2Model,
    GlmConfig,
    GlmModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3VLConfig,
    Qwen3VLModel,
    UMT5Config,
    UMT5EncoderModel,
)

from tests.experiments.models.conftest import sd3

WIDTH = 16  # of every text encoder here
T5_WIDTH = 48  # but of the small T5 that comes with sd3
SPECIAL = ("<pad>", "<bos>", "<eos>", "<|im_start|>", "<|im_end|>")
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def bytes_tokenizer(*, padding: str = "right") -> PreTrainedTokenizerFast:
    """A token a byte after the first, and the few that templates need; a chat template."""
    words = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    whole = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    whole.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    whole.decoder = decoders.ByteLevel()
    whole.add_special_tokens([AddedToken(word, special=True) for word in SPECIAL])
    whole.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", words.index("<bos>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=whole,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        padding_side=padding,
        chat_template=CHAT,
    )


SIZES = {
    "vocab_size": len(SPECIAL) + 256,
    "hidden_size": WIDTH,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
ROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
VISION = {"depth": 1, "num_heads": 2, "intermediate_size": 32, "out_hidden_size": WIDTH}


def t5():
    """A small T5 and its tokenizer."""
    whole = sd3()
    whole.tokenizer_3.model_max_length = 16
    return whole.text_encoder_3, whole.tokenizer_3


def umt5() -> PreTrainedModel:
    size = len(t5()[1])
    config = UMT5Config(vocab_size=size, d_model=WIDTH, d_ff=32, d_kv=8, num_layers=1, num_heads=2)
    return UMT5EncoderModel(config).eval()


def gemma() -> PreTrainedModel:
    return Gemma2Model(Gemma2Config(**SIZES, query_pre_attn_scalar=8)).eval()


def glm() -> PreTrainedModel:
    return GlmModel(GlmConfig(**SIZES)).eval()


def llama() -> PreTrainedModel:
    return LlamaForCausalLM(LlamaConfig(**SIZES)).eval()


def qwen3() -> PreTrainedModel:
    return Qwen3ForCausalLM(Qwen3Config(**SIZES)).eval()


def qwen2_vl() -> PreTrainedModel:
    text = {key: value for key, value in SIZES.items() if key != "head_dim"}
    config = Qwen2_5_VLConfig(
        text_config={**text, "rope_parameters": ROPE}, vision_config={**VISION, "hidden_size": 16}
    )
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def qwen3_vl() -> PreTrainedModel:
    config = Qwen3VLConfig(
        text_config={**SIZES, "rope_parameters": ROPE},
        vision_config={**VISION, "hidden_size": 16, "deepstack_visual_indexes": [0]},
    )
    return Qwen3VLModel(config).eval()
