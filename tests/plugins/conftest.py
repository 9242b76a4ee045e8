"""Small, randomly initialised pipelines of the classes that diffusers publishes, without a hub."""

import diffusers
import pytest
import torch
from transformers import CLIPTextModel

from experiments.models.quiet import quiet
from scripts.rehearsal.networks import clip, clip_tokenizer, vae
from tests.experiments.models.conftest import SIZE, sd3, sdxl, stable_diffusion

TEXT_WIDTH = 48  # of the small T5 that comes with sd3


def t5():
    """A small T5 and its tokenizer."""
    whole = sd3()
    whole.tokenizer_3.model_max_length = 16
    return whole.text_encoder_3, whole.tokenizer_3


def flux() -> diffusers.FluxPipeline:
    text_encoder_2, tokenizer_2 = t5()
    return diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae(SIZE, shift_factor=0.1, scaling_factor=0.4, use_quant_conv=False),
        text_encoder=clip(CLIPTextModel, 16),
        tokenizer=clip_tokenizer(),
        text_encoder_2=text_encoder_2,
        tokenizer_2=tokenizer_2,
        transformer=diffusers.FluxTransformer2DModel(
            in_channels=4 * 4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=TEXT_WIDTH,
            pooled_projection_dim=16,
            axes_dims_rope=(4, 4, 8),
        ).eval(),
    )


def wan() -> diffusers.WanPipeline:
    text_encoder, tokenizer = t5()
    return diffusers.WanPipeline(
        tokenizer=tokenizer,
        text_encoder=text_encoder,
        vae=diffusers.AutoencoderKLWan(
            base_dim=3,
            z_dim=16,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
        ).eval(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
        transformer=diffusers.WanTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=16,
            out_channels=16,
            text_dim=TEXT_WIDTH,
            freq_dim=16,
            ffn_dim=32,
            num_layers=1,
            rope_max_seq_len=32,
        ).eval(),
    )


def stable_audio() -> diffusers.StableAudioPipeline:
    text_encoder, tokenizer = t5()
    return diffusers.StableAudioPipeline(
        vae=diffusers.AutoencoderOobleck(
            encoder_hidden_size=6,
            downsampling_ratios=[2, 2],
            channel_multiples=[1, 2],
            decoder_channels=4,
            decoder_input_channels=4,
            sampling_rate=16,
        ).eval(),
        text_encoder=text_encoder,
        projection_model=diffusers.pipelines.stable_audio.StableAudioProjectionModel(
            text_encoder_dim=TEXT_WIDTH, conditioning_dim=8, min_value=0, max_value=32
        ).eval(),
        tokenizer=tokenizer,
        transformer=diffusers.StableAudioDiTModel(
            sample_size=64,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=4,
            num_attention_heads=2,
            num_key_value_attention_heads=2,
            cross_attention_dim=8,
            time_proj_dim=8,
            global_states_input_dim=16,
            cross_attention_input_dim=8,
        ).eval(),
        scheduler=diffusers.EDMDPMSolverMultistepScheduler(
            prediction_type="v_prediction", sigma_data=1.0, sigma_schedule="exponential"
        ),
    )


BUILDS = {
    "stable_diffusion": stable_diffusion,
    "sdxl": sdxl,
    "sd3": sd3,
    "flux": flux,
    "wan": wan,
    "stable_audio": stable_audio,
}


@pytest.fixture
def pipeline(request) -> diffusers.DiffusionPipeline:
    """The pipeline of the name that a test asks for."""
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        pipe = BUILDS[request.param]()
    pipe.set_progress_bar_config(disable=True)
    return pipe
