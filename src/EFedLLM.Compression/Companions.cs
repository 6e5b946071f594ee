using System.Collections.Immutable;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>The files of a checkpoint that travel with a model: its tokenizer, its chat template, its configuration.</summary>
internal static class Companions
{
    private const long MaximumBytes = 64L << 20;

    private static readonly ImmutableArray<string> Names =
    [
        "chat_template.jinja", "config.json", "generation_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
    ];

    /// <summary>The paths of those that a folder has, in the order of their names.</summary>
    public static IEnumerable<string> Of(string folder) => Names.Select(name => Path.Combine(folder, name)).Where(File.Exists);

    /// <summary>Copies those that a checkpoint has.</summary>
    /// <exception cref="InvalidDataException">One is longer than any such file.</exception>
    public static ImmutableArray<CompanionFile> Copy(string from, string to)
    {
        var companions = ImmutableArray.CreateBuilder<CompanionFile>();
        foreach (var path in Of(from))
        {
            using var source = File.OpenRead(path);
            if (source.Length > MaximumBytes)
            {
                throw new InvalidDataException($"\"{path}\" has {source.Length} bytes, more than the {MaximumBytes} that such a file may have. Fetch the checkpoint again.");
            }

            var name = Path.GetFileName(path);
            using var copy = new HashingStream(Path.Combine(to, name));
            source.CopyTo(copy);
            companions.Add(new CompanionFile(name, copy.Position, copy.Complete()));
        }

        return companions.ToImmutable();
    }
}
