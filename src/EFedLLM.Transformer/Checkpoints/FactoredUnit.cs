using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>
/// The file of one unit of a factored model, read into memory or mapped. Its header holds exactly the tensors that the manifest derives, and
/// no scale, norm or bias in it is anything but a plain number; weights are integers, so that whatever bits are there are some.
/// </summary>
internal sealed unsafe class FactoredUnit : IDisposable
{
    /// <summary>
    /// 2^100 as bfloat16: a weight's magnitude stays below 2^107, so that no lookup leaves float32. The bits of the
    /// finite numbers from 0 on are ordered like the numbers, and negative ones, infinities and NaNs lie above.
    /// </summary>
    private const ushort LargestScale = (127 + 100) << 7;

    private readonly SafetensorsFile _file;

    /// <summary>Every V by its owner's name. A V that matrices share is one object: by that they know it.</summary>
    private readonly Dictionary<string, BlockMatrix> _factors = new(StringComparer.Ordinal);

    private FactoredUnit(SafetensorsFile file) => _file = file;

    /// <summary>Whether its file was read into memory of its own.</summary>
    public bool IsInMemory { get; private init; }

    /// <summary>Reads or maps a unit's file, and checks it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="manifest">The model's manifest.</param>
    /// <param name="unit">The unit.</param>
    /// <param name="inMemory">Whether to read it; else it is mapped.</param>
    /// <exception cref="FileNotFoundException">It is not there.</exception>
    /// <exception cref="InvalidDataException">It is not what the manifest says; the message names it and says what to do.</exception>
    public static FactoredUnit Open(string path, ModelManifest manifest, int unit, bool inMemory)
    {
        return new FactoredUnit(Check(inMemory ? SafetensorsFile.Read(path) : SafetensorsFile.Open(path), manifest, unit)) { IsInMemory = inMemory };
    }

    /// <summary>Checks a unit's file that lies in memory which stays the caller's, and may hold another file later.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="memory">Its bytes, and perhaps more behind them.</param>
    /// <param name="length">Its length.</param>
    /// <param name="manifest">The model's manifest.</param>
    /// <param name="unit">The unit.</param>
    /// <exception cref="InvalidDataException">It is not what the manifest says; the message names it and says what to do.</exception>
    public static FactoredUnit Over(string path, WeightMemory memory, long length, ModelManifest manifest, int unit) =>
        new(Check(SafetensorsFile.Over(path, memory, length), manifest, unit));

