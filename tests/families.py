"""Tiny random models of ten families of vision-language models, with the processors that published ones come with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{%- for m in messages -%}<|im_start|>{{ m.role }}\n"
    "{%- if m.content is string -%}{{ m.content }}{%- else -%}{%- for p in m.content -%}"
    "{%- if p.type == 'image' -%}IMAGE{%- else -%}{{ p.text }}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}<|im_end|>\n{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant\n{%- endif -%}"
)
WIDTH = 64  # of the language model
TILE = 32  # pixels of a side, for those that read tiles
_QWEN = {
    "image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "vision_bos_token": "<|vision_start|>",
    "vision_eos_token": "<|vision_end|>",
}  # fmt: skip
_GEMMA = {
    "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>",
    "audio_token": "<audio>", "boa_token": "<start_of_audio>", "eoa_token": "<end_of_audio>", "video_token": "<|video|>",
}  # fmt: skip
_TEXT = {
    "hidden_size": WIDTH, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 1024, "initializer_range": 0.3, "tie_word_embeddings": True,
}  # fmt: skip
_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
_SIGLIP = {
    "model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 2, "image_size": TILE, "patch_size": 8,
}  # fmt: skip
_TOWER = {
    "depth": 2,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "out_hidden_size": WIDTH,
    "patch_size": 8,
}


@dataclass(frozen=True)
class Family:
    """One family.

    Attributes:
        name: of the family, as documentation writes it.
        model: its class in transformers.
        special: its control tokens by the name that its processor looks for.
        image: what stands for an image in a prompt.
        config: keys of its configuration, given the ids of its tokens; ``vocab`` is the number of words.
        processor: made of its tokenizer.
    """

    name: str
    model: str
    special: Mapping[str, str]
    image: str
    config: Callable[[Mapping[str, int], Mapping[str, Any]], dict[str, Any]]
    processor: Callable[[Any], Any]

    def save(self, folder: Path) -> None:
        """Write a folder that transformers loads."""
        import torch
        import transformers

        tokenizer = _tokenizer(self)
        ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in self.special.items()}
        text = {
            **_TEXT, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None,
            "pad_token_id": tokenizer.pad_token_id,
        }  # fmt: skip
        model = getattr(transformers, self.model)
        torch.manual_seed(0)
        made = model(model.config_class(**{"tie_word_embeddings": True, **self.config(ids, text), "dtype": "float32"}))
        made.generation_config.update(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
        for name, parameter in made.named_parameters():
            if parameter.ndim > 1:  # so large that replies vary, whatever a family is initialised with
                torch.nn.init.normal_(parameter, std=0.02 if "embed_tokens" in name else 0.2)
        made.save_pretrained(folder)
        self.processor(tokenizer).save_pretrained(folder)


def _tokenizer(family: Family) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: id for id, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>", *family.special.values()])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"], extra_special_tokens=dict(family.special),
    )  # fmt: skip
    fast.chat_template = TEMPLATE.replace("IMAGE", family.image)
    return fast


def _qwen_processor(kind: str, patch: int = 8) -> Callable[[Any], Any]:
    def make(tokenizer: Any) -> Any:
        import transformers

        size = {"shortest_edge": 32 * 32, "longest_edge": 64 * 64}
        shape = {"patch_size": patch, "merge_size": 2, "temporal_patch_size": 2}
        video = transformers.Qwen3VLVideoProcessor if "3" in kind else transformers.Qwen2VLVideoProcessor
        return getattr(transformers, kind)(
            image_processor=transformers.Qwen2VLImageProcessor(**shape, size=dict(size)),
            video_processor=video(**shape, size=dict(size)), tokenizer=tokenizer,
            chat_template=tokenizer.chat_template,
        )  # fmt: skip

    return make


def _glm_processor(tokenizer: Any) -> Any:
    from transformers import Glm4vImageProcessor, Glm4vProcessor, Glm4vVideoProcessor

    shape = {"patch_size": 8, "merge_size": 2, "temporal_patch_size": 2}
    size = {"shortest_edge": 2 * 32 * 32, "longest_edge": 2 * 64 * 64}
    return Glm4vProcessor(
        Glm4vImageProcessor(**shape, size=dict(size)), tokenizer, Glm4vVideoProcessor(**shape, size=dict(size)),
        tokenizer.chat_template,
    )  # fmt: skip


def _gemma3_processor(tokenizer: Any) -> Any:
    from transformers import Gemma3ImageProcessor, Gemma3Processor

    images = Gemma3ImageProcessor(size={"height": TILE, "width": TILE})
    return Gemma3Processor(images, tokenizer, tokenizer.chat_template, image_seq_length=4)


def _gemma4_processor(tokenizer: Any) -> Any:
    from transformers import Gemma4AudioFeatureExtractor, Gemma4ImageProcessor, Gemma4Processor, Gemma4VideoProcessor

    return Gemma4Processor(
        Gemma4AudioFeatureExtractor(), Gemma4ImageProcessor(patch_size=4, pooling_kernel_size=2, max_soft_tokens=70),
        tokenizer, Gemma4VideoProcessor(patch_size=4, pooling_kernel_size=2), tokenizer.chat_template,
        image_seq_length=70,
    )  # fmt: skip


def _internvl_processor(tokenizer: Any) -> Any:
    from transformers import GotOcr2ImageProcessor, InternVLProcessor, InternVLVideoProcessor

    size = {"height": TILE, "width": TILE}
    images = GotOcr2ImageProcessor(size=size, crop_to_patches=True, min_patches=1, max_patches=4)
    return InternVLProcessor(images, tokenizer, InternVLVideoProcessor(size=size), 4, tokenizer.chat_template)


def _llava_processor(tokenizer: Any) -> Any:
    from transformers import LlavaOnevisionImageProcessor, LlavaOnevisionProcessor, LlavaOnevisionVideoProcessor

    size = {"height": TILE, "width": TILE}
    images = LlavaOnevisionImageProcessor(size=size, image_grid_pinpoints=_GRID)
    video = LlavaOnevisionVideoProcessor(size=size)
    return LlavaOnevisionProcessor(
        images, tokenizer, video, num_image_tokens=(TILE // 8) ** 2, vision_feature_select_strategy="full",
        chat_template=tokenizer.chat_template,
    )  # fmt: skip


def _smolvlm_processor(tokenizer: Any) -> Any:
    from transformers import SmolVLMImageProcessor, SmolVLMProcessor, SmolVLMVideoProcessor

    edge = {"longest_edge": TILE}
    images = SmolVLMImageProcessor(size={"longest_edge": 2 * TILE}, max_image_size=edge)
    video = SmolVLMVideoProcessor(size={"longest_edge": TILE}, max_image_size=edge)
    return SmolVLMProcessor(images, tokenizer, video, image_seq_len=4, chat_template=tokenizer.chat_template)


_GRID = [[TILE * rows, TILE * columns] for rows in (1, 2, 3) for columns in (1, 2, 3)]


def _mrope(text: Mapping[str, Any], section: list[int]) -> dict[str, Any]:
    return {**text, "rope_parameters": {**_ROPE, "mrope_section": section}}


def _vision_ids(ids: Mapping[str, int]) -> dict[str, int]:
    return {
        "image_token_id": ids["image_token"], "video_token_id": ids["video_token"],
        "vision_start_token_id": ids["vision_bos_token"], "vision_end_token_id": ids["vision_eos_token"],
    }  # fmt: skip


def _qwen2(ids: Mapping[str, int], text: Mapping[str, Any]) -> dict[str, Any]:
    tower = {"depth": 2, "embed_dim": 32, "hidden_size": WIDTH, "num_heads": 2, "mlp_ratio": 2, "patch_size": 8}
    return {"text_config": _mrope(text, [2, 3, 3]), "vision_config": tower, **_vision_ids(ids)}


def _qwen25(ids: Mapping[str, int], text: Mapping[str, Any]) -> dict[str, Any]:
    tower = {**_TOWER, "window_size": 32, "fullatt_block_indexes": [1]}
    return {"text_config": _mrope(text, [2, 3, 3]), "vision_config": tower, **_vision_ids(ids)}


def _qwen3(ids: Mapping[str, int], text: Mapping[str, Any]) -> dict[str, Any]:
    tower = {**_TOWER, "num_position_embeddings": 64, "deepstack_visual_indexes": [0]}
    return {"text_config": {**_mrope(text, [2, 3, 3]), "head_dim": 16}, "vision_config": tower, **_vision_ids(ids)}


def _qwen35(ids: Mapping[str, int], text: Mapping[str, Any]) -> dict[str, Any]:
    linear = {
        "linear_key_head_dim": 16, "linear_value_head_dim": 16, "linear_num_key_heads": 2, "linear_num_value_heads": 2,
        "layer_types": ["linear_attention", "full_attention"], "head_dim": 16, "partial_rotary_factor": 1.0,
    }  # fmt: skip
    tower = {**_TOWER, "num_position_embeddings": 64}
    return {"text_config": {**_mrope(text, [2, 3, 3]), **linear}, "vision_config": tower, **_vision_ids(ids)}


def _glm(ids: Mapping[str, int], text: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "text_config": _mrope(text, [2, 3, 3]), "vision_config": {**_TOWER, "image_size": 64},
        **{f"{name}_id": ids[name] for name in _GLM if name in ("image_token", "video_token")},
        "image_start_token_id": ids["image_start"], "image_end_token_id": ids["image_end"],
        "video_start_token_id": ids["video_start"], "video_end_token_id": ids["video_end"],
    }  # fmt: skip


_GLM = {
    "image_token": "<|image|>", "video_token": "<|video|>", "image_start": "<|begin_of_image|>",
    "image_end": "<|end_of_image|>", "video_start": "<|begin_of_video|>", "video_end": "<|end_of_video|>",
}  # fmt: skip


def _gemma3(ids: Mapping[str, int], text: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "text_config": {**text, "head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 64},
        "vision_config": {**_SIGLIP, "vision_use_head": False}, "mm_tokens_per_image": 4,
        "image_token_index": ids["image_token"], "boi_token_index": ids["boi_token"],
        "eoi_token_index": ids["eoi_token"],
    }  # fmt: skip


def _gemma4(ids: Mapping[str, int], text: Mapping[str, Any]) -> dict[str, Any]:
    words = {"vocab_size_per_layer_input": text["vocab_size"], "hidden_size_per_layer_input": 8}
    layers = {
        "num_hidden_layers": 4,
        "num_kv_shared_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
    }
    tower = {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "head_dim": 16, "patch_size": 4, "pooling_kernel_size": 2,
        "position_embedding_size": 128,
    }  # fmt: skip
    # The ids of the other control tokens stay those of published models, beyond the words of this one.
    return {
        "text_config": {**text, **words, **layers, "head_dim": 16, "global_head_dim": 32, "sliding_window": 64},
        "vision_config": tower, "image_token_id": ids["image_token"],
    }  # fmt: skip


def _internvl(ids: Mapping[str, int], text: Mapping[str, Any]) -> dict[str, Any]:
    tower = {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": [TILE, TILE], "patch_size": [8, 8],
    }  # fmt: skip
    return {
        "text_config": {**text, "model_type": "qwen2"}, "vision_config": tower, "image_seq_length": 4,
        "image_token_id": ids["context_image_token"],
    }  # fmt: skip


def _llava(ids: Mapping[str, int], text: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "text_config": {**text, "model_type": "qwen2"}, "vision_config": {**_SIGLIP, "vision_use_head": False},
        "image_grid_pinpoints": _GRID, "image_token_index": ids["image_token"], "video_token_index": ids["video_token"],
    }  # fmt: skip


def _smolvlm(ids: Mapping[str, int], text: Mapping[str, Any]) -> dict[str, Any]:
    tower = {key: value for key, value in _SIGLIP.items() if key != "model_type"}
    return {
        "text_config": {**text, "model_type": "llama"}, "vision_config": tower, "scale_factor": 2,
        "image_token_id": ids["image_token"], "pad_token_id": text["pad_token_id"],
    }  # fmt: skip


_INTERNVL = {
    "start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}  # fmt: skip
_SMOLVLM = {
    "fake_image_token": "<fake_token_around_image>", "image_token": "<image>", "global_image_token": "<global-img>",
    "end_of_utterance_token": "<end_of_utterance>", "video_token": "<video>",
}  # fmt: skip
_SEEN = "<|vision_start|><|image_pad|><|vision_end|>"

FAMILIES = {
    family.name: family
    for family in (
        Family("Qwen2-VL", "Qwen2VLForConditionalGeneration", _QWEN, _SEEN, _qwen2, _qwen_processor("Qwen2VLProcessor")),
        Family(
            "Qwen2.5-VL", "Qwen2_5_VLForConditionalGeneration", _QWEN, _SEEN, _qwen25,
            _qwen_processor("Qwen2_5_VLProcessor"),
        ),
        Family("Qwen3-VL", "Qwen3VLForConditionalGeneration", _QWEN, _SEEN, _qwen3, _qwen_processor("Qwen3VLProcessor")),
        Family("Qwen3.5", "Qwen3_5ForConditionalGeneration", _QWEN, _SEEN, _qwen35, _qwen_processor("Qwen3VLProcessor")),
        Family("GLM-4V", "Glm4vForConditionalGeneration", _GLM, "<|begin_of_image|><|image|><|end_of_image|>", _glm, _glm_processor),
        Family("Gemma 3", "Gemma3ForConditionalGeneration", _GEMMA, "<start_of_image>", _gemma3, _gemma3_processor),
        Family("Gemma 4", "Gemma4ForConditionalGeneration", _GEMMA, "<image_soft_token>", _gemma4, _gemma4_processor),
        Family("InternVL", "InternVLForConditionalGeneration", _INTERNVL, "<IMG_CONTEXT>", _internvl, _internvl_processor),
        Family(
            "LLaVA-OneVision", "LlavaOnevisionForConditionalGeneration",
            {"image_token": "<image>", "video_token": "<video>"}, "<image>", _llava, _llava_processor,
        ),
        Family("SmolVLM", "SmolVLMForConditionalGeneration", _SMOLVLM, "<image>", _smolvlm, _smolvlm_processor),
    )
}  # fmt: skip
