using System.Collections.Immutable;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>The files of a checkpoint that travel with a model: its tokenizer, its chat template, its configuration.</summary>
internal static class Companions
{
    private const long MaximumBytes = 64L << 20;

    /// <summary>Those that a model has, in the order of their names.</summary>
    /// <param name="model">A model folder or a GGUF file.</param>
    /// <exception cref="InvalidDataException">One is longer than any such file.</exception>
    public static IEnumerable<(string Name, byte[] Bytes)> Of(string model)
    {
        foreach (var name in CompanionFiles.Names)
        {
            if (CompanionFiles.Read(model, name, MaximumBytes) is { } bytes)
            {
                yield return (name, bytes);
            }
        }
    }

    /// <summary>Writes those that a checkpoint has to a folder.</summary>
    /// <exception cref="InvalidDataException">One is longer than any such file.</exception>
    public static ImmutableArray<CompanionFile> Copy(string from, string to)
    {
        var companions = ImmutableArray.CreateBuilder<CompanionFile>();
        foreach (var (name, bytes) in Of(from))
        {
            using var copy = new HashingStream(Path.Combine(to, name));
            copy.Write(bytes);
            companions.Add(new CompanionFile(name, copy.Position, copy.Complete()));
        }

        return companions.ToImmutable();
    }
}