    /// <summary>Returns a file that is the unit's; another one is closed.</summary>
    private static SafetensorsFile Check(SafetensorsFile file, ModelManifest manifest, int unit)
    {
        var declared = manifest.Files[unit];
        try
        {
            Require(file, file.Length == declared.Bytes, $"it has {file.Length} bytes instead of {declared.Bytes}");
            var expected = manifest.Tensors(unit);
            var present = 0;
            foreach (var tensor in file.Ordered)
            {
                if (SafetensorsWriter.IsPadding(tensor.Name))
                {
                    Require(file, tensor is { Type: SafetensorsType.U8, Bytes: < SafetensorsWriter.Alignment }, $"the padding \"{tensor.Name}\" is more than padding");
                    continue;
                }

                Require(file, present < expected.Length, $"the tensor \"{tensor.Name}\" does not belong into it");
                CheckTensor(file, tensor, expected[present++]);
            }

            Require(file, present == expected.Length, present < expected.Length ? $"the tensor \"{expected[present].Name}\" is missing" : "");
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>A vector of the file, copied.</summary>
    public float[] Vector(string name)
    {
        var vector = new float[_file.Tensors[name].Elements];
        _file.ReadFloat32(name, vector);
        return vector;
    }

    /// <summary>A matrix of the file, used where it lies. One caller at a time.</summary>
    public FactoredLinear Matrix(MatrixForm form, bool hasBias)
    {
        var (@base, v, u) = default((BlockMatrix?, BlockMatrix?, BlockMatrix?));
        if (form.Base is { } dense)
        {
            @base = Part(form.Name + ".base", form.Outputs, form.Inputs, dense);
        }

        if (form.Factors is { } factors)
        {
            var rank = ManifestLayout.RoundUp(form.Rank, factors.Group);
            var owner = form.SharedFactors ?? form.Name;
            v = _factors.GetValueOrDefault(owner) ?? Part(owner + ".v", rank, form.Inputs, factors);
            _factors[owner] = v;
            u = Part(form.Name + ".u", form.Outputs, rank, factors);
        }

        return new FactoredLinear(form.Inputs, form.Outputs, @base, v, u, hasBias ? Vector(form.Name + ".bias") : null, _file.Memory)
        {
            SharesV = form.SharedFactors is not null,
        };
    }

    /// <summary>The table of the file, used where it lies.</summary>
    public QuantisedEmbedding Table(MatrixForm form) => new(
        form.Outputs,
        form.Inputs,
        (sbyte*)_file.Pointer(form.Name + ".weight"),
        (ushort*)_file.Pointer(form.Name + ".scale"),
        _file.Memory);

    /// <summary>Where the table and its scales begin in the file.</summary>
    public (long Table, long Scales) TableOffsets(MatrixForm form) => (_file.Tensors[form.Name + ".weight"].Offset, _file.Tensors[form.Name + ".scale"].Offset);

    public void Dispose() => _file.Dispose();

    private static void CheckTensor(SafetensorsFile file, SafetensorsTensor tensor, ManifestTensor expected)
    {
        var matches = tensor.Name == expected.Name
            && SafetensorsTensor.NameOf(tensor.Type) == expected.Type
            && tensor.Shape.AsSpan().SequenceEqual([.. expected.Shape.Select(dimension => (long)dimension)]);
        Require(file, matches, $"it has the tensor {Describe(tensor.Name, SafetensorsTensor.NameOf(tensor.Type), tensor.Shape)} where {Describe(expected.Name, expected.Type, expected.Shape)} belongs");
        Require(file, tensor.Offset % SafetensorsWriter.Alignment == 0, $"the tensor \"{tensor.Name}\" does not begin at a multiple of {SafetensorsWriter.Alignment} bytes");
        var data = file.Pointer(tensor);
        var plain = tensor.Type switch
        {
            SafetensorsType.BF16 => AllAtMost((ushort*)data, tensor.Elements),
            SafetensorsType.F32 => AllFinite((float*)data, tensor.Elements),
            _ => true,
        };
        Require(file, plain, $"the tensor \"{tensor.Name}\" has a value that is not a plain number, or a scale that is negative or above 2^100");
    }

    private static bool AllAtMost(ushort* scales, long count)
    {
        // A span holds two billion elements, and a manifest allows a table whose scales are more.
        for (var at = 0L; at < count; at += int.MaxValue)
        {
            if (new ReadOnlySpan<ushort>(scales + at, (int)Math.Min(int.MaxValue, count - at)).ContainsAnyExceptInRange((ushort)0, LargestScale))
            {
                return false;
            }
        }

        return true;
    }

    private static bool AllFinite(float* values, long count)
    {
        for (var i = 0L; i < count; i++)
        {
            if (!float.IsFinite(values[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static string Describe<T>(string name, string type, IEnumerable<T> shape) => $"\"{name}\" {type} [{string.Join(", ", shape)}]";

    private static void Require(SafetensorsFile file, bool condition, string problem)
    {
        if (!condition)
        {
            throw new InvalidDataException($"\"{file.Path}\" is not the file of this model: {problem}. Fetch it again, or compress the checkpoint again.");
        }
    }

    private BlockMatrix Part(string name, int outputs, int inputs, GroupForm form) => new(
        outputs,
        inputs,
        form.Group,
        form.Bits,
        (sbyte*)_file.Pointer(name + ".weight"),
        (ushort*)_file.Pointer(name + ".scale"));
}
