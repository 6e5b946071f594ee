using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Node.Bench;

/// <summary>Bytes that come from memory: as the kernels' layout makes them, and the fewest that any program could do with. Pure.</summary>
/// <param name="Counted">Padding included, and each read counted.</param>
/// <param name="LowerBound">Every weight with its scale once, every value of an input once, every value of a result once.</param>
internal sealed record Traffic(long Counted, long LowerBound)
{
    private const int ScaleBytes = 2; // of a group of weights, bfloat16
    private const int ActivationBytes = sizeof(short);
    private const int GroupBytes = sizeof(float); // of a group of activations: its scale
    private const int SumBytes = sizeof(int); // of a group of activations: the sum of its values

    /// <summary>By how much the first is larger.</summary>
    public double Ratio => (double)Counted / LowerBound;

    /// <summary>Weights that computing one token reads.</summary>
    public static Traffic OfToken(ModelManifest manifest) => new(manifest.ReadBytesPerToken, Units(manifest).Sum(unit => LeastOfUnit(manifest, unit)));

    /// <summary>Weights, inputs and results of all matrices while a step of so many tokens is computed.</summary>
    public static Traffic OfStep(ModelManifest manifest, int tokens, Blocking blocking)
    {
        var forms = Units(manifest).Skip(1).SelectMany(unit => manifest.MatricesOf(unit)).ToList();
        return new(forms.Sum(form => CountedOf(form, tokens, blocking)), forms.Sum(form => Least(form) + Least(form, tokens)));
    }

    /// <summary>The rows of a matrix that are computed at once, and the bytes of their weights.</summary>
    public static (int Rows, long Bytes) Window(MatrixForm form, Blocking blocking)
    {
        var row = RowBytes(form);
        var rows = Math.Min(blocking.WindowRows(row), form.Outputs);
        return (rows, rows * row);
    }

    private static IEnumerable<int> Units(ModelManifest manifest) => Enumerable.Range(0, manifest.Shape.Units);

    /// <summary>Weights of a row, of the base or where there is none of U.</summary>
    private static long RowBytes(MatrixForm form)
    {
        var (inputs, group) = form.Base is { } dense ? (form.Inputs, dense) : (form.Rank, form.Factors!);
        return (long)ManifestLayout.RoundUp(inputs, group.Group) * group.Bits / 8;
    }

    /// <summary>What tokens bring is read once for each window, unless the third level holds all of it.</summary>
    private static long CountedOf(MatrixForm form, int tokens, Blocking blocking)
    {
        var group = form.Base ?? form.Factors!;
        var groups = Groups(form.Inputs, group);
        var brought = (long)tokens * (groups * (group.Group * ActivationBytes + GroupBytes + SumBytes));
        var windows = brought <= blocking.Caches.Level3 / 2 ? 1 : (form.Outputs + Window(form, blocking).Rows - 1) / Window(form, blocking).Rows;
        return form.Bytes + brought * windows + (long)tokens * form.Outputs * sizeof(float);
    }

    private static long LeastOfUnit(ModelManifest manifest, int unit)
    {
        var forms = manifest.MatricesOf(unit);
        var vectors = manifest.Tensors(unit).Where(tensor => tensor.Type == "F32").Sum(tensor => tensor.Bytes);
        return vectors + forms.Sum(form => unit == 0 ? Matrix(1, form.Inputs, form.Base) : Least(form));
    }

    private static long Least(MatrixForm form) =>
        Matrix(form.Outputs, form.Inputs, form.Base)
        + (form.Rank == 0 ? 0 : Matrix(form.Outputs, form.Rank, form.Factors) + (form.SharedFactors is null ? Matrix(form.Rank, form.Inputs, form.Factors) : 0));

    private static long Least(MatrixForm form, int tokens) =>
        (long)tokens * (form.Inputs * ActivationBytes + Groups(form.Inputs, form.Base ?? form.Factors!) * GroupBytes + form.Outputs * sizeof(float));

    private static long Matrix(int outputs, int inputs, GroupForm? form) =>
        form is null ? 0 : ((long)outputs * inputs * form.Bits + 7) / 8 + (long)outputs * Groups(inputs, form) * ScaleBytes;

    private static int Groups(int inputs, GroupForm form) => (inputs + form.Group - 1) / form.Group;
}
