using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints.Gguf;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// A Hugging Face checkpoint folder (<c>config.json</c> and safetensors) or a GGUF file, memory-mapped. As a model source it
/// computes in float32. The tensors of a GGUF file are known by the names and in the order of Hugging Face's.
/// </summary>
public sealed partial class Checkpoint : IModelSource
{
    private readonly ICheckpointTensors _files;
    private readonly Lazy<ModelId> _id;

    private Checkpoint(string folder, byte[] config, ModelShape shape, ICheckpointTensors files)
    {
        (Folder, Shape, _files) = (folder, shape, files);
        _id = new Lazy<ModelId>(() => ComputeId(config));
    }

    /// <summary>
    /// SHA-256 over <c>config.json</c> (that of a GGUF file is made of its metadata) and, in the order of their names, every
    /// tensor the model computes with (name, type, shape, bytes): identifies the checkpoint as a source, however it is cut
    /// into files. The first use reads all weights.
    /// </summary>
    public ModelId Id => _id.Value;

    /// <inheritdoc/>
    public ModelShape Shape { get; }

    /// <inheritdoc/>
    public string Folder { get; }

    /// <summary>Number of parameters, a tied head counted once.</summary>
    public long Parameters => ManifestLayout.Parameters(Shape);

    /// <summary>Opens a folder or a GGUF file: reads its configuration and checks that every tensor is there in the right shape. No weight is read.</summary>
    /// <exception cref="FileNotFoundException">A file is missing; the message names it.</exception>
    /// <exception cref="InvalidDataException">A file is malformed; the message says which and what to do.</exception>
    /// <exception cref="NotSupportedException">The architecture or a setting is not supported; the message names it.</exception>
    public static Checkpoint Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var (config, shape, files) = File.Exists(folder) ? GgufTensors.Open(folder) : OpenFolder(folder);
        var checkpoint = new Checkpoint(folder, config, shape, files);
        try
        {
            checkpoint.CheckTensors();
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>Whether the checkpoint has a tensor of that name.</summary>
    public bool Contains(string tensor) => _files.Contains(Spelling(tensor));

    /// <summary>Reads a tensor as float32, checking its shape (outermost first) and that every value is finite.</summary>
    /// <exception cref="InvalidDataException">It is missing, shaped differently, of a type that holds no weights, or has a value that is not finite.</exception>
    public float[] Read(string tensor, params ReadOnlySpan<int> shape)
    {
        var declared = Find(tensor, shape);
        if (declared.Elements > Array.MaxLength)
        {
            throw new InvalidDataException($"The tensor \"{_files.NameOf(tensor)}\" in \"{Folder}\" has {declared.Elements} values, more than {Array.MaxLength}.");
        }

        var values = new float[declared.Elements];
        _files.ReadFloat32(Spelling(tensor), values);
        return IsFinite(values)
            ? values
            : throw new InvalidDataException($"The tensor \"{_files.NameOf(tensor)}\" in \"{Folder}\" has a value that is not finite: the checkpoint is broken. Fetch it again.");
    }

    /// <summary>Bytes of one unit's weights as they are loaded: four for each value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The model has no such unit.</exception>
    public long UnitBytes(int unit)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(unit);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(unit, Shape.Units);
        return CheckpointLayout.Tensors(Shape, unit).Sum(tensor => tensor.Shape.Aggregate((long)sizeof(float), (bytes, dimension) => bytes * dimension));
    }

    /// <inheritdoc/>
    public IEmbedding LoadEmbedding() => new DenseEmbedding(
        Shape.VocabularySize, Shape.HiddenSize, Read(CheckpointLayout.Embedding, Shape.VocabularySize, Shape.HiddenSize));

    /// <inheritdoc/>
    public LayerWeights LoadLayer(int layer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layer, Shape.Layers);
        var sites = ManifestLayout.Sites(Shape, layer + 1);
        return new LayerWeights
        {
            InputNorm = Vector("input_layernorm.weight", Shape.HiddenSize),
            Query = Matrix(0),
            Key = Matrix(1),
            Value = Matrix(2),
            Output = Matrix(3),
            QueryNorm = Shape.QueryKeyNorm ? Vector("self_attn.q_norm.weight", Shape.HeadSize) : null,
            KeyNorm = Shape.QueryKeyNorm ? Vector("self_attn.k_norm.weight", Shape.HeadSize) : null,
            PostAttentionNorm = Vector("post_attention_layernorm.weight", Shape.HiddenSize),
            Gate = Matrix(4),
            Up = Matrix(5),
            Down = Matrix(6),
        };

