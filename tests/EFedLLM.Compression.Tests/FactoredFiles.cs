using System.Runtime.InteropServices;
using System.Security.Cryptography;
using EFedLLM.Compression.Quantization;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Tests;

/// <summary>Reads a factored model's files by nothing but the documented layout.</summary>
internal static class FactoredFiles
{
    public static ModelManifest Manifest(string folder) => ModelManifest.Parse(File.ReadAllBytes(Path.Combine(folder, ModelManifest.FileName)));

    /// <summary>Names and hashes of all files.</summary>
    public static SortedDictionary<string, string> Hashes(string folder) => new(Directory.EnumerateFiles(folder).ToDictionary(
        path => Path.GetFileName(path), path => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))), StringComparer.Ordinal);

    /// <summary>Checks every file against the manifest, and that nothing else is there.</summary>
    public static void AssertSound(string folder)
    {
        var manifest = Manifest(folder);
        var expected = manifest.Files.Select(file => (file.Name, file.Bytes, file.Sha256))
            .Concat(manifest.Companions.Select(file => (file.Name, file.Bytes, file.Sha256)))
            .ToList();
        var hashes = Hashes(folder);
        foreach (var (name, bytes, hash) in expected)
        {
            Assert.Equal(hash, hashes[name]);
            Assert.Equal(bytes, new FileInfo(Path.Combine(folder, name)).Length);
        }

        Assert.Equal(expected.Count + 1, hashes.Count);
        for (var unit = 0; unit < manifest.Shape.Units; unit++)
        {
            using var file = SafetensorsFile.Open(Path.Combine(folder, manifest.Files[unit].Name));
            var tensors = file.Ordered.Where(tensor => !SafetensorsWriter.IsPadding(tensor.Name)).ToList();
            Assert.Equal(
                manifest.Tensors(unit).Select(tensor => $"{tensor.Name} {tensor.Type} {string.Join(',', tensor.Shape)}"),
                tensors.Select(tensor => $"{tensor.Name} {tensor.Type} {string.Join(',', tensor.Shape)}"));
            Assert.All(tensors, tensor => Assert.Equal(0, tensor.Offset % SafetensorsWriter.Alignment));
        }
    }

    /// <summary>The matrix that a model computes with, [outputs, inputs].</summary>
    public static float[] Matrix(string folder, MatrixForm form)
    {
        var manifest = Manifest(folder);
        using var file = SafetensorsFile.Open(Path.Combine(folder, manifest.Files[form.Unit].Name));
        if (form.Unit == 0)
        {
            var table = new QuantizedMatrix(form.Outputs, form.Inputs, form.Base!.Group,
                MemoryMarshal.Cast<byte, sbyte>(file.Bytes(form.Name + ".weight")).ToArray(), MemoryMarshal.Cast<byte, ushort>(file.Bytes(form.Name + ".scale")).ToArray());
            return table.Dequantize();
        }

        if (form.Base is { } plain)
        {
            return Part(form.Name + ".base", form.Outputs, form.Inputs, plain);
        }

        var (u, v) = (Part(form.Name + ".u", form.Outputs, form.Rank, form.Factors!), Part(form.Name + ".v", form.Rank, form.Inputs, form.Factors!));
        var product = new float[form.Outputs * form.Inputs];
        for (var i = 0; i < form.Outputs; i++)
        {
            for (var k = 0; k < form.Rank; k++)
            {
                for (var j = 0; j < form.Inputs; j++)
                {
                    product[i * form.Inputs + j] += u[i * form.Rank + k] * v[k * form.Inputs + j];
                }
            }
        }

        return product;

        float[] Part(string name, int outputs, int inputs, GroupForm own)
        {
            var (bits, group) = own;
            var groups = BlockLayout.Groups(inputs, group);
            var rows = name.EndsWith(".v", StringComparison.Ordinal) ? ManifestLayout.RoundUp(outputs, group) : outputs;
            var (weights, scales) = (new sbyte[rows * groups * group], new ushort[rows * groups]);
            BlockLayout.Unpack(MemoryMarshal.Cast<byte, sbyte>(file.Bytes(name + ".weight")), rows, groups * group, group, bits, weights);
            BlockLayout.UnpackScales(MemoryMarshal.Cast<byte, ushort>(file.Bytes(name + ".scale")), rows, groups, scales);
            return new QuantizedMatrix(rows, inputs, group, weights, scales).Dequantize()[..(outputs * inputs)];
        }
    }

    /// <summary>The squared difference over the squared size.</summary>
    public static double RelativeError(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        return expected.Zip(actual, (a, b) => Math.Pow((double)a - b, 2)).Sum() / expected.Sum(value => (double)value * value);
    }
}
