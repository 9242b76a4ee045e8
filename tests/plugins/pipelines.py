"""Small pipelines of the classes for images that latents are drawn for as they are taken."""

import diffusers
from diffusers import FlowMatchEulerDiscreteScheduler
from transformers import (
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
)

from scripts.rehearsal.networks import clip, clip_tokenizer, vae
from tests.experiments.models.conftest import SIZE
from tests.plugins import texts
from tests.plugins.texts import T5_WIDTH, WIDTH, bytes_tokenizer, t5


def plain_vae(**options) -> diffusers.AutoencoderKL:
    return vae(SIZE, shift_factor=0.1, scaling_factor=0.4, use_quant_conv=False, **options)


def z_image() -> diffusers.ZImagePipeline:
    return diffusers.ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=plain_vae(),
        text_encoder=texts.qwen3(),
        tokenizer=bytes_tokenizer(),
        transformer=diffusers.ZImageTransformer2DModel(
            in_channels=4,
            dim=16,
            n_layers=1,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=WIDTH,
            axes_dims=[4, 2, 2],
            axes_lens=[256, 32, 32],
        ).eval(),
    )


def dc_vae() -> diffusers.AutoencoderDC:
    return diffusers.AutoencoderDC(
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        encoder_qkv_multiscales=((), (5,)),
        decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=(1, 1),
        downsample_block_type="conv",
        upsample_block_type="interpolate",
        decoder_norm_types="rms_norm",
        decoder_act_fns="silu",
        scaling_factor=0.41407,
    ).eval()


def sana_transformer(**options) -> diffusers.SanaTransformer2DModel:
    return diffusers.SanaTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=1,
        num_cross_attention_heads=2,
        cross_attention_head_dim=8,
        cross_attention_dim=16,
        caption_channels=WIDTH,
        sample_size=8,
        **options,
    ).eval()


def sana() -> diffusers.SanaPipeline:
    return diffusers.SanaPipeline(
        tokenizer=bytes_tokenizer(),
        text_encoder=texts.gemma(),
        vae=dc_vae(),
        transformer=sana_transformer(),
        scheduler=diffusers.DPMSolverMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
    )


def sana_sprint() -> diffusers.SanaSprintPipeline:
    return diffusers.SanaSprintPipeline(
        tokenizer=bytes_tokenizer(),
        text_encoder=texts.gemma(),
        vae=dc_vae(),
        transformer=sana_transformer(guidance_embeds=True, qk_norm="rms_norm_across_heads"),
        scheduler=diffusers.SCMScheduler(),
    )


def pixart_sigma() -> diffusers.PixArtSigmaPipeline:
    text_encoder, tokenizer = t5()
    return diffusers.PixArtSigmaPipeline(
        tokenizer=tokenizer,
        text_encoder=text_encoder,
        vae=vae(SIZE),
        transformer=diffusers.PixArtTransformer2DModel(
            num_attention_heads=2,
            attention_head_dim=8,
            in_channels=4,
            out_channels=8,
            num_layers=1,
            cross_attention_dim=16,
            caption_channels=T5_WIDTH,
            sample_size=8,
        ).eval(),
        scheduler=diffusers.DPMSolverMultistepScheduler(),
    )


def lumina2() -> diffusers.Lumina2Pipeline:
    return diffusers.Lumina2Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=6.0),
        vae=plain_vae(),
        text_encoder=texts.gemma(),
        tokenizer=bytes_tokenizer(),
        transformer=diffusers.Lumina2Transformer2DModel(
            sample_size=4,
            in_channels=4,
            hidden_size=24,
            num_layers=1,
            num_refiner_layers=1,
            num_attention_heads=3,
            num_kv_heads=1,
            multiple_of=8,
            axes_dim_rope=(4, 2, 2),
            axes_lens=(300, 64, 64),
            cap_feat_dim=WIDTH,
        ).eval(),
    )


def aura_flow() -> diffusers.AuraFlowPipeline:
    return diffusers.AuraFlowPipeline(
        tokenizer=t5()[1],
        text_encoder=texts.umt5(),
        vae=vae(SIZE),
        transformer=diffusers.AuraFlowTransformer2DModel(
            sample_size=8,
            num_mmdit_layers=1,
            num_single_dit_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            caption_projection_dim=16,
            pos_embed_max_size=64,
        ).eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.73),
    )


def cogview4() -> diffusers.CogView4Pipeline:
    return diffusers.CogView4Pipeline(
        tokenizer=bytes_tokenizer(padding="left"),
        text_encoder=texts.glm(),
        vae=plain_vae(),
        transformer=diffusers.CogView4Transformer2DModel(
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            text_embed_dim=WIDTH,
            time_embed_dim=8,
            condition_dim=4,
            sample_size=8,
            rope_axes_dim=(16, 16),
        ).eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(
            base_shift=0.25, max_shift=0.75, use_dynamic_shifting=True, time_shift_type="linear"
        ),
    )


def hidream() -> diffusers.HiDreamImagePipeline:
    text_encoder_3, tokenizer_3 = t5()
    pipe = diffusers.HiDreamImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=plain_vae(),
        text_encoder=clip(CLIPTextModelWithProjection, 16),
        tokenizer=clip_tokenizer(),
        text_encoder_2=clip(CLIPTextModelWithProjection, 24),
        tokenizer_2=clip_tokenizer(),
        text_encoder_3=text_encoder_3,
        tokenizer_3=tokenizer_3,
        text_encoder_4=texts.llama(),
        tokenizer_4=bytes_tokenizer(),
        transformer=diffusers.HiDreamImageTransformer2DModel(
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            caption_channels=[T5_WIDTH, WIDTH],
            text_emb_dim=16 + 24,
            num_routed_experts=2,
            axes_dims_rope=(4, 2, 2),
            max_resolution=(32, 32),
            llama_layers=[0, 1],
            force_inference_output=True,
        ).eval(),
    )
    pipe.default_sample_size = 8  # it rescales to this area
    return pipe


def kandinsky5() -> diffusers.Kandinsky5T2IPipeline:
    words = clip(CLIPTextModel, 16).config
    words.max_position_embeddings = 77  # which the pipeline states itself
    pipe = diffusers.Kandinsky5T2IPipeline(
        transformer=diffusers.Kandinsky5Transformer3DModel(
            in_visual_dim=4,
            out_visual_dim=4,
            in_text_dim=WIDTH,
            in_text_dim2=16,
            time_dim=16,
            model_dim=16,
            ff_dim=32,
            num_text_blocks=1,
            num_visual_blocks=1,
            axes_dims=(4, 2, 2),
        ).eval(),
        vae=plain_vae(),
        text_encoder=texts.qwen2_vl(),
        tokenizer=Qwen2VLProcessor(
            Qwen2VLImageProcessor(), bytes_tokenizer(), Qwen2VLVideoProcessor()
        ),
        text_encoder_2=CLIPTextModel(words).eval(),
        tokenizer_2=clip_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )
    pipe.resolutions = [(64, 64)]  # 8 x 8 latents
    return pipe
