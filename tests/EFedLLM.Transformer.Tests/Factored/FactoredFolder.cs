using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;
using EFedLLM.Transformer.Tests.Checkpoints;

namespace EFedLLM.Transformer.Tests.Factored;

/// <summary>Writes factored models of random weights, without the compressor that makes real ones.</summary>
internal static class FactoredFolder
{
    /// <summary>The tensors of one unit: name, type, shape and data.</summary>
    public delegate List<(string Name, SafetensorsType Type, ImmutableArray<long> Shape, byte[] Data)> Change(
        List<(string Name, SafetensorsType Type, ImmutableArray<long> Shape, byte[] Data)> tensors);

    /// <summary>Writes a model whose manifest fits its files.</summary>
    /// <param name="folder">Receives the files.</param>
    /// <param name="changed">The unit whose tensors are changed before they are written.</param>
    /// <param name="change">What is changed.</param>
    /// <param name="bits">Bits of the weights of matrices, where there is no sample.</param>
    /// <param name="sample">The forms of the matrices, or null for those of <see cref="SampleManifests"/>.</param>
    public static ModelManifest Write(ScratchFolder folder, int changed = -1, Change? change = null, int bits = 8, ModelManifest? sample = null)
    {
        sample ??= SampleManifests.Create(bits: bits);
        return Write(folder, sample, unit => unit == changed ? change!(Random(sample, unit)) : Random(sample, unit));
    }

    /// <summary>Writes a model of given tensors, with a manifest that fits its files.</summary>
    /// <param name="folder">Receives the files.</param>
    /// <param name="sample">The forms of the matrices.</param>
    /// <param name="tensors">The tensors of each unit.</param>
    public static ModelManifest Write(ScratchFolder folder, ModelManifest sample, Func<int, List<(string Name, SafetensorsType Type, ImmutableArray<long> Shape, byte[] Data)>> tensors)
    {
        var files = sample.Files.Select(file =>
        {
            var bytes = Safetensors(tensors(file.Unit));
            folder.Write(file.Name, bytes);
            return file with { Bytes = bytes.Length, Sha256 = Hash(bytes) };
        }).ToImmutableArray();
        var tokenizer = "tokenizers"u8.ToArray();
        folder.Write("tokenizer.json", tokenizer);
        var manifest = sample with
        {
            Files = files,
            Companions = [new CompanionFile("tokenizer.json", tokenizer.Length, Hash(tokenizer))],
        };
        folder.Write(ModelManifest.FileName, manifest.ToJson());
        return manifest;
    }

    /// <summary>The file that holds tensors.</summary>
    public static byte[] Safetensors(List<(string Name, SafetensorsType Type, ImmutableArray<long> Shape, byte[] Data)> tensors)
    {
        var stream = new MemoryStream();
        var writer = new SafetensorsWriter(stream, tensors.Select(tensor => (tensor.Name, tensor.Type, tensor.Shape)));
        foreach (var tensor in tensors)
        {
            writer.Write(tensor.Data);
        }

        writer.Finish();
        return stream.ToArray();
    }

    private static List<(string Name, SafetensorsType Type, ImmutableArray<long> Shape, byte[] Data)> Random(ModelManifest manifest, int unit)
    {
        var random = new Random(unit);
        return [.. manifest.Tensors(unit).Select(tensor =>
        {
            var data = new byte[tensor.Bytes];
            switch (tensor.Type)
            {
                case "I8" or "U8":
                    random.NextBytes(data);
                    break;
                case "BF16":
                    Fill(MemoryMarshal.Cast<byte, ushort>(data.AsSpan()), () => BFloat16.FromSingle(random.NextSingle() / 100));
                    break;
                default:
                    Fill(MemoryMarshal.Cast<byte, float>(data.AsSpan()), () => random.NextSingle() * 2 - 1);
                    break;
            }

            return (tensor.Name, Enum.Parse<SafetensorsType>(tensor.Type), tensor.Shape.Select(dimension => (long)dimension).ToImmutableArray(), data);
        })];
    }

    private static void Fill<T>(Span<T> values, Func<T> next)
    {
        foreach (ref var value in values)
        {
            value = next();
        }
    }

    private static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
