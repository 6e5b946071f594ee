using System.Collections.Immutable;
using EFedLLM.Transformer.Checkpoints.Gguf;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// The small files beside a model's weights: its tokenizer, its chat template, its configuration. They lie in the model's
/// folder; a GGUF file says the same in its metadata, of which they are made, always with the same bytes.
/// </summary>
public static class CompanionFiles
{
    /// <summary>The names that such files may have, in their order.</summary>
    public static ImmutableArray<string> Names { get; } =
    [
        "chat_template.jinja", "config.json", "generation_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
    ];

    /// <summary>The content of a file, or null where the model has none of that name.</summary>
    /// <param name="model">A model folder or a GGUF file.</param>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="most">Bytes that it may have.</param>
    /// <exception cref="InvalidDataException">It is longer than that, or the GGUF file is malformed; the message says which.</exception>
    /// <exception cref="NotSupportedException">The GGUF file needs something that is not supported; the message names it.</exception>
    public static byte[]? Read(string model, string name, long most)
    {
        ArgumentException.ThrowIfNullOrEmpty(model);
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (!File.Exists(model))
        {
            var path = Path.Combine(model, name);
            return File.Exists(path) ? CheckpointJson.ReadBytes(path, most) : null;
        }

        using var file = GgufFile.Open(model);
        var bytes = GgufCompanions.Make(file, name);
        return !(bytes?.Length > most) ? bytes
            : throw new InvalidDataException($"The {name} made of the metadata of \"{model}\" has {bytes.Length} bytes, more than the {most} that such a file may have.");
    }
}