        float[] Vector(string name, int length) => Read(CheckpointLayout.Layer(layer, name), length);

        LinearLayer Matrix(int index)
        {
            var site = sites[index];
            return new CheckpointLinear(
                site.Inputs,
                site.Outputs,
                Read(CheckpointLayout.Layer(layer, site.Name + ".weight"), site.Outputs, site.Inputs),
                site.HasBias ? Vector(site.Name + ".bias", site.Outputs) : null);
        }
    }

    /// <inheritdoc/>
    public HeadWeights LoadHead() => new(
        Read(CheckpointLayout.FinalNorm, Shape.HiddenSize),
        new CheckpointLinear(Shape.HiddenSize, Shape.VocabularySize, Read(CheckpointLayout.Head(Shape), Shape.VocabularySize, Shape.HiddenSize), null));

    /// <inheritdoc/>
    public void Dispose() => _files.Dispose();

    private static (byte[] Config, ModelShape Shape, ICheckpointTensors Files) OpenFolder(string folder)
    {
        var config = ConfigReader.ReadBytes(folder);
        var shape = ConfigReader.Read(folder, config);
        return (config, shape, CheckpointFiles.Open(folder));
    }

    private static bool IsFinite(ReadOnlySpan<float> values)
    {
        const uint Exponent = 0x7F800000;
        var bits = MemoryMarshal.Cast<float, uint>(values);
        var mask = Vector256.Create(Exponent);
        var i = 0;
        for (; i <= bits.Length - Vector256<uint>.Count; i += Vector256<uint>.Count)
        {
            if (Vector256.EqualsAny(Vector256.Create(bits[i..]) & mask, mask))
            {
                return false;
            }
        }

        for (; i < bits.Length; i++)
        {
            if ((bits[i] & Exponent) == Exponent)
            {
                return false;
            }
        }

        return true;
    }

    private void CheckTensors()
    {
        for (var unit = 0; unit < Shape.Units; unit++)
        {
            foreach (var (name, shape) in CheckpointLayout.Tensors(Shape, unit))
            {
                var declared = Find(name, shape);
                if (!declared.HoldsWeights)
                {
                    throw new NotSupportedException($"The tensor \"{_files.NameOf(name)}\" in \"{Folder}\" is of type {declared.Type}, from which weights are not read: {_files.Readable} are. Convert the checkpoint.");
                }
            }
        }

        for (var layer = 0; layer < Shape.Layers; layer++)
        {
            if (CheckpointLayout.Unexpected(Shape, layer).FirstOrDefault(_files.Contains) is { } unexpected)
            {
                throw new InvalidDataException($"\"{Folder}\" has the tensor \"{unexpected}\", for which its {_files.Configuration} ({Shape.Architecture}) has no place. Check attention_bias, mlp_bias and architectures there.");
            }
        }
    }

    private CheckpointTensor Find(string tensor, ReadOnlySpan<int> shape)
    {
        var declared = _files.Find(Spelling(tensor)) ?? throw new InvalidDataException(
            $"\"{Folder}\" has no tensor \"{_files.NameOf(tensor)}\", which its {_files.Configuration} ({Shape.Architecture}) calls for. Fetch the whole checkpoint, or correct {_files.Configuration}{(tensor == CheckpointLayout.Head(Shape) ? " (tie_word_embeddings)" : "")}.");
        var same = declared.Shape.Length == shape.Length;
        for (var i = 0; same && i < shape.Length; i++)
        {
            same = declared.Shape[i] == shape[i];
        }

        return same ? declared : throw new InvalidDataException(
            $"The tensor \"{_files.NameOf(tensor)}\" in \"{Folder}\" has the shape [{string.Join(", ", declared.Shape)}], but {_files.Configuration} calls for [{string.Join(", ", shape.ToArray())}].");
    }

    private ModelId ComputeId(byte[] config)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(config);
        var names = Enumerable.Range(0, Shape.Units).SelectMany(unit => CheckpointLayout.Tensors(Shape, unit)).Select(tensor => tensor.Name);
        foreach (var name in names.Distinct().Order(StringComparer.Ordinal))
        {
            _files.Hash(Spelling(name), hash);
        }

        return new ModelId(Convert.ToHexStringLower(hash.GetHashAndReset()));
    }
}
