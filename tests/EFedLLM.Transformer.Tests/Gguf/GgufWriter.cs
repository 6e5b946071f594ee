using System.Text;
using EFedLLM.Transformer.Checkpoints.Gguf;

namespace EFedLLM.Transformer.Tests.Gguf;

/// <summary>Writes GGUF files as the format's description says (ggml's docs/gguf.md), or with one lie in them.</summary>
internal sealed class GgufWriter
{
    private readonly List<(string Key, Action<BinaryWriter> Write)> _values = [];
    private readonly List<(string Name, uint Type, long[] Dimensions, byte[] Data)> _tensors = [];

    public uint Magic { get; set; } = 0x46554747;

    public uint Version { get; set; } = 3;

    public int Alignment { get; set; } = 32;

    /// <summary>What the header claims instead of the truth.</summary>
    public ulong? TensorCount { get; set; }

    /// <inheritdoc cref="TensorCount"/>
    public ulong? ValueCount { get; set; }

    /// <summary>Offsets that tensors claim instead of their own.</summary>
    public Dictionary<string, ulong> Offsets { get; } = [];

    public IReadOnlyList<string> Tensors => [.. _tensors.Select(tensor => tensor.Name)];

    public GgufWriter Add(string key, uint value) => Raw(key, GgufValueType.UInt32, writer => writer.Write(value));

    public GgufWriter Add(string key, float value) => Raw(key, GgufValueType.Float32, writer => writer.Write(value));

    public GgufWriter Add(string key, bool value) => Raw(key, GgufValueType.Bool, writer => writer.Write(value));

    public GgufWriter Add(string key, string value) => Raw(key, GgufValueType.String, writer => Text(writer, value));

    public GgufWriter Add(string key, IReadOnlyCollection<string> values) => List(key, GgufValueType.String, values, Text);

    public GgufWriter Add(string key, IReadOnlyCollection<float> values) => List(key, GgufValueType.Float32, values, static (writer, value) => writer.Write(value));

    public GgufWriter Add(string key, IReadOnlyCollection<int> values) => List(key, GgufValueType.Int32, values, static (writer, value) => writer.Write(value));

    /// <summary>A value, its type in front; a later one of the same key takes the place of the earlier.</summary>
    public GgufWriter Raw(string key, GgufValueType type, Action<BinaryWriter> write)
    {
        Remove(key);
        return Again(key, type, write);
    }

    /// <summary>A value whose key may be there already.</summary>
    public GgufWriter Again(string key, GgufValueType type, Action<BinaryWriter> write)
    {
        _values.Add((key, writer =>
        {
            writer.Write((uint)type);
            write(writer);
        }));
        return this;
    }

    public GgufWriter Remove(string key)
    {
        _values.RemoveAll(value => value.Key == key);
        return this;
    }

    /// <summary>A tensor; dimensions outermost first.</summary>
    public GgufWriter AddTensor(string name, uint type, long[] shape, byte[] data)
    {
        _tensors.Add((name, type, [.. shape.Reverse()], data));
        return this;
    }

    public GgufWriter RemoveTensor(string name)
    {
        _tensors.RemoveAll(tensor => tensor.Name == name);
        return this;
    }

    public byte[] ToArray()
    {
        if (Alignment != 32)
        {
            Add("general.alignment", (uint)Alignment);
        }

        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(Magic);
        writer.Write(Version);
        writer.Write(TensorCount ?? (ulong)_tensors.Count);
        writer.Write(ValueCount ?? (ulong)_values.Count);
        foreach (var (key, write) in _values)
        {
            Text(writer, key);
            write(writer);
        }

        var offset = 0UL;
        foreach (var (name, type, dimensions, data) in _tensors)
        {
            Text(writer, name);
            writer.Write((uint)dimensions.Length);
            foreach (var dimension in dimensions)
            {
                writer.Write(dimension);
            }

            writer.Write(type);
            writer.Write(Offsets.TryGetValue(name, out var claimed) ? claimed : offset);
            offset += (ulong)Padded(data.Length);
        }

        writer.Write(new byte[Padded(stream.Position) - stream.Position]);
        foreach (var (_, _, _, data) in _tensors)
        {
            writer.Write(data);
            writer.Write(new byte[Padded(data.Length) - data.Length]);
        }

        return stream.ToArray();
    }

    private static void Text(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private long Padded(long length) => (length + Alignment - 1) / Alignment * Alignment;

    private GgufWriter List<T>(string key, GgufValueType element, IReadOnlyCollection<T> values, Action<BinaryWriter, T> write) => Raw(key, GgufValueType.Array, writer =>
    {
        writer.Write((uint)element);
        writer.Write((ulong)values.Count);
        foreach (var value in values)
        {
            write(writer, value);
        }
    });
}
