"""Small pipelines of the classes that pack what they draw, and those for video and sound."""

import diffusers
from diffusers import FlowMatchEulerDiscreteScheduler
from transformers import CLIPTextModel

from scripts.rehearsal.networks import clip, clip_tokenizer
from tests.plugins import texts
from tests.plugins.pipelines import plain_vae
from tests.plugins.texts import T5_WIDTH, WIDTH, bytes_tokenizer, t5


def flux() -> diffusers.FluxPipeline:
    text_encoder_2, tokenizer_2 = t5()
    return diffusers.FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=plain_vae(),
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
            joint_attention_dim=T5_WIDTH,
            pooled_projection_dim=16,
            axes_dims_rope=(4, 4, 8),
        ).eval(),
    )


def chroma() -> diffusers.ChromaPipeline:
    text_encoder, tokenizer = t5()
    return diffusers.ChromaPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=plain_vae(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=diffusers.ChromaTransformer2DModel(
            in_channels=4 * 4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=T5_WIDTH,
            axes_dims_rope=(4, 4, 8),
            approximator_num_channels=8,
            approximator_hidden_dim=16,
            approximator_layers=1,
        ).eval(),
    )


def qwen_vae() -> diffusers.AutoencoderKLQwenImage:
    return diffusers.AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 1],
        num_res_blocks=1,
        temperal_downsample=[False],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    ).eval()


def qwen_image() -> diffusers.QwenImagePipeline:
    return diffusers.QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=qwen_vae(),
        text_encoder=texts.qwen2_vl(),
        tokenizer=bytes_tokenizer(),
        transformer=diffusers.QwenImageTransformer2DModel(
            in_channels=4 * 4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            axes_dims_rope=(4, 4, 8),
        ).eval(),
    )


def flux2_klein() -> diffusers.Flux2KleinPipeline:
    return diffusers.Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=diffusers.AutoencoderKLFlux2(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=16,
        ).eval(),
        text_encoder=texts.qwen3(),
        tokenizer=bytes_tokenizer(),
        transformer=diffusers.Flux2Transformer2DModel(
            in_channels=4 * 4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=3 * WIDTH,
            timestep_guidance_channels=16,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ).eval(),
    )


def krea2() -> diffusers.Krea2Pipeline:
    return diffusers.Krea2Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=qwen_vae(),
        text_encoder=texts.qwen3_vl(),
        tokenizer=bytes_tokenizer(),
        text_encoder_select_layers=(1, 2),
        transformer=diffusers.Krea2Transformer2DModel(
            in_channels=4 * 4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            num_key_value_heads=1,
            intermediate_size=32,
            timestep_embed_dim=16,
            text_hidden_dim=WIDTH,
            num_text_layers=2,
            text_num_attention_heads=2,
            text_num_key_value_heads=1,
            text_intermediate_size=32,
            num_layerwise_text_blocks=1,
            num_refiner_text_blocks=1,
            axes_dims_rope=(4, 4, 8),
        ).eval(),
    )


def ltx(*, timestep_conditioning: bool = False) -> diffusers.LTXPipeline:
    text_encoder, tokenizer = t5()
    return diffusers.LTXPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=diffusers.AutoencoderKLLTXVideo(
            latent_channels=8,
            block_out_channels=(8, 8, 8, 8),
            decoder_block_out_channels=(8, 8, 8, 8),
            layers_per_block=(1, 1, 1, 1, 1),
            decoder_layers_per_block=(1, 1, 1, 1, 1),
            spatio_temporal_scaling=(True, True, False, False),
            decoder_spatio_temporal_scaling=(True, True, False, False),
            patch_size=1,
            timestep_conditioning=timestep_conditioning,
            encoder_causal=True,
        ).eval(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=diffusers.LTXVideoTransformer3DModel(
            in_channels=8,
            out_channels=8,
            num_attention_heads=2,
            attention_head_dim=8,
            cross_attention_dim=16,
            num_layers=1,
            caption_channels=T5_WIDTH,
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
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
        transformer=diffusers.WanTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=16,
            out_channels=16,
            text_dim=T5_WIDTH,
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
            text_encoder_dim=T5_WIDTH, conditioning_dim=8, min_value=0, max_value=32
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
