using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;

namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>
/// The tensors of a GGUF file under Hugging Face's names. In files of the architecture <c>llama</c> the rows of each query
/// and key head are in the order of interleaved rotary embedding (row 2i + s of a head is Hugging Face's row s·half + i, by
/// <c>permute</c> of llama.cpp's conversion); they are read in Hugging Face's order.
/// </summary>
internal sealed unsafe class GgufTensors : ICheckpointTensors
{
    private const int HashPiece = 1 << 24;

    private readonly GgufFile _file;
    private readonly ModelShape _shape;
    private readonly bool _interleaves;

    private GgufTensors(GgufFile file, ModelShape shape) => (_file, _shape, _interleaves) = (file, shape, GgufConfig.Interleaves(file));

    public string Configuration => "metadata";

    public string Readable => GgufTypes.Readable;

    /// <summary>Opens a file: what its metadata say as <c>config.json</c>, the model's shape, and its tensors.</summary>
    /// <exception cref="InvalidDataException">It is malformed, or has a tensor that the model has no place for; the message names it.</exception>
    /// <exception cref="NotSupportedException">The model needs something that is not supported; the message names it.</exception>
    public static (byte[] Config, ModelShape Shape, ICheckpointTensors Files) Open(string path)
    {
        var file = GgufFile.Open(path);
        try
        {
            var config = GgufConfig.Make(file);
            var shape = ConfigReader.Read(path, config);
            CheckPlaces(file, shape);
            return (config, shape, new GgufTensors(file, shape));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public string NameOf(string tensor) => GgufNames.Of(tensor) ?? tensor;

    public bool Contains(string tensor) => _file.Tensors.ContainsKey(NameOf(tensor));

    public CheckpointTensor? Find(string tensor) => _file.Tensors.TryGetValue(NameOf(tensor), out var declared)
        ? new(declared.TypeName, declared.HoldsWeights, declared.Shape, declared.Elements)
        : null;

    public void ReadFloat32(string tensor, Span<float> destination)
    {
        var declared = _file.Tensors[NameOf(tensor)];
        var heads = InterleavedHeads(tensor);
        if (heads == 0)
        {
            _file.ReadFloat32(declared, destination);
            return;
        }

        var rows = (int)declared.Shape[0];
        var width = destination.Length / rows;
        var (size, half) = (rows / heads, rows / heads / 2);
        var vector = Array.Empty<float>();
        if (declared.Shape.Length == 1)
        {
            vector = new float[rows];
            _file.ReadFloat32(declared, vector);
        }

        for (var row = 0; row < rows; row++)
        {
            var (head, place) = (row / size, row % size);
            var there = head * size + place % half * 2 + place / half;
            if (vector.Length > 0)
            {
                destination[row] = vector[there];
            }
            else
            {
                _file.ReadFloat32(declared, destination.Slice(row * width, width), (long)there * width);
            }
        }
    }

    public void Hash(string tensor, IncrementalHash hash)
    {
        var declared = _file.Tensors[NameOf(tensor)];
        var order = InterleavedHeads(tensor) == 0 ? "" : " interleaved";
        hash.AppendData(Encoding.UTF8.GetBytes($"\n{tensor}\n{declared.TypeName}{order}\n{string.Join(',', declared.Shape)}\n"));
        var data = _file.Pointer(declared);
        for (var at = 0L; at < declared.Bytes; at += HashPiece)
        {
            hash.AppendData(new ReadOnlySpan<byte>(data + at, (int)Math.Min(HashPiece, declared.Bytes - at)));
        }
    }

    public void Dispose() => _file.Dispose();

    private static void CheckPlaces(GgufFile file, ModelShape shape)
    {
        var places = Enumerable.Range(0, shape.Units).SelectMany(unit => CheckpointLayout.Tensors(shape, unit)).Select(tensor => GgufNames.Of(tensor.Name)!).ToFrozenSet();
        if (file.Ordered.FirstOrDefault(tensor => !places.Contains(tensor.Name) && GgufNames.Steers(tensor.Name, shape.Layers)) is { } stranger)
        {
            throw new NotSupportedException($"\"{file.Path}\" has the tensor \"{stranger.Name}\", for which a model of the architecture {file.Metadata.Text(GgufConfig.Architecture)} has no place here; without it the result would be another.");
        }
    }

    /// <summary>The heads whose rows are interleaved, or 0.</summary>
    private int InterleavedHeads(string tensor) =>
        !_interleaves ? 0
        : tensor.Contains(".q_proj.", StringComparison.Ordinal) ? _shape.Heads
        : tensor.Contains(".k_proj.", StringComparison.Ordinal) ? _shape.KeyValueHeads
        : 0;
}
